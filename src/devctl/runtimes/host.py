"""What differs between Linux and macOS about processes: who they are, which exist, when they end.

Linux answers from /proc (``proc(5)``), pidfds and ``prctl``; macOS from psutil, sysctl and kqueue.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import resource
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from devctl.core.state import ProcessIdentity

if TYPE_CHECKING:
    import psutil

MARK = "DEVCTL_SERVICE"
"""The environment variable every process of a service inherits: ``<workspace>/<service>/<run>``."""

MACOS = sys.platform == "darwin"
_PR_SET_CHILD_SUBREAPER = 36
_MARK_BYTES = MARK.encode() + b"="

Key = tuple[int, int]
"""A pid and its start: what tells a process from a later one with the same pid."""


class Process(NamedTuple):
    """One process as a scan saw it. ``start`` as in ProcessIdentity, ``cpu`` in seconds so far, ``rss`` in bytes."""

    pid: int
    parent: int
    group: int
    session: int
    start: int
    state: str
    cpu: float
    rss: int

    @property
    def key(self) -> Key:
        return self.pid, self.start

    @property
    def dead(self) -> bool:
        """A zombie (or one being taken away) runs nothing any more."""
        return self.state in "ZXx"


class Host(Protocol):
    """The facts of one operating system."""

    def boot_id(self) -> str:
        """Something another boot of this machine does not have, "" when unknown."""

    def process(self, pid: int) -> Process | None:
        """One process, None when there is none."""

    def processes(self) -> Iterable[Process]:
        """Every process that can be seen, zombies too."""

    def mark(self, pid: int) -> str | None:
        """The value of MARK in the environment of ``pid``: "" when it has none, None when it cannot be read (now)."""

    def environment(self, pid: int) -> dict[str, str]:
        """Its environment as it was started with, {} when it cannot be read."""

    def command(self, pid: int) -> str:
        """Its command line, shortened; "" when gone."""


class Linux:
    """Linux, through /proc."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._tick = 1 / os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")

    def boot_id(self) -> str:
        return _read(f"{self._proc}/sys/kernel/random/boot_id").decode("ascii", "replace").strip()

    def process(self, pid: int) -> Process | None:
        text = _read(f"{self._proc}/{pid}/stat")
        return self._parse(pid, text) if text else None

    def processes(self) -> Iterable[Process]:
        for name in os.listdir(self._proc):  # noqa: PTH208 - thousands of names, often
            if name.isdigit() and (found := self.process(int(name))):
                yield found

    def mark(self, pid: int) -> str | None:
        return mark_in(_read(f"{self._proc}/{pid}/environ", whole=True))

    def environment(self, pid: int) -> dict[str, str]:
        block = os.fsdecode(_read(f"{self._proc}/{pid}/environ", whole=True))
        return {key: value for key, equals, value in (line.partition("=") for line in block.split("\0")) if equals}

    def command(self, pid: int) -> str:
        words = _read(f"{self._proc}/{pid}/cmdline").replace(b"\0", b" ")
        return words.decode("utf-8", "replace").strip()[:200]

    def _parse(self, pid: int, text: bytes) -> Process:
        part = text[text.rindex(b")") + 2 :].split(None, 22)
        return Process(
            pid, int(part[1]), int(part[2]), int(part[3]), int(part[19]), chr(part[0][0]),
            (int(part[11]) + int(part[12])) * self._tick, int(part[21]) * self._page,
        )  # fmt: skip


class Macos:
    """macOS, through psutil. The environment of restricted binaries is hidden there: the session has to do."""

    def boot_id(self) -> str:
        return _sysctl("kern.bootsessionuuid")

    def process(self, pid: int) -> Process | None:
        import psutil

        try:
            return self._facts(psutil.Process(pid))
        except (psutil.NoSuchProcess, ProcessLookupError):
            return None

    def processes(self) -> Iterable[Process]:
        import psutil

        for entry in psutil.process_iter():
            try:
                yield self._facts(entry)
            except (psutil.Error, ProcessLookupError, PermissionError):
                continue

    def mark(self, pid: int) -> str | None:
        import psutil

        try:
            return psutil.Process(pid).environ().get(MARK, "")
        except (psutil.Error, OSError):
            return None

    def environment(self, pid: int) -> dict[str, str]:
        import psutil

        try:
            return psutil.Process(pid).environ()
        except (psutil.Error, OSError):
            return {}

    def command(self, pid: int) -> str:
        import psutil

        try:
            return " ".join(psutil.Process(pid).cmdline())[:200]
        except (psutil.Error, OSError):
            return ""

    @staticmethod
    def _facts(entry: psutil.Process) -> Process:
        import psutil

        state = {psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_STOPPED: "T"}.get(entry.status(), "S")
        cpu, rss = 0.0, 0
        try:
            times = entry.cpu_times()
            cpu, rss = times.user + times.system, entry.memory_info().rss
        except psutil.Error:
            pass  # another user's process: not ours to count
        start = round(entry.create_time() * 1e6)
        return Process(entry.pid, entry.ppid(), os.getpgid(entry.pid), os.getsid(entry.pid), start, state, cpu, rss)


