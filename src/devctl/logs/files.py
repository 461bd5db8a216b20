"""The log files of a workspace: ``.devctl/logs/NAME.log``."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from devctl.logs import index
from devctl.logs.follow import Follow
from devctl.logs.index import Index
from devctl.logs.read import Reader, segments
from devctl.logs.text import Line, plain

MAX_BYTES = 20_000_000
"""Bytes after which a log is put aside."""
CALM = 1_000_000
"""A log that grew more since the last look is not put aside yet: emptying it holds up whoever writes to it, by 0.2 ms
for each MB (ext4, Linux 6: freeing the pages locks the file), 8 % of the time it takes to print a GB."""
LARGEST = 1_000_000_000
"""Bytes after which it is put aside even so, or after a twentieth of what is free on the disk."""

_MOST = 4
_QUIET = 5.0
_ROUNDS = 8
_HALVES = 5
_WORDS_WIDTH = 500


def setup_log(service: str) -> str:
    """The name of the log that the setup of a service writes (no service's own name has a dot)."""
    return f"{service}.setup"


def service_of(log: str) -> str:
    """Whose log that is."""
    return log.partition(".")[0]


class _Track(msgspec.Struct):
    """What is known of a log: its length, when it was seen to grow, the last time in its index, its run's offset."""

    size: int
    grew: float = 0.0
    last: float = 0.0
    run: int | None = None


class Logs:
    """The logs of the workspace at ``root``."""

    def __init__(self, root: Path) -> None:
        self.folder = root / ".devctl" / "logs"
        self._tracks: dict[str, _Track] = {}
        self._turn = 0

    def path(self, name: str) -> Path:
        """Where the log of a service is."""
        return self.folder / f"{name}.log"

    def open(self, name: str) -> int:
        """A descriptor to append to, for the service itself. The caller closes it. Raises OSError."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(self._file(name), flags, 0o600)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(self._file(name), flags, 0o600)

    def track(self, name: str) -> None:
        """Keep its times from now on, as ``mark_run`` does too: for the one process that watches the services."""
        if name not in self._tracks:
            known = Index(self._index(name))
            self._tracks[name] = _Track(known.covered, time.time(), known.last)
            if known.covered > self._size(name):
                self._begin_anew(name)

    def mark_run(self, name: str) -> int:
        """A run begins: remember, and return, where in the log. Raises OSError when the folder cannot be made."""
        if not os.path.isdir(self.folder):  # noqa: PTH112 - at every start of a service
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.track(name)
        self._note(name, time.time())
        track = self._tracks[name]
        track.run = track.size
        track.last = max(track.last, time.time())
        if track.size:  # the beginning of an empty log goes without saying
            self._append(name, -track.last, track.size)
        return track.size

    def run_offset(self, name: str) -> int:
        """Where the latest run begins in the log as it is now; another process may have started it."""
        track = self._tracks.get(name)
        run = track.run if track else None
        if run is None:
            run = Index(self._index(name)).run_offset()
            if track:
                track.run = run
        return run if run <= self._size(name) else 0

    def tail(self, name: str, n: int, colour: bool = False) -> list[str]:
        """Its last ``n`` lines."""
        return [line.text for line in self.read([name], n=n, colour=colour)]

    def words(self, name: str, since_offset: int = 0, n: int = 10) -> tuple[str, ...]:
        """The last ``n`` lines that say something, from ``since_offset`` on, plain and at most 500 characters each."""
        part = segments(self.folder, name)[-1]
        part.start = since_offset if since_offset <= part.end else 0
        found: list[str] = []
        for _, raw in part.backwards():
            if len(found) >= n:
                break
            if text := plain(raw).strip():
                found.append(text[:_WORDS_WIDTH])
        return tuple(reversed(found))

    def read(
        self, names: Iterable[str], n: int | None = None, since: float | None = None,
        grep: str | re.Pattern[str] | None = None, colour: bool = False,
    ) -> Iterator[Line]:  # fmt: skip
        """Lines of many services by time: all, or the last ``n``; written at ``since`` (epoch seconds) or later;
        matching ``grep``."""
        parts = {name: segments(self.folder, name) for name in names}
        return Reader(self.folder, since, grep, colour).read(parts, n)

    def follow(
        self, names: Iterable[str], n: int | None = 10, since: float | None = None,
        grep: str | re.Pattern[str] | None = None, colour: bool = False,
    ) -> Follow:  # fmt: skip
        """The last ``n`` lines, then what comes, as it comes, whatever becomes of the files. Iterate over it."""
        return Follow(self.folder, list(names), n, since, grep, colour)

    def tick(self, now: float | None = None) -> list[str]:
        """Note when which log grew; to be called a few times a second. Returns the names that have outgrown MAX_BYTES,
        each as soon as it is CALM or, in a storm, LARGEST.

        What was quiet for 5 s is looked at every eighth time. Never raises for a full disk.
        """
        now = time.time() if now is None else now
        self._turn += 1
        large = []
        for number, (name, track) in enumerate(self._tracks.items()):
            if now - track.grew < _QUIET or (number + self._turn) % _ROUNDS == 0:
                before = track.size
                self._note(name, now)
                if track.size > MAX_BYTES and (track.size - before <= CALM or track.size > self._largest()):
                    large.append(name)
        return large

    def _largest(self) -> int:
        try:
            disk = os.statvfs(self.folder)
        except OSError:
            return LARGEST
        return min(LARGEST, disk.f_bavail * disk.f_frsize // 20)

    def _note(self, name: str, now: float) -> None:
        track = self._tracks[name]
        try:
            facts = os.stat(self._file(name))  # noqa: PTH116 - a thousand times a second
        except OSError:
            return
        if facts.st_size > track.size:
            track.grew, track.last = now, max(track.last, min(now, facts.st_mtime))
            self._append(name, track.last, facts.st_size)
        elif facts.st_size < track.size:
            self._begin_anew(name)
        track.size = facts.st_size

    def _begin_anew(self, name: str) -> None:
        """Somebody emptied the log: what the index says of it is void."""
        track = self._tracks[name]
        track.size = track.run = 0
        try:
            os.truncate(self._index(name), 0)
        except OSError:
            return

    def _append(self, name: str, when: float, offset: int) -> None:
        try:
            index.append(self._index(name), when, offset)
        except OSError:
            return  # a full disk costs the time of some lines, nothing else

    def _size(self, name: str) -> int:
        try:
            return os.stat(self._file(name)).st_size  # noqa: PTH116 - asked often
        except OSError:
            return 0

    def _file(self, name: str) -> str:
        return f"{self.folder}/{name}.log"

    def _index(self, name: str, number: int = 0) -> str:
        return f"{self.folder}/{name}.idx" + (f".{number}" if number else "")

    def rotate(self, name: str, max_bytes: int = MAX_BYTES, keep: int = 1) -> bool:
        """Put a log longer than ``max_bytes`` aside as NAME.log.1 and empty it, while the service writes on.

        ``keep`` such files stay, each with the last four times ``max_bytes`` at most. False when nothing was done, as
        on a full disk. Takes about 10 ms for 20 MB and may be called from another thread. What is written in the
        microsecond between the last copy and the cut is lost: no system call does both.
        """
        if self._size(name) <= max_bytes:
            return False
        self.track(name)
        try:
            self._rotate(name, max_bytes, keep)
            return True
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                return False
        try:  # what is aside already goes first
            Path(f"{self.path(name)}.1").unlink()
            self._rotate(name, max_bytes, keep)
            return True
        except OSError:
            return False

    def _rotate(self, name: str, max_bytes: int, keep: int) -> None:
        for number in range(keep - 1, 0, -1):
            for path in (self._file(name), self._index(name)):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{path}.{number}").replace(f"{path}.{number + 1}")
        source = os.open(self.path(name), os.O_RDWR | os.O_CLOEXEC)
        try:
            if keep:
                self._put_aside(name, source, max_bytes)
            else:
                os.ftruncate(source, 0)
        finally:
            os.close(source)
        self._begin_anew(name)

    def _put_aside(self, name: str, source: int, max_bytes: int) -> None:
        self._note(name, time.time())
        start = _line_start(source, os.fstat(source).st_size - _MOST * max_bytes)
        temporary = Path(f"{self.path(name)}.new")
        target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            end = _copy(source, target, start)
            _write(f"{self._index(name)}.1", Index(self._index(name)).shifted(start))
            halves = _HALVES
            while (longer := _copy(source, target, end)) != end or (halves and not _is_whole(source, end)):
                halves -= longer == end
                end = longer
            os.ftruncate(source, 0)
            temporary.replace(f"{self.path(name)}.1")
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(target)


def _copy(source: int, target: int, start: int) -> int:
    """Append everything from ``start`` on to ``target``; returns where it ended."""
    os.lseek(source, start, os.SEEK_SET)
    while block := os.read(source, 1 << 18):
        view = memoryview(block)
        while view:
            view = view[os.write(target, view) :]
        start += len(block)
    return start


def _is_whole(source: int, end: int) -> bool:
    """Whether a line ends there. A write that crosses into another page is seen by halves for a moment (ext4): its
    second half would be cut off. Waits for it a little."""
    if not end or os.pread(source, 1, end - 1) == b"\n":
        return True
    time.sleep(0.001)
    return False


def _line_start(source: int, offset: int) -> int:
    """The first beginning of a line at or after ``offset``, if one is near."""
    if offset <= 0:
        return 0
    newline = os.pread(source, 1 << 16, offset - 1).find(b"\n")
    return offset + newline if newline >= 0 else offset


def _write(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)
    Path(path).chmod(0o600)
