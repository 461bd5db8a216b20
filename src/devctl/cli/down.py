"""``devctl down``: dependents first; without names everything, and the supervisor too."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from devctl.api.client import NoSupervisor
from devctl.api.protocol import Down, Snapshot
from devctl.cli.declared import Declared
from devctl.cli.place import Place, here, known_manifest
from devctl.cli.waiting import Waiter, lost, screen
from devctl.core.graph import dependents
from devctl.core.model import Manifest
from devctl.errors import Exit
from devctl.manifest.choose import known_services
from devctl.ui.progress import Progress, all_stopped, not_stopped, standing
from devctl.ui.summary import stopped

if TYPE_CHECKING:
    import typer

app = Declared("TakesVolumes")


@app.command
def down(
    context: typer.Context,
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="All, when none is named.")
    ] = None,
    volumes: Annotated[
        list[str] | None,
        typer.Option("--volumes", metavar="NAME...", help="Then remove these volumes of the compose file."),
    ] = None,
    no_sync: Annotated[bool, typer.Option("--no-sync", help="Commit and push nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: before a commit, before volumes go.")] = False,
) -> int:
    """Stop services and what needs them, dependents first. Without names: everything, and then the end of the day."""
    place = here(context)
    snapshot = place.snapshot()
    code = _stop(place, snapshot, services or [])
    if volumes:
        from devctl.cli.volumes import remove

        remove(place, volumes, yes=yes)
    if services or code == Exit.INTERRUPTED:
        return code
    from devctl.cli.end_of_day import end_of_day

    return max(code, end_of_day(place, snapshot.manifest if snapshot else None, sync=not no_sync, yes=yes))


def _stop(place: Place, snapshot: Snapshot | None, services: Sequence[str]) -> int:
    known = known_services(known_manifest(place, snapshot), services) if services else []
    if snapshot is None:
        screen().write(stopped(0, 0.0, {}, screen().glyphs))
        return Exit.DONE
    manifest = known_manifest(place, snapshot)
    names = (*dependents(manifest, known), *known) if known else tuple(snapshot.states)
    return _wait(place, manifest, tuple(name for name in names if name in manifest.services), snapshot, known)


def _wait(place: Place, manifest: Manifest, names: tuple[str, ...], before: Snapshot, services: Sequence[str]) -> int:
    began = time.monotonic()
    running = tuple(name for name in names if name in before.states and standing(before.states[name]))
    out = screen()
    waiter = Waiter(out, lambda _: (), lambda seen: bool(services) and all_stopped(seen), "stopped")
    request = Down(names=tuple(services), exit=not services)
    try:
        progress = waiter.wait(Progress(manifest, running, began), place.client.stream(request))
    except KeyboardInterrupt:
        sys.stderr.write("no longer waiting; what is being stopped goes on stopping: devctl status\n")
        return Exit.INTERRUPTED
    except NoSupervisor:  # another ``down`` was quicker
        out.write(stopped(len(running), time.monotonic() - began, {}, out.glyphs))
        return Exit.DONE
    if not services:
        place.client.wait_gone()
    failed = not_stopped(progress)
    if not failed and not all_stopped(progress):
        raise lost()
    out.write(stopped(len(running), time.monotonic() - began, failed, out.glyphs))
    return Exit.FAILED if failed else Exit.DONE