def mark_in(environ: bytes) -> str | None:
    """The mark in a NUL-separated environment block; None for an empty block (a zombie, or one just being replaced)."""
    if not environ:
        return None
    at = 0 if environ.startswith(_MARK_BYTES) else environ.find(b"\0" + _MARK_BYTES) + 1
    if at == 0 and not environ.startswith(_MARK_BYTES):
        return ""
    return environ[at + len(_MARK_BYTES) :].split(b"\0", 1)[0].decode("utf-8", "replace")


def _read(path: str, whole: bool = False) -> bytes:
    """The content, b"" when the process is gone or not to be looked into. Raises OSError when nothing can be known."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.read(handle, 4096 if not whole else 1 << 16)
            while whole and (more := os.read(handle, 1 << 16)):
                data += more
            return data
        finally:
            os.close(handle)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _sysctl(name: str) -> str:
    try:
        libc, size = ctypes.CDLL(None, use_errno=True), ctypes.c_size_t(256)
        buffer = ctypes.create_string_buffer(size.value)
        failed = libc.sysctlbyname(name.encode(), buffer, ctypes.byref(size), None, 0)
    except (OSError, AttributeError):
        return ""
    return "" if failed else buffer.value.decode("ascii", "replace")


@functools.cache
def here() -> Host:
    """This machine."""
    return Macos() if MACOS else Linux()


@functools.cache
def boot_id() -> str:
    """This boot of this machine."""
    return here().boot_id()


def identity(pid: int) -> ProcessIdentity:
    """Who ``pid`` is now (a zombie too). Raises ProcessLookupError when there is no such process."""
    found = here().process(pid)
    if found is None:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    return ProcessIdentity(pid=pid, start=found.start, boot=boot_id())


def alive(who: ProcessIdentity) -> bool:
    """Whether that very process still runs: same boot, same start, not a zombie."""
    if who.pid <= 1 or (who.boot and boot_id() and who.boot != boot_id()):
        return False
    found = here().process(who.pid)
    return found is not None and found.start == who.start and not found.dead


def protected() -> frozenset[int]:
    """Pids that are never signalled: 0, init, this process and its ancestors."""
    found, pid = {0, 1}, os.getpid()
    while pid > 1 and pid not in found:
        found.add(pid)
        pid = entry.parent if (entry := here().process(pid)) else 0
    return frozenset(found)


@functools.cache
def raise_open_files(wanted: int = 65536) -> int:
    """Let this process open as many files as it may (one for each watched process); returns the limit before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    aim = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if MACOS or soft == resource.RLIM_INFINITY or soft >= aim:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (aim, hard))
    return soft


def restore_open_files(pid: int) -> None:
    """Give a child the limit the user had: some programs walk through every descriptor they might have."""
    before = raise_open_files()
    if not MACOS:
        with contextlib.suppress(OSError):
            hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (before, hard))


def become_subreaper() -> bool:
    """Let orphans of our services become our children (Linux, prctl(2)); False where that does not exist."""
    if MACOS:
        return False
    with contextlib.suppress(OSError, AttributeError):
        return not ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return False


def endless() -> int:
    """A descriptor of a pipe of its own, open for reading and writing at once. Raises OSError."""
    if MACOS:
        return _endless_fifo()
    reader, writer = os.pipe()
    os.close(writer)
    try:
        return os.open(f"/proc/self/fd/{reader}", os.O_RDWR | os.O_CLOEXEC)
    finally:
        os.close(reader)


def _endless_fifo() -> int:
    import tempfile  # 3 ms, and this is for a Mac

    name = Path(tempfile.gettempdir()) / f"devctl-{os.getpid()}-{os.urandom(8).hex()}"
    os.mkfifo(name, 0o600)
    try:
        return os.open(name, os.O_RDWR | os.O_CLOEXEC)
    finally:
        name.unlink()
