"""``devctl ports``: who holds what, and freeing one."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devctl.cli.engine import ask_engine
from devctl.cli.place import Place, here, known_manifest
from devctl.cli.terminal import confirmed
from devctl.errors import DevctlError, Exit
from devctl.ui.ports import PortRow, port_table, said

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def ports(
    context: typer.Context,
    free: Annotated[
        int | None, typer.Option("--free", metavar="PORT", min=1, max=65535, help="Make its holder go.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Every port of the manifest: free, ours, or held by whom."""
    place = here(context)
    if free is not None:
        return _free(place, free, yes=yes)
    from devctl.ui.theme import Screen

    screen = Screen(sys.stdout)
    screen.write(port_table(_rows(place), screen.glyphs, screen.width))
    return Exit.DONE


def _rows(place: Place) -> list[PortRow]:
    from devctl.ports.holders import here as spot
    from devctl.ports.holders import holders
    from devctl.ports.policy import decide, describe

    snapshot = place.snapshot()
    manifest = known_manifest(place, snapshot)
    wanted = [(port, service) for service in manifest.services.values() for port in service.ports]
    engine = ask_engine(place.environment)
    found = holders([port.number for port, _ in wanted], engine_lookup=engine.holder_of_port)
    decided_at = spot(place.workspace.id)
    project = manifest.compose.project if manifest.compose else ""
    rows = []
    for port, service in wanted:
        holder = found[port.number]
        verdict = decide(port.number, holder, decided_at)
        rows.append(PortRow(port.number, port.name, service.name, *_standing(verdict, describe(holder), project)))
    return rows


def _standing(verdict: object, told: str, project: str) -> tuple[str, str]:
    """(free | ours | held, in words by whom)."""
    from devctl.ports.policy import Container, Evict, Free, Ours

    match verdict:
        case Free():
            return "free", ""
        case Ours(service=service):
            return "ours", f"service {service}"
        case Evict(holder=Container(project=found, service=service)) if project and found == project:
            return "ours", f"container of service {service}"
    return "held", told


def _free(place: Place, port: int, *, yes: bool) -> int:
    from devctl.cli.held import free
    from devctl.ports.holders import holders
    from devctl.ports.policy import describe
    from devctl.ui.theme import Screen

    engine = ask_engine(place.environment)
    holder = holders([port], engine_lookup=engine.holder_of_port)[port]
    if holder is None:
        sys.stdout.write(f"port {port} is free already\n")
        return Exit.DONE
    _refuse_the_impossible(place, port, holder)
    screen = Screen(sys.stderr)
    screen.write(said(f"port {port} is held by {describe(holder)}", "held", screen.glyphs, screen.width))
    unasked = DevctlError(
        f"port {port} may not be freed without being asked",
        hint=f"devctl ports --free {port} --yes",
        code=Exit.PRECONDITION,
    )
    confirmed("end it?", yes=yes, otherwise=unasked)
    sys.stdout.write(free(place, port, holder, engine) + "\n")
    return Exit.DONE


def _refuse_the_impossible(place: Place, port: int, holder: object) -> None:
    """What may never be ended is not asked about."""
    from devctl.ports.holders import here as spot
    from devctl.ports.policy import Ours, Refuse, decide, describe

    match decide(port, holder, spot(place.workspace.id)):  # type: ignore[arg-type]
        case Ours(service=service):
            what = f"port {port} is held by this workspace's own {service}"
            raise DevctlError(what, hint=f"devctl down {service}", code=Exit.PRECONDITION)
        case Refuse(reason=reason, hint=hint):
            what = f"port {port} is held by {describe(holder)}"  # type: ignore[arg-type]
            raise DevctlError(what, why=reason, hint=hint, code=Exit.PRECONDITION)
