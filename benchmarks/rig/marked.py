"""The processes of one round, found by a mark in their environment. Linux: read from /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "DEVCTL_BENCH"
SERVICE = Path(__file__).with_name("service.pl")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Proc:
    """A living process; ``service`` tells the measured service from what the tool needs to run it."""

    pid: int
    service: bool


def marked(mark: str) -> list[Proc]:
    """Every living process with exactly this mark."""
    wanted, found = f"{VARIABLE}={mark}".encode(), []
    for pid in _pids():
        with contextlib.suppress(OSError):
            if wanted in _read(pid, "environ").split(b"\0"):
                found.append(Proc(pid, _is_service(_read(pid, "cmdline"))))
    return found


def marks() -> set[str]:
    """The marks that any living process carries."""
    start = f"{VARIABLE}=".encode()
    found: set[str] = set()
    for pid in _pids():
        with contextlib.suppress(OSError):
            words = _read(pid, "environ").split(b"\0")
            found.update(word.removeprefix(start).decode() for word in words if word.startswith(start))
    return found


def _pids() -> list[int]:
    own = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]  # noqa: PTH208 - thousands


def _read(pid: int, what: str) -> bytes:
    return Path(f"/proc/{pid}/{what}").read_bytes()


def _is_service(cmdline: bytes) -> bool:
    words = cmdline.split(b"\0")
    return len(words) > 1 and words[0].endswith(b"perl") and words[1].endswith(SERVICE.name.encode())


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of these processes and of those children that they have waited for."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = _read(pid, "stat").rpartition(b")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def cpu_fine(pids: list[int]) -> float:
    """The same to the nanosecond, for while nothing happens: what threads and children that ended used is in ticks or
    not at all."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += sum(int(int(word) / TICKS * 1e9) for word in _read(pid, "stat").rpartition(b")")[2].split()[13:15])
            for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names alone
                total += int(_read(pid, f"task/{task}/schedstat").split()[0])
    return total / 1e9


def memory(pids: list[int]) -> tuple[float, float]:
    """(resident, proportional) memory in MB: pages that processes share count in each of them, or once."""
    resident = shared = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in _read(pid, "smaps_rollup").splitlines():
                name, _, rest = line.partition(b":")
                if name == b"Rss":
                    resident += int(rest.split()[0])
                elif name == b"Pss":
                    shared += int(rest.split()[0])
    return resident * 1024 / 1e6, shared * 1024 / 1e6


def end(mark: str, patience: float = 20.0) -> int:
    """Kill all that carry the mark until none is left. Returns how many there were at first."""
    deadline, first = time.monotonic() + patience, -1
    while left := marked(mark):
        first = len(left) if first < 0 else first
        for each in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RuntimeError(f"can't be ended: {[each.pid for each in left]}")
        time.sleep(0.02)
    return max(first, 0)
