"""A service's whole tree: finding its members, and ending them without hitting anybody else.

A member is in the leader's session or group, carries the service's mark in its environment, or descends from one that
does. A member once seen is remembered by pid and start, so that one that changes its session or clears its environment
afterwards is still known.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec

from devctl.runtimes import host, signals
from devctl.runtimes.exits import Exits
from devctl.runtimes.host import Key, Process

KILL_PATIENCE = 5.0
"""Seconds something may take to die of SIGKILL before it is reported."""

_GAP, _MAX_GAP = 0.01, 0.25
_BLIND = 0.2


class Scan:
    """All processes of one moment and the mark of each ("" for none), its own or inherited."""

    def __init__(self, processes: dict[int, Process], marks: dict[int, str]) -> None:
        self.processes, self.marks = processes, marks
        self.spared = host.protected()
        self._index: dict[tuple[str, int | str], list[Process]] = defaultdict(list)
        for entry in processes.values():
            if not entry.dead and entry.pid not in self.spared:
                self._index["session", entry.session].append(entry)
                self._index["group", entry.group].append(entry)
                if mark := marks[entry.pid]:
                    self._index["owner", owner_of(mark)].append(entry)

    def find(self, kind: str, value: int | str) -> list[Process]:
        """The living of that ``session``, ``group`` or ``owner``, but for init, this process and its ancestors."""
        return self._index.get((kind, value), [])


def owner_of(mark: str) -> str:
    """``<workspace>/<service>/`` of a mark."""
    return mark.rpartition("/")[0] + "/"


class Scanner:
    """Looks at all processes; those who ask at the same time share one look."""

    def __init__(self, on_scan: Callable[[Scan], object] = id) -> None:
        self._on_scan = on_scan
        self._marks: dict[Key, str] = {}
        self._waiting: list[asyncio.Future[Scan]] = []
        self._next = 0.0

    def remember(self, who: Key, mark: str) -> None:
        """Whose ``who`` is, whatever its environment says later."""
        self._marks[who] = mark

    def scan(self) -> Scan:
        """Look now. About 12 µs of CPU for each process of the machine."""
        processes = {entry.pid: entry for entry in host.here().processes()}
        marks = {pid: self._mark(entry) for pid, entry in processes.items()}
        _inherit(processes, marks)
        self._marks = {processes[pid].key: mark for pid, mark in marks.items() if mark is not None}
        scan = Scan(processes, {pid: mark or "" for pid, mark in marks.items()})
        self._on_scan(scan)
        return scan

    def _mark(self, entry: Process) -> str | None:
        known = self._marks.get(entry.key)
        return known if known is not None or entry.dead else host.here().mark(entry.pid)

    async def fresh(self) -> Scan:
        """A look that began after this call, shared with all who ask before it begins.

        The pause between two looks is at least 10 ms and grows with what a look costs.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Scan] = loop.create_future()
        self._waiting.append(future)
        if len(self._waiting) == 1:
            loop.call_later(max(0.0, self._next - time.monotonic()), self._serve)
        return await future

    def _serve(self) -> None:
        waiting, self._waiting = self._waiting, []
        began = time.monotonic()
        try:
            scan = self.scan()
        except OSError as error:
            for future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        now = time.monotonic()
        self._next = now + min(_MAX_GAP, max(_GAP, 2 * (now - began)))
        for future in waiting:
            if not future.done():
                future.set_result(scan)


def _inherit(processes: dict[int, Process], marks: dict[int, str | None]) -> None:
    """Give each process without a mark that of its session's leader or its parent, never this process's own."""
    me, done = os.getpid(), set[int]()

    def resolve(pid: int) -> str | None:
        if pid == me or pid <= 1 or pid not in processes:
            return None
        if not marks[pid] and pid not in done:
            done.add(pid)
            entry = processes[pid]
            marks[pid] = resolve(entry.session) or resolve(entry.parent) or marks[pid]
        return marks[pid]

    for pid in processes:
        resolve(pid)


