"""Lines as they come, from many logs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from devctl.logs.read import Reader, Segment, segments
from devctl.logs.text import MAX_LINE, Line, plain

_SHORTEST, _LONGEST = 0.005, 0.05
_COST = 50
"""It sleeps at least so many times as long as its look took: 2 % of a core at most, however many logs there are."""
_UNFINISHED = 1.0
"""Seconds after which a line without its end is shown as it is: a question that waits for an answer."""

_BLOCK, _BLOCKS_AT_ONCE = 1 << 18, 16
_ROTATION = 2.0
"""Seconds after which a copy that was not put into its place counts as abandoned."""


class _Tail:
    """Where the reading of one log stands."""

    def __init__(self, folder: Path, name: str, part: Segment) -> None:
        self._path, self._aside = f"{folder}/{name}.log", f"{folder}/{name}.log.1"
        self._index = f"{folder}/{name}.idx.1"
        self.name, self.inode, self.at = name, part.inode, part.end
        self._aside_inode = _inode(self._aside)
        self._rest, self._waits = b"", 0.0

    def poll(self, now: float) -> Iterator[tuple[float, bytes]]:
        """What was written since, as (time, line)."""
        try:
            facts = os.stat(self._path)  # noqa: PTH116 - many files, many times a second
        except OSError:
            self.inode = self.at = 0
            return
        if facts.st_size != self.at or facts.st_ino != self.inode:
            if self._replaced(facts):
                if self._is_being_rotated():
                    return
                yield from self._remainder()
                self.inode, self.at = facts.st_ino, 0
            yield from self._new(facts.st_mtime)
            self._waits = now
        elif self._rest and now - self._waits > _UNFINISHED:
            rest, self._rest = self._rest, b""
            yield facts.st_mtime, rest

    def _replaced(self, facts: os.stat_result) -> bool:
        shorter = facts.st_size < self.at or facts.st_ino != self.inode
        return shorter or _inode(self._aside) not in {0, self._aside_inode}

    def _is_being_rotated(self) -> bool:
        """Emptied already, the copy not in its place yet."""
        try:
            return time.time() - Path(f"{self._path}.new").stat().st_mtime < _ROTATION
        except OSError:
            return False

    def _remainder(self) -> Iterator[tuple[float, bytes]]:
        """What was written to the log before it was put aside, and not read yet."""
        before, self._aside_inode = self._aside_inode, _inode(self._aside)
        if self._aside_inode in {0, before}:
            if self._rest:
                yield time.time(), self._rest
            self._rest = b""
            return
        part = Segment(self._aside, self._index)
        self.at = max(0, self.at - part.index.dropped)
        path, self._path = self._path, self._aside
        try:
            yield from self._new(part.index.last, blocks=1 << 30)
        finally:
            self._path = path

    def _new(self, when: float, blocks: int = _BLOCKS_AT_ONCE) -> Iterator[tuple[float, bytes]]:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            for _ in range(blocks):
                if not (block := os.pread(handle, _BLOCK, self.at)):
                    break
                self.at += len(block)
                *lines, self._rest = (self._rest + block).split(b"\n")
                yield from ((when, line) for line in lines)
                if len(self._rest) > MAX_LINE:
                    rest, self._rest = self._rest, b""
                    yield when, rest
        finally:
            os.close(handle)


def _inode(path: str) -> int:
    try:
        return Path(path).stat().st_ino
    except OSError:
        return 0


class Follow:
    """An iterator over lines that never ends by itself. ``stop()`` ends it from another thread or a signal handler.

    ``on_idle`` is called each time there was nothing new, with how long it slept (5 to 50 ms, longer for many logs).
    """

    def __init__(
        self, folder: Path, names: list[str], n: int | None, since: float | None,
        grep: str | re.Pattern[str] | None, colour: bool,
    ) -> None:  # fmt: skip
        self._grep = re.compile(grep) if isinstance(grep, str) else grep
        self._colour, self._stopped = colour, False
        self.on_idle: Callable[[float], object] = float
        parts = {name: segments(folder, name) for name in names}
        for part in parts.values():
            part[-1].cut()
        self._tails = [_Tail(folder, name, part[-1]) for name, part in parts.items()]
        self._first = Reader(folder, since, self._grep, colour).read(parts, n)

    def stop(self) -> None:
        """End the iteration soon."""
        self._stopped = True

    def __iter__(self) -> Iterator[Line]:
        yield from self._first
        pause = _SHORTEST
        while not self._stopped:
            came, begun = False, time.perf_counter()
            for line in sorted(self._round(), key=lambda line: line.time):
                came = True
                yield line
            if came:
                pause = _SHORTEST
                continue
            slept = max(pause, _COST * (time.perf_counter() - begun))
            time.sleep(slept)
            self.on_idle(slept)
            pause = min(_LONGEST, pause * 1.3)

    def _round(self) -> Iterator[Line]:
        now = time.monotonic()
        for tail in self._tails:
            for when, raw in tail.poll(now):
                text = plain(raw, self._colour)
                if self._grep is None or self._grep.search(plain(raw) if self._colour else text):
                    yield Line(when, tail.name, text)
