"""Reading logs of any size: backwards for the last lines, forwards for the rest, many merged by time.

Never a whole file at once.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from devctl.logs.index import Index
from devctl.logs.text import MAX_LINE, Line, plain

_BLOCK = 1 << 16
Piece = tuple[int, bytes]
"""A line's offset in its file, and its bytes without the newline."""


class Segment:
    """A log file, or an earlier one put aside by rotation, from ``start`` to ``end`` as they are now."""

    def __init__(self, path: str, index_path: str) -> None:
        self.path = path
        try:
            facts = Path(path).stat()
            self.inode, self.start, self.end = facts.st_ino, 0, facts.st_size
            self.index = Index(index_path, facts.st_mtime)
        except OSError:
            self.inode, self.start, self.end, self.index = 0, 0, 0, Index("")

    def _read(self, offset: int, size: int) -> bytes:
        """Opened anew each time: a thousand logs at once would need more descriptors than there are."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.pread(handle, size, offset) if os.fstat(handle).st_ino == self.inode else b""
        finally:
            os.close(handle)

    def cut(self) -> None:
        """Leave out a last line that is still being written."""
        at = max(self.start, self.end - MAX_LINE)
        newline = self._read(at, self.end - at).rfind(b"\n")
        if newline >= 0 or at == self.start:
            self.end = at + newline + 1

    def backwards(self) -> Iterator[Piece]:
        """The lines, last one first."""
        at, rest = self.end, b""
        while at > self.start:
            size = min(_BLOCK, at - self.start)
            at -= size
            block = self._read(at, size) + rest
            if at + size == self.end and block.endswith(b"\n"):
                block = block[:-1]
            first, *lines = block.split(b"\n")
            offset = at + len(block)
            for line in reversed(lines):
                offset -= len(line)
                yield offset, line
                offset -= 1
            rest = first
            if len(rest) > MAX_LINE:
                yield at, rest
                rest = b""
        if rest or (self.end > self.start and self._read(self.start, 1) == b"\n"):
            yield self.start, rest

    def forwards(self) -> Iterator[Piece]:
        """The lines, first one first."""
        at, rest = self.start, b""
        while at < self.end:
            block = self._read(at, min(_BLOCK, self.end - at))
            if not block:
                break
            offset = at - len(rest)
            *lines, last = (rest + block).split(b"\n")
            for line in lines:
                yield offset, line
                offset += len(line) + 1
            at += len(block)
            rest = last
            if len(rest) > MAX_LINE:
                yield offset, rest
                rest = b""
        if rest:
            yield at - len(rest), rest


def segments(folder: Path, name: str) -> list[Segment]:
    """What there is of a log, oldest first."""
    aside = []
    number = 1
    while (folder / f"{name}.log.{number}").exists():
        aside.append(Segment(f"{folder}/{name}.log.{number}", f"{folder}/{name}.idx.{number}"))
        number += 1
    return [*reversed(aside), Segment(f"{folder}/{name}.log", f"{folder}/{name}.idx")]


class Reader:
    """Reads the logs of one folder. ``colour``: keep the colours."""

    def __init__(self, folder: Path, since: float | None, grep: str | re.Pattern[str] | None, colour: bool) -> None:
        self._folder, self._since, self._colour = folder, since, colour
        self._grep = re.compile(grep) if isinstance(grep, str) else grep

    def read(self, parts: dict[str, list[Segment]], n: int | None) -> Iterator[Line]:
        """All lines by time, or the last ``n`` of them all."""
        if n is None:
            return heapq.merge(*(self._forwards(name, part) for name, part in parts.items()), key=_time)
        each = (self._backwards(name, part) for name, part in parts.items())
        newest_first = heapq.merge(*each, key=_time, reverse=True)
        return iter(list(islice(newest_first, max(0, n)))[::-1])

    def _forwards(self, name: str, parts: Iterable[Segment]) -> Iterator[Line]:
        for part in parts:
            if self._since is not None:
                part.start = max(part.start, part.index.offset_since(self._since))
            for piece in part.forwards():
                line = self._line(name, part, piece)
                if line is not None and (self._since is None or line.time >= self._since):
                    yield line

    def _backwards(self, name: str, parts: list[Segment]) -> Iterator[Line]:
        for part in reversed(parts):
            for piece in part.backwards():
                if self._since is not None and part.index.time_of(piece[0]) < self._since:
                    return
                line = self._line(name, part, piece)
                if line is not None:
                    yield line

    def _line(self, name: str, part: Segment, piece: Piece) -> Line | None:
        text = plain(piece[1], self._colour)
        if self._grep is not None and not self._grep.search(plain(piece[1]) if self._colour else text):
            return None
        return Line(part.index.time_of(piece[0]), name, text)


def _time(line: Line) -> float:
    return line.time
