"""Ends the processes that hold a port: looks again, signals, waits, escalates."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable

from devctl.errors import DevctlError, Exit
from devctl.ports import processes
from devctl.ports.listeners import Held
from devctl.ports.policy import Process, describe
from devctl.ports.processes import Entry

KILL_PATIENCE = 5.0
"""Seconds a killed process may take to be gone."""


def end(process: Process, port: int, held: Callable[[], Held | None], grace: float) -> None:
    """End ``process`` and whoever shares its socket. Returns once none of them holds the port any more.

    ``held`` looks who does. Raises DevctlError (exit 3): it changed, it may not be signalled, it would not die.
    """
    victims = _victims(process, held())
    if not victims:
        raise _failed(port, process, "it does not hold the port any more", f"devctl ports --free {port}")
    try:
        _signal(victims, signal.SIGTERM)
        if wait(lambda: not _holding(victims, held()), grace):
            return
        if _holding(victims, held()):
            _signal(victims, signal.SIGKILL)
    except PermissionError as error:
        raise _failed(port, process, "it may not be signalled", f"sudo kill {process.pid}") from error
    if not wait(lambda: not _holding(victims, held()), KILL_PATIENCE):
        raise _failed(port, process, "it outlived even SIGKILL", f"look at it: ps -fp {process.pid}")


def wait(condition: Callable[[], bool], timeout: float) -> bool:
    """Whether ``condition`` came true within ``timeout`` seconds."""
    deadline, pause = time.monotonic() + timeout, 0.005
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return True


def _victims(process: Process, held: Held | None) -> list[Entry]:
    """``process``, if it still is that very process and holds the port; those of the same user who share the socket;
    and the runners they were started by."""
    table = {entry.pid: entry for entry in processes.here().entries() if not entry.dead}
    main = table.get(process.pid)
    if held is None or main is None or main.start != process.start or main.pid not in held.pids:
        return []
    sharers = [entry for pid in held.sharing(main.pid) if (entry := table.get(pid)) and _same_user(pid, process.user)]
    runners = [entry for each in sharers for entry in _runners(each, table) if _same_user(entry.pid, process.user)]
    found = {entry.pid: entry for entry in (*sharers, *runners)}
    for pid in processes.spared():
        found.pop(pid, None)
    return list(found.values())


def _same_user(pid: int, user: str) -> bool:
    facts = processes.here().facts(pid)
    return facts is not None and facts.user == user


def _runners(entry: Entry, table: dict[int, Entry]) -> list[Entry]:
    """The processes above it in its own group that have no other child: npm and its shell, never a script that has
    started several things."""
    children: dict[int, int] = {}
    for each in table.values():
        children[each.parent] = children.get(each.parent, 0) + 1
    found: list[Entry] = []
    above = table.get(entry.parent)
    while above and above.group == entry.group and children.get(above.pid) == 1 and above.pid > 1:
        found.append(above)
        above = table.get(above.parent)
    return found


def _signal(victims: Iterable[Entry], number: int) -> None:
    """Those that lead a group first, with their whole group at once: a runner would start anew what ends before it.
    What is stopped is made to run on, or SIGTERM would not reach it."""
    leaders_first = sorted(victims, key=lambda entry: entry.pid != entry.group)
    for each in (number,) if number == signal.SIGKILL else (number, signal.SIGCONT):
        reached: set[int] = set()
        for entry in leaders_first:
            if entry.group not in reached and _send(entry, each):
                reached.add(entry.group)


def _send(entry: Entry, number: int) -> bool:
    """Signal that very process or nobody; whether its whole group got the signal too."""
    if entry.pid in processes.spared():
        return False
    try:
        handle = os.pidfd_open(entry.pid) if hasattr(os, "pidfd_open") else -1
    except OSError:
        handle = -1
    try:
        present = processes.here().entry(entry.pid)
        if present is None or present.start != entry.start or present.dead:
            return False
        return _deliver(present, handle, number)
    except ProcessLookupError:
        return False
    finally:
        if handle >= 0:
            os.close(handle)


def _deliver(entry: Entry, handle: int, number: int) -> bool:
    whole = entry.group == entry.pid and _group_is_ours_to_end(entry)
    if whole:
        os.killpg(entry.group, number)
    elif handle >= 0:
        signal.pidfd_send_signal(handle, number)
    else:
        os.kill(entry.pid, number)
    return whole


def _group_is_ours_to_end(leader: Entry) -> bool:
    """No ancestor of ours may be in it, and nobody else's process. Who ends while we look is nobody any more."""
    members = [entry.pid for entry in processes.here().entries() if entry.group == leader.group]
    users = {facts.user for pid in (leader.pid, *members) if (facts := processes.here().facts(pid))}
    return len(users) == 1 and not processes.spared().intersection(members)


def _holding(victims: Iterable[Entry], held: Held | None) -> bool:
    """Whether one of them still has the port."""
    pids = set(held.pids) if held else set()
    for entry in victims:
        present = processes.here().entry(entry.pid)
        if entry.pid in pids and present is not None and present.start == entry.start:
            return True
    return False


def _failed(port: int, process: Process, why: str, hint: str) -> DevctlError:
    return DevctlError(f"port {port} is held by {describe(process)}", why=why, hint=hint, code=Exit.PRECONDITION)
