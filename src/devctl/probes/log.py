"""The log: has a line of this run said that the service is ready? Only what is new is read each time."""

from __future__ import annotations

import os
import re

import msgspec

from devctl.logs import Logs, plain

_BLOCK = 1 << 18
_AT_ONCE = 32
_CARRY = 1 << 16


class _Reading(msgspec.Struct):
    """How far the log of one run was read: up to ``at``, with the unfinished line ``rest``."""

    run: tuple[object, ...]
    at: int
    rest: bytes = b""
    found: bool = False


class LogCheck:
    """Looks for patterns in logs."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._readings: dict[str, _Reading] = {}

    def check(self, name: str, pid: int | None, pattern: str, offset: int) -> str:
        """ "" once a line written since ``offset`` has matched. Reads at most 8 MB a call."""
        run = (pid, pattern, offset)
        reading = self._readings.get(name)
        if reading is None or reading.run != run:
            reading = self._readings[name] = _Reading(run, offset)
        if not reading.found:
            reading.found = self._search(name, re.compile(pattern), reading)
        return "" if reading.found else f"no line of its log matches {pattern} yet"

    def _search(self, name: str, pattern: re.Pattern[str], reading: _Reading) -> bool:
        try:
            handle = os.open(self._logs.path(name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            if os.fstat(handle).st_size < reading.at:
                reading.at, reading.rest = 0, b""
            for _ in range(_AT_ONCE):
                block = os.pread(handle, _BLOCK, reading.at)
                if not block:
                    return False
                reading.at += len(block)
                *lines, rest = (reading.rest + block).split(b"\n")
                reading.rest = rest[-_CARRY:]
                if any(pattern.search(plain(line)) for line in (*lines, rest)):
                    return True
            return False
        finally:
            os.close(handle)
