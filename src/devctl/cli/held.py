"""Ports that somebody else holds: shown by name, freed only when the user says so."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from devctl.cli.engine import Engine
from devctl.cli.place import Place
from devctl.cli.taken import taken
from devctl.cli.terminal import confirmed
from devctl.core.model import Manifest, Runtime
from devctl.core.state import ServiceState
from devctl.errors import DevctlError, Exit
from devctl.ports.policy import Container, Evict, Free, Holder, Ours, Refuse, Verdict, decide, describe
from devctl.ui.ports import said
from devctl.ui.theme import Screen


class Held:
    """A port of ``service`` that somebody holds, and what may be done about it."""

    def __init__(self, port: int, service: str, holder: Holder, verdict: Verdict) -> None:
        self.port, self.service, self.holder, self.verdict = port, service, holder, verdict

    def __str__(self) -> str:
        return f"port {self.port}, which {self.service} needs, is held by {describe(self.holder)}"


def clear_ports(
    place: Place,
    manifest: Manifest,
    names: Iterable[str],
    states: Mapping[str, ServiceState],
    engine: Engine,
    *,
    yes: bool,
) -> bool:
    """Free the ports of services that are about to be started, if the user agrees; whether there were any.

    Raises DevctlError (exit 3).
    """
    held = find_held(place, manifest, names, states, engine)
    if not held:
        return False
    if refused := [each for each in held if not isinstance(each.verdict, Evict)]:
        raise _refusal(refused)
    screen = Screen(sys.stderr)
    screen.write(line for each in held for line in said(str(each), "held", screen.glyphs, screen.width))
    confirmed("free it?" if len(held) == 1 else "free them?", yes=yes, otherwise=_unasked(held))
    for each in held:
        done = free(place, each.port, each.holder, engine)
        screen.write(said(done, "ours", screen.glyphs, screen.width))
    return True


def find_held(
    place: Place,
    manifest: Manifest,
    names: Iterable[str],
    states: Mapping[str, ServiceState],
    engine: Engine,
) -> list[Held]:
    """The ports of services that don't run yet which somebody else holds."""
    wanted = taken(manifest, names, states)
    if not wanted:
        return []
    from devctl.ports.holders import here, holders

    found = holders(wanted, engine_lookup=engine.holder_of_port)
    spot = here(place.workspace.id)
    looked = [Held(port, wanted[port], who, decide(port, who, spot)) for port, who in found.items() if who]
    return [each for each in looked if not _own(manifest, each)]


def _own(manifest: Manifest, held: Held) -> bool:
    """Whether the service itself is the holder: what is left of it is taken over or started anew."""
    if isinstance(held.verdict, Free):
        return True
    if isinstance(held.verdict, Ours):
        return held.verdict.service == held.service
    service, holder = manifest.services[held.service], held.holder
    return (
        isinstance(holder, Container)
        and manifest.compose is not None
        and holder.project == manifest.compose.project
        and service.runtime is Runtime.CONTAINER
        and holder.service == service.compose
    )


def _refusal(refused: list[Held]) -> DevctlError:
    first = refused[0]
    why, hint = "", f"devctl down {first.service}"
    match first.verdict:
        case Refuse():
            why, hint = first.verdict.reason, first.verdict.hint
        case Ours():
            why, hint = "it is a service of this workspace", f"devctl down {first.verdict.service}"
    others = tuple(str(each) for each in refused[1:])
    return DevctlError(str(first), why=why, hint=hint, code=Exit.PRECONDITION, details=others)


def _unasked(held: list[Held]) -> DevctlError:
    """Nobody is there to be asked. The holders were named already."""
    ports = ", ".join(str(each.port) for each in held)
    return DevctlError(
        f"{'port' if len(held) == 1 else 'ports'} {ports} may not be freed without being asked",
        hint=f"devctl up --yes, or devctl ports --free {held[0].port} --yes",
        code=Exit.PRECONDITION,
    )


def free(place: Place, port: int, holder: Holder, engine: Engine) -> str:
    """Make the holder let go; what was done, in a sentence. Raises DevctlError."""
    from devctl.ports import holders

    return holders.free(
        holder,
        port,
        workspace=place.workspace.id,
        engine_lookup=engine.holder_of_port,
        stop_container=engine.stop,
    )