class Tree(msgspec.Struct):
    """Which processes belong to a service.

    ``owner`` is ``<workspace>/<service>/``, what their marks begin with. ``leader`` is None when there is none left.
    ``watched``: the leader was seen alive by us until it ended, so its session is still its own.
    """

    owner: str
    leader: Key | None = None
    watched: bool = False
    seen: set[Key] = set()

    def members(self, scan: Scan) -> list[Process]:
        """Those that live, except what is never to be touched: init, this process and its ancestors."""
        number = self._session(scan)
        found = {entry.key: entry for entry in scan.find("owner", self.owner)}
        if number > 1:
            found.update((entry.key, entry) for kind in ("session", "group") for entry in scan.find(kind, number))
        for pid, start in self.seen:
            entry = scan.processes.get(pid)
            if entry is not None and entry.start == start and not entry.dead and pid not in scan.spared:
                found[entry.key] = entry
        self.seen = set(found)
        return list(found.values())

    def _session(self, scan: Scan) -> int:
        """The leader's pid while session and group of that number are its own, else -1."""
        if self.leader is None:
            return -1
        present = scan.processes.get(self.leader[0])
        if present is None:
            return self.leader[0] if self.watched else -1
        return self.leader[0] if present.start == self.leader[1] else -1


class Ended(msgspec.Struct, frozen=True):
    """What ending a tree came to: how many there were at the first look, and what would not die."""

    found: int
    survivors: tuple[Process, ...] = ()


class Undertaker:
    """Ends trees: signal, wait until nothing is left, escalate."""

    def __init__(self, scanner: Scanner, exits: Exits) -> None:
        self._scanner, self._exits = scanner, exits

    async def end(self, tree: Tree, number: int, grace: float) -> Ended:
        """Send ``number`` once to each member and, after ``grace`` seconds, SIGKILL to what is left."""
        begun = time.monotonic()
        told: set[Key] = set()
        count, pause = -1, 0.1
        while members := await self._look(tree, begun + grace + KILL_PATIENCE):
            count = len(members) if count < 0 else count
            waited = time.monotonic() - begun
            if waited >= grace + KILL_PATIENCE:
                return Ended(count, tuple(members))
            if waited >= grace:
                tell(tree, members, signal.SIGKILL)
            else:
                tell(tree, [member for member in members if member.key not in told], number)
                told.update(member.key for member in members)
            limit = grace - waited if waited < grace else grace + KILL_PATIENCE - waited
            await self._gone(members, min(pause, max(0.001, limit)))
            pause = min(1.0, pause * 2)
        return Ended(max(0, count))

    async def _look(self, tree: Tree, until: float) -> list[Process]:
        """Who is there. What cannot be known now (no descriptor is left) is looked at again, not taken for nobody."""
        while True:
            try:
                return tree.members(await self._scanner.fresh())
            except OSError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(_BLIND)

    async def _gone(self, members: Iterable[Process], timeout: float) -> None:
        """Wait until all of these have ended, at most ``timeout`` seconds."""
        left = {member.key for member in members}
        done = asyncio.get_running_loop().create_future()

        def ended(who: Key) -> None:
            left.discard(who)
            if not left and not done.done():
                done.set_result(None)

        cancels = [self._exits.watch(who, lambda who=who: ended(who)) for who in tuple(left)]  # type: ignore[misc]
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await done
        finally:
            for cancel in cancels:
                cancel()


def tell(tree: Tree, members: Iterable[Process], number: int) -> None:
    """Signal these members: those of the leader's group at one stroke, the others one by one, each looked at again
    right before. What is stopped is made to run on, or the signal would not reach it."""
    wanted = list(members)
    leader = tree.leader
    grouped = leader is not None and any(member.group == leader[0] for member in wanted)
    numbers = (number,) if number == signal.SIGKILL else (number, signal.SIGCONT)
    for each in numbers:
        reached = grouped and leader is not None and signals.send_group(leader, each)
        for member in wanted:
            if not (reached and leader is not None and member.group == leader[0]):
                _send(member.key, each)


def _send(who: Key, number: int) -> None:
    with contextlib.suppress(PermissionError):  # it stays a member and is named when it is still there in the end
        signals.send(who, number)
