"""Which sockets hold a port and which processes hold these, on Linux (/proc/net, ``proc(5)``) and macOS (lsof)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from devctl.command import CommandError, output
from devctl.ports import processes

LISTENING = "0A"
TIME_WAIT = "06"


class Socket(NamedTuple):
    """A TCP socket with a local port. ``inode`` tells it from others; ``user`` is the number of its owner."""

    port: int
    inode: int
    user: int
    listening: bool


class Held(NamedTuple):
    """Who has a port open: ``pids`` are all of them, () when they may not be seen.

    ``user`` owns the socket (None unknown). ``outgoing``: nobody listens, but a connection uses the port. ``shared``
    are the sockets that several of them have open together: a master's and its workers'. Who has another socket at the
    same port (one at 127.0.0.1, one at ::1) has nothing to do with them.
    """

    pids: tuple[int, ...]
    user: int | None
    outgoing: bool = False
    shared: tuple[tuple[int, ...], ...] = ()

    def sharing(self, pid: int) -> frozenset[int]:
        """``pid`` and those that share a socket with it."""
        return frozenset({pid}.union(*(pids for pids in self.shared if pid in pids)))


def _held(sockets: Iterable[Iterable[int]], user: int | None, outgoing: bool = False) -> Held:
    """From the processes that have each socket of a port open."""
    groups = [tuple(sorted(pids)) for pids in sockets]
    shared = tuple(pids for pids in groups if len(pids) > 1)
    return Held(tuple(sorted({pid for pids in groups for pid in pids})), user, outgoing, shared)


def held(ports: Iterable[int]) -> dict[int, Held]:
    """Who has these ports open; a port nobody has is missing. Costs 3 ms on Linux, where the system lets us look."""
    wanted = frozenset(ports)
    if not wanted:
        return {}
    return held_on_macos(wanted) if processes.MACOS else held_on_linux(wanted)


def held_on_linux(ports: frozenset[int], proc: str = "/proc") -> dict[int, Held]:
    """From the socket tables to inodes, and from these to the processes that have them open."""
    sockets = [entry for name in ("tcp", "tcp6") for entry in _table(f"{proc}/net/{name}") if entry.port in ports]
    listening = {entry.port for entry in sockets if entry.listening}
    telling = [entry for entry in sockets if entry.listening or entry.port not in listening]
    owners = _owners({entry.inode for entry in telling}, proc)
    found: dict[int, Held] = {}
    for port in {entry.port for entry in telling}:
        own = [entry for entry in telling if entry.port == port]
        pids = [owners.get(entry.inode, set()) for entry in own]
        found[port] = _held(pids, own[0].user, outgoing=not own[0].listening)
    return found


def _table(path: str) -> Iterable[Socket]:
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - one of two small files, read often
            lines = file.read().splitlines()[1:]
    except OSError:  # no IPv6
        return
    for line in lines:
        part = line.split(None, 10)
        if part[3] != TIME_WAIT and part[9] != "0":
            port = int(part[1].rpartition(":")[2], 16)
            yield Socket(port, int(part[9]), int(part[7]), listening=part[3] == LISTENING)


def _owners(inodes: set[int], proc: str) -> dict[int, set[int]]:
    """The processes that have each of these sockets open, as far as they may be looked into."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, set[int]] = {}
    for pid in filter(str.isdigit, os.listdir(proc) if wanted else ()):  # noqa: PTH208 - thousands of names
        for link in _links(f"{proc}/{pid}/fd"):
            if link in wanted:
                found.setdefault(wanted[link], set()).add(int(pid))
    return found


def _links(folder: str) -> Iterable[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - as above
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"{folder}/{name}")  # noqa: PTH115 - as above
        except OSError:
            continue


def held_on_macos(ports: frozenset[int]) -> dict[int, Held]:
    """lsof sees the user's own processes; psutil's system-wide question is refused there."""
    numbers = ",".join(str(port) for port in sorted(ports))
    try:
        answer = output(["lsof", "-nP", f"-iTCP:{numbers}", "-sTCP:LISTEN", "-F", "pudn"], timeout=10, check=False)
    except CommandError:
        return _held_by_psutil(ports)
    return read_lsof(answer.out, ports)


def read_lsof(text: str, ports: frozenset[int]) -> dict[int, Held]:
    """The answer of ``lsof -F pudn``: lines of a letter and a value. p begins a process and f one of its descriptors, d
    tells the socket from others, n is its address."""
    sockets: dict[int, dict[str, set[int]]] = {}
    users: dict[int, int] = {}
    pid, user, device = 0, 0, ""
    for line in text.splitlines():
        kind, value = line[:1], line[1:]
        if kind == "p":
            pid = int(value)
        elif kind == "u":
            user = int(value)
        elif kind == "f":
            device = f"{pid}/{value}"
        elif kind == "d":
            device = value
        elif kind == "n" and (match := re.search(r":(\d+)$", value)) and int(match[1]) in ports:
            sockets.setdefault(int(match[1]), {}).setdefault(device, set()).add(pid)
            users.setdefault(int(match[1]), user)
    return {port: _held(found.values(), users[port]) for port, found in sockets.items()}


def _held_by_psutil(ports: frozenset[int]) -> dict[int, Held]:
    """Process by process: slow (31 ms for 83 processes), but works where lsof is missing. Who shares is not told."""
    import psutil

    found: dict[int, Held] = {}
    for each in psutil.process_iter():
        try:
            connections = each.net_connections("tcp")
        except (psutil.Error, OSError):
            continue
        for one in connections:
            if one.status == psutil.CONN_LISTEN and one.laddr.port in ports:
                port = one.laddr.port
                pids = {each.pid, *(found[port].pids if port in found else ())}
                found[port] = Held(tuple(sorted(pids)), None)
    return found
