"""Is a port free, who holds it, and the way to free it that looks twice before it kills."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from devctl.errors import DevctlError, Exit
from devctl.ports import ending, listeners, processes
from devctl.ports.free import is_free
from devctl.ports.policy import (
    Container,
    Devctl,
    Evict,
    Free,
    Here,
    Holder,
    Ours,
    Process,
    Refuse,
    Unknown,
    decide,
    describe,
    may_forward,
    split_mark,
)
from devctl.registry import known_workspaces

EngineLookup = Callable[[int], tuple[str, str, str] | None]
"""The container that publishes a port: its name, Compose project and service ("" for none)."""

StopContainer = Callable[[str], None]
"""Stops the container of this name. Raises DevctlError."""

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


def holders(ports: Iterable[int], *, engine_lookup: EngineLookup | None = None) -> dict[int, Holder | None]:
    """Who holds each of these TCP ports, None for nobody. ``engine_lookup`` is asked only where no plain process is
    found: about a container engine's own proxy, and about a port that answers though nobody can be seen."""
    wanted = tuple(dict.fromkeys(ports))
    found = listeners.held(wanted)
    return {port: _holder(port, found.get(port), engine_lookup) for port in wanted}


def _holder(port: int, held: listeners.Held | None, engine_lookup: EngineLookup | None) -> Holder | None:
    process = _main_process(held) if held else None
    if process and not may_forward(process.name):
        return _named(process)
    if held is None and is_free(port):  # else it is bound and not listening, or an engine forwards it
        return None
    container = engine_lookup(port) if engine_lookup else None
    if container:
        return Container(name=container[0], project=container[1], service=container[2])
    if process:
        return _named(process)
    return Unknown(user=processes.user_name(held.user) if held and held.user is not None else "")


def _main_process(held: listeners.Held) -> Process | None:
    """Of several that share a socket (a master and its workers), the one the others come from, or the oldest."""
    entries = [entry for pid in held.pids if (entry := processes.here().entry(pid)) and not entry.dead]
    if not entries:
        return None
    pids = {entry.pid for entry in entries}
    tops = [entry for entry in entries if entry.parent not in pids] or entries
    facts = processes.here().facts(min(tops, key=lambda entry: (entry.start, entry.pid)).pid)
    if facts is None or not held.outgoing:
        return facts
    import msgspec

    return msgspec.structs.replace(facts, outgoing=True)


def _named(process: Process) -> Holder:
    """A process with devctl's mark is a service of some workspace."""
    mark = split_mark(process.mark)
    if mark is None:
        return process
    workspace = known_workspaces().get(mark[0])
    return Devctl(
        workspace=mark[0],
        service=mark[1],
        process=process,
        name=workspace.name if workspace else "",
        root=processes.shown_folder(str(workspace.root)) if workspace else "",
        supervised=workspace is not None and workspace.holder() is not None,
    )


def here(workspace: str) -> Here:
    """Where decisions are made: the workspace with this id ("" for none), this user, this process."""
    return Here(workspace=workspace, user=processes.user_name(os.getuid()), spared=processes.spared())


def free(
    holder: Holder,
    port: int,
    *,
    workspace: str = "",
    engine_lookup: EngineLookup | None = None,
    stop_container: StopContainer | None = None,
    grace: float = GRACE,
) -> str:
    """Make ``holder`` let go of ``port``, and say in one sentence what was done.

    ``holder`` is who was shown to the user; it is looked at again right before anything is done, and only it and those
    who share its socket are touched. A process gets SIGTERM, with the runner that started it (npm) and its group if
    one of them leads it, and SIGKILL after ``grace`` seconds. Blocks. Raises DevctlError (exit 3) when the holder is
    another by now or may not be ended.
    """
    present = holders([port], engine_lookup=engine_lookup)[port]
    if present is not None and _who(present) != _who(holder):
        told = f"it was {describe(holder)}; now it is {describe(present)}"
        raise _refused(port, "is held by somebody else by now", told, f"devctl ports --free {port}")
    match decide(port, present, here(workspace)):
        case Free():
            return f"port {port} is free already"
        case Ours(service=service):
            raise _refused(port, f"is held by this workspace's own {service}", "", f"devctl down {service}")
        case Refuse(reason=reason, hint=hint):
            raise _refused(port, f"is held by {describe(present)}", reason, hint)
        case Evict(holder=Container() as container):
            _stop(container, port, stop_container)
        case Evict(holder=Devctl(process=process) | (Process() as process)):
            ending.end(process, port, lambda: listeners.held([port]).get(port), grace)
    return _freed(port, holder, engine_lookup)


def _who(holder: Holder) -> object:
    """What must be the same for it to be the same holder."""
    match holder:
        case Process():
            return holder.pid, holder.start
        case Devctl():
            return holder.process.pid, holder.process.start
        case _:
            return holder


def _stop(container: Container, port: int, stop_container: StopContainer | None) -> None:
    if stop_container is None:
        raise _refused(port, f"is held by {describe(container)}", "", f"docker stop {container.name}")
    stop_container(container.name)


def _freed(port: int, holder: Holder, engine_lookup: EngineLookup | None) -> str:
    if ending.wait(lambda: is_free(port), 2.0):
        done = "stopped" if isinstance(holder, Container) else "ended"
        return f"port {port} is free: {describe(holder)} was {done}"
    left = holders([port], engine_lookup=engine_lookup)[port]
    if left is None:
        why = f"{describe(holder)} is gone, but its connections are still being closed"
        raise _refused(port, "is not free yet", why, "try again in a minute")
    why = f"{describe(holder)} is gone, and now {describe(left)} holds it"
    raise _refused(port, "is held again", why, f"devctl ports --free {port}")


def _refused(port: int, what: str, why: str, hint: str) -> DevctlError:
    return DevctlError(f"port {port} {what}", why=why, hint=hint, code=Exit.PRECONDITION)
