"""What ports need to know of processes, on Linux (``proc(5)``) and macOS (psutil)."""

from __future__ import annotations

import functools
import os
import pwd
import re
import sys
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from devctl.ports.policy import Process, command_words

MARK = "DEVCTL_SERVICE"
"""The environment variable every process of a service inherits: ``workspace/service/run``."""

MACOS = sys.platform == "darwin"

T = TypeVar("T")


class Entry(NamedTuple):
    """A process's place among the others. ``start`` as in policy.Process."""

    pid: int
    parent: int
    group: int
    start: int
    state: str

    @property
    def dead(self) -> bool:
        """A zombie holds no port any more."""
        return self.state in "ZXx"


class Table(Protocol):
    """The processes of one operating system."""

    def entry(self, pid: int) -> Entry | None:
        """One process, None when there is none."""

    def entries(self) -> Iterable[Entry]:
        """All of them."""

    def facts(self, pid: int) -> Process | None:
        """What people are told about it, None when it is gone."""


class Linux:
    """Through /proc."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc

    def entry(self, pid: int) -> Entry | None:
        text = self._read(pid, "stat")
        if b")" not in text:
            return None
        part = text[text.rindex(b")") + 2 :].split(None, 20)
        return Entry(pid, int(part[1]), int(part[2]), int(part[19]), chr(part[0][0]))

    def entries(self) -> Iterable[Entry]:
        for name in os.listdir(self._proc):  # noqa: PTH208 - thousands of names
            if name.isdigit() and (found := self.entry(int(name))):
                yield found

    def facts(self, pid: int) -> Process | None:
        entry = self.entry(pid)
        if entry is None:
            return None
        arguments = tuple(os.fsdecode(word) for word in self._read(pid, "cmdline").rstrip(b"\0").split(b"\0"))
        since = self._boot_time() + entry.start / os.sysconf("SC_CLK_TCK")
        unit, container = _control_group(self._read(pid, "cgroup").decode("utf-8", "replace"), self._own_container())
        return Process(
            pid=pid,
            start=entry.start,
            name=_name(arguments, self._read(pid, "comm").decode("utf-8", "replace").strip()),
            command=command_words(arguments),
            folder=shown_folder(self._folder(pid)),
            since=since,
            clock=clock_words(since),
            user=self._user(pid),
            mark=_mark(self._read(pid, "environ")),
            unit=unit,
            container=container,
        )

    def _read(self, pid: int | str, name: str) -> bytes:
        try:
            with open(f"{self._proc}/{pid}/{name}", "rb") as file:  # noqa: PTH123 - read often
                return file.read()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return b""

    def _folder(self, pid: int) -> str:
        try:
            return os.readlink(f"{self._proc}/{pid}/cwd")  # noqa: PTH115 - as it stands, deleted or not
        except OSError:
            return ""

    def _user(self, pid: int) -> str:
        """From ``status``: the owner of the folder is root's for a process that may not be traced."""
        found = re.search(rb"^Uid:\t(\d+)", self._read(pid, "status"), re.MULTILINE)
        return user_name(int(found[1])) if found else ""

    def _boot_time(self) -> int:
        with open(f"{self._proc}/stat", "rb") as file:  # noqa: PTH123 - as above
            found = re.search(rb"^btime (\d+)", file.read(), re.MULTILINE)
        return int(found[1]) if found else 0

    def _own_container(self) -> str:
        return _control_group(self._read("self", "cgroup").decode("utf-8", "replace"), "")[1]


class Macos:
    """Through psutil. The environment of restricted binaries is hidden there."""

    def entry(self, pid: int) -> Entry | None:
        import psutil

        try:
            found = psutil.Process(pid)
            state = "Z" if found.status() == psutil.STATUS_ZOMBIE else "S"
            return Entry(pid, found.ppid(), os.getpgid(pid), _start(found.create_time()), state)
        except (psutil.Error, OSError):
            return None

    def entries(self) -> Iterable[Entry]:
        import psutil

        return [entry for pid in psutil.pids() if (entry := self.entry(pid))]

    def facts(self, pid: int) -> Process | None:
        import psutil

        try:
            found = psutil.Process(pid)
            since, name = found.create_time(), found.name()
        except (psutil.Error, OSError):
            return None
        arguments = tuple(_told(found.cmdline) or ())
        return Process(
            pid=pid,
            start=_start(since),
            name=_name(arguments, name),
            command=command_words(arguments),
            folder=shown_folder(_told(found.cwd) or ""),
            since=since,
            clock=clock_words(since),
            user=_told(found.username) or "",
            mark=(_told(found.environ) or {}).get(MARK, ""),
        )


def _start(created: float) -> int:
    return round(created * 1e6)


def _told(question: Callable[[], T]) -> T | None:
    """The answer, None where the system does not give it: another user's process, or one that has just ended."""
    import psutil

    try:
        return question()
    except (psutil.Error, OSError):
        return None


@functools.cache
def here() -> Table:
    """This machine's processes."""
    return Macos() if MACOS else Linux()


def spared() -> frozenset[int]:
    """The pids that are never signalled: 0, 1, this process and its ancestors."""
    found, pid = {0, 1}, os.getpid()
    while pid > 1 and pid not in found:
        found.add(pid)
        entry = here().entry(pid)
        pid = entry.parent if entry else 0
    return frozenset(found)


def user_name(number: int) -> str:
    """The user's name, the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def clock_words(since: float) -> str:
    """A time for people: "09:12", and the day before it when that is not today."""
    then, now = time.localtime(since), time.localtime()
    same_day = (then.tm_year, then.tm_yday) == (now.tm_year, now.tm_yday)
    return time.strftime("%H:%M" if same_day else "%d %b %H:%M", then)


def shown_folder(path: str) -> str:
    """A folder as people write it: with ``~`` for home."""
    home = os.path.expanduser("~")  # noqa: PTH111 - unlike Path.home it never raises
    inside = len(home) > 1 and (path == home or path.startswith(home + "/"))
    return "~" + path[len(home) :] if inside else path


def _name(arguments: tuple[str, ...], otherwise: str) -> str:
    """The program's own name: threads rename themselves (node's first is "MainThread"), kernel names end after 15."""
    first = arguments[0].rsplit("/", 1)[-1] if arguments else ""
    plain = re.fullmatch(r"[\w.+-]+", first)
    return first if plain else otherwise


def _mark(environ: bytes) -> str:
    found = re.search(rb"(?:\A|\0)" + MARK.encode() + rb"=([^\0]*)", environ)
    return found[1].decode("utf-8", "replace") if found else ""


def _control_group(text: str, own_container: str) -> tuple[str, str]:
    """The system service and the container a process belongs to, from ``/proc/PID/cgroup``; "" for none.

    A container this process is in too says nothing: everything here is in it.
    """
    unit = re.search(r"/system\.slice/(?:.*/)?([^/\n]+\.service)", text)
    found = re.search(r"(?:/docker/|/docker-|/libpod-|/cri-containerd-|/lxc/)([0-9a-f]{64})", text)
    container = found[1] if found else ""
    return unit[1] if unit else "", container if container != own_container else ""
