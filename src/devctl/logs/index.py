"""When was that written? Services write straight to their files, so the lines carry no time; a small file beside each
log, NAME.idx, remembers how long the log was when.

A record is 16 bytes: the wall time (float64, seconds) and the log's length then (uint64). A negative time marks the
beginning of a run at that offset, of which there need be none where it is 0; a time of 0 in the first record says how
many bytes an earlier rotation dropped.
"""

from __future__ import annotations

import os
import struct

_RECORD = struct.Struct("<dQ")


def append(path: str, when: float, offset: int) -> None:
    """Add a record. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, _RECORD.pack(when, offset))
    finally:
        os.close(handle)


class Index:
    """A log's index as it is now; empty when there is none. ``end`` is the time of what no record covers yet."""

    def __init__(self, path: str, end: float = 0.0) -> None:
        self._data = _load(path)
        self._count = len(self._data) // _RECORD.size
        self._end = end
        self.dropped = 0
        self._first = 0
        if self._count and self._at(0)[0] == 0.0:
            self.dropped, self._first = self._at(0)[1], 1

    def _at(self, position: int) -> tuple[float, int]:
        when, offset = _RECORD.unpack_from(self._data, position * _RECORD.size)
        return when, offset

    def time_of(self, offset: int) -> float:
        """When the byte at ``offset`` was written, at the latest."""
        low, high = self._first, self._count
        while low < high:
            middle = (low + high) // 2
            if self._at(middle)[1] > offset:
                high = middle
            else:
                low = middle + 1
        return abs(self._at(low)[0]) if low < self._count else max(self._end, self.last)

    def offset_since(self, when: float) -> int:
        """Where the first line that was written at ``when`` or later may begin."""
        low, high = self._first, self._count
        while low < high:
            middle = (low + high) // 2
            if abs(self._at(middle)[0]) >= when:
                high = middle
            else:
                low = middle + 1
        return self._at(low - 1)[1] if low > self._first else 0

    @property
    def last(self) -> float:
        """The latest time recorded, 0 when none is."""
        return abs(self._at(self._count - 1)[0]) if self._count > self._first else 0.0

    @property
    def covered(self) -> int:
        """How much of the log the records cover."""
        return self._at(self._count - 1)[1] if self._count > self._first else 0

    def run_offset(self) -> int:
        """Where the latest run begins, 0 when no beginning is recorded."""
        for position in range(self._count - 1, self._first - 1, -1):
            when, offset = self._at(position)
            if when < 0:
                return offset
        return 0

    def shifted(self, dropped: int) -> bytes:
        """The records for a copy of the log that lacks its first ``dropped`` bytes."""
        kept = [_RECORD.pack(0.0, dropped)]
        for position in range(self._first, self._count):
            when, offset = self._at(position)
            if offset >= dropped:
                kept.append(_RECORD.pack(when, offset - dropped))
        return b"".join(kept)


def _load(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(handle, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(handle)
