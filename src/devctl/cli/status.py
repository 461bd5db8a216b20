"""``devctl status``: the dashboard, once, live, or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from devctl.api.protocol import Snapshot
from devctl.cli.declared import Declared
from devctl.cli.place import Place, here, known_manifest
from devctl.cli.terminal import json_text, print_json
from devctl.core.model import Manifest
from devctl.core.outcome import Verdict, verdicts
from devctl.errors import DevctlError, Exit
from devctl.ui.view import NOBODY, status_record

if TYPE_CHECKING:
    from devctl.git.pending import Waiting

if TYPE_CHECKING:
    import typer

app = Declared()


@app.command
def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Live, until q.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; with --watch one line a change.")] = False,
) -> int:
    """What runs and how it is. Exit code 0: all wanted services are healthy, 1: not, 3: nothing is running."""
    place = here(context)
    if watch:
        return _watch_json(place) if as_json else _watch(place)
    snapshot = place.snapshot(usage=True)
    manifest = known_manifest(place, snapshot)
    if as_json:
        pending = [{"remote": each.remote, "commits": each.commits, "reason": each.reason} for each in _waiting(place)]
        print_json(status_record(manifest, snapshot or NOBODY) | ({"pending": pending} if pending else {}))
    else:
        _draw(place, manifest, snapshot)
    return standing(manifest, snapshot)


def standing(manifest: Manifest, snapshot: Snapshot | None) -> Exit:
    """The exit code for what is so."""
    if snapshot is None or not (snapshot.wanted or any(state.active for state in snapshot.states.values())):
        return Exit.PRECONDITION
    found = verdicts(manifest, snapshot.wanted, snapshot.states)
    return Exit.DONE if all(each is Verdict.READY for each in found.values()) else Exit.FAILED


def _draw(place: Place, manifest: Manifest, snapshot: Snapshot | None) -> None:
    from devctl.ui.tables import dashboard
    from devctl.ui.theme import Screen

    screen = Screen(sys.stdout)
    screen.write(dashboard(manifest, snapshot or NOBODY, screen.glyphs, screen.width))
    waiting = _waiting(place)
    if waiting:
        from devctl.ui.sync import pending

        screen.write(pending([str(each) for each in waiting], screen.glyphs, screen.width))


def _waiting(place: Place) -> tuple[Waiting, ...]:
    """What could not be pushed yet: a file's content, git is not asked."""
    if not (place.workspace.folder / "git-pending.json").exists():
        return ()
    from devctl.git.pending import read

    return read(place.workspace)


def _watch(place: Place) -> int:
    from devctl.cli.watching import watch
    from devctl.ui.theme import Screen

    screen = Screen(sys.stdout)
    if not (screen.terminal and sys.stdin.isatty()):
        raise DevctlError("--watch needs a terminal", hint="devctl status --watch --json", code=Exit.USAGE)
    last = watch(place, screen)
    return standing(known_manifest(place, last), last)


def _watch_json(place: Place) -> int:
    from devctl.api.protocol import Follow

    manifest = place.manifest
    for snapshot in place.client.stream(Follow()):
        manifest = snapshot.manifest or manifest
        sys.stdout.write(json_text(status_record(manifest, snapshot)) + "\n")
        sys.stdout.flush()
    return Exit.PRECONDITION
