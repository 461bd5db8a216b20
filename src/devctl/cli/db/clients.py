"""Who is connected to a database: services of this workspace, which come back by themselves, or somebody else."""

from __future__ import annotations

import os
from collections.abc import Sequence

from devctl.cli.db.place import Target
from devctl.cli.db.reach import publisher
from devctl.safety.postgres import Session


def others(target: Target, sessions: Sequence[Session]) -> list[str]:
    """Those that no service of this workspace holds, in words. Who can't be seen is somebody else."""
    foreign = [each for each in sessions if not (each.application == "devctl" and _self(each))]
    if not foreign:
        return []
    inside, gateways = _stack(target)
    left = [each for each in foreign if each.address not in inside and not _is_ours(target, each)]
    through = [each for each in left if each.address in gateways]
    if through and not (callers := _callers(target)):
        left = [each for each in left if each not in through]
    elif through:
        return [*(words(each) for each in left if each not in through), *callers]
    return [words(each) for each in left]


def words(session: Session) -> str:
    """A session as a person would know it again."""
    name = session.application or "a client"
    where = f" from {session.address}" if session.address else " by the local socket"
    return f"{name} (user {session.user}{where})"


def _self(session: Session) -> bool:
    """Our own second connection of this very process."""
    return session.port != 0 and _pids(session.port) == {os.getpid()}


def _is_ours(target: Target, session: Session) -> bool:
    """A connection of this machine has the same port at its other end: whoever holds that one is the client."""
    if session.address not in {"127.0.0.1", "::1"}:
        return False
    pids = _pids(session.port)
    return bool(pids) and all(_marked(target, pid) for pid in pids)


def _pids(port: int) -> set[int]:
    from devctl.ports import listeners

    held = listeners.held([port]).get(port)
    return set(held.pids) if held else set()


def _marked(target: Target, pid: int) -> bool:
    from devctl.ports import processes
    from devctl.ports.policy import split_mark

    facts = processes.here().facts(pid)
    mark = split_mark(facts.mark) if facts else None
    return mark is not None and mark[0] == target.place.workspace.id


def _stack(target: Target) -> tuple[set[str], set[str]]:
    """(the addresses of the stack's containers, the addresses under which this machine is seen by the server's
    container)."""
    compose = target.place.manifest.compose
    if publisher(target) is None or compose is None:
        return set(), set()
    from devctl.cli.engine import ask_engine
    from devctl.runtimes.engine import Engine

    endpoint = ask_engine(target.place.environment).endpoint
    return Engine(endpoint).addresses(compose.project) if endpoint else (set(), set())


def _callers(target: Target) -> list[str]:
    """Processes of this machine that are connected to the published port and are no service of this workspace: behind
    the engine's proxy they can't be told apart."""
    import psutil

    from devctl.ports import processes

    port, found = target.url.server.port, []
    for each in psutil.net_connections("tcp"):
        if not each.raddr or each.raddr.port != port or each.status != psutil.CONN_ESTABLISHED or not each.pid:
            continue
        facts = processes.here().facts(each.pid)
        if facts is None or each.pid == os.getpid() or _marked(target, each.pid) or _is_proxy(facts.name):
            continue
        found.append(f"{facts.name} (pid {each.pid})")
    return found


def _is_proxy(name: str) -> bool:
    from devctl.ports.policy import is_proxy

    return is_proxy(name)
