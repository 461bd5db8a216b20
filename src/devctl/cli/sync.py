"""``devctl sync``: commit, bring branches together, push, as the manifest says; never over anybody's work."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from devctl.cli.place import Place, here
from devctl.cli.terminal import can_ask, confirmed, print_json
from devctl.core.model import Manifest
from devctl.errors import DevctlError, Exit
from devctl.git.report import Report, Synced

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def sync(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Commit without asking.")] = False,
    message: Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="The commits' message.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """Commit, promote, push and mirror, as the manifest says. Exit code 1: something was refused or failed."""
    place = here(context)
    report = synchronized(place, place.manifest, dry_run=dry_run, yes=yes, message=message, quiet=as_json)
    if as_json:
        from devctl.git.report import record

        print_json(record(report))
    else:
        show(report, place.manifest)
    return Exit.DONE if report.good else Exit.FAILED


def synchronized(
    place: Place, manifest: Manifest, *, dry_run: bool, yes: bool, message: str = "", quiet: bool = False
) -> Report:
    """Mirrors, so that what they bring is committed too, then all repositories. Raises DevctlError, also when the user
    says no."""
    from devctl.git.diary import note
    from devctl.git.mirror.run import carry_all
    from devctl.git.sync import Sync

    mirrors = carry_all(manifest, dry=dry_run)
    run = Sync(manifest, place.workspace, dry_run=dry_run, message=message)
    run.look()
    waiting = run.asking()
    if waiting and not (yes or dry_run):
        if quiet or not can_ask():
            run.without_commit("nobody could be asked whether to commit", "devctl sync --yes")
        else:
            _ask(run.asking(), manifest)
    with _telling() as tell:
        done = run.run(tell)
    report = Report(repositories=done.repositories, mirrors=mirrors, dry_run=dry_run)
    if not dry_run:
        note(place.workspace, report, time.time())
    return report


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """What takes its time, in a line that goes again; nowhere but on a terminal."""
    from devctl.ui.region import Region
    from devctl.ui.text import Text
    from devctl.ui.theme import COLOURS, FAINT, Look, Screen

    screen = Screen(sys.stderr)
    if not screen.terminal:
        yield lambda _: None
        return
    with Region(screen) as region:
        mark = Text(f" {screen.glyphs.looks[Look.BUSY]} ", style=COLOURS[Look.BUSY])
        try:
            yield lambda text: region.draw([mark.copy().append(text, style=FAINT)] if text else [])
        finally:
            region.clear()


def _ask(repositories: list[Synced], manifest: Manifest) -> None:
    from devctl.ui.sync import asked
    from devctl.ui.theme import Screen

    screen = Screen(sys.stderr)
    screen.write(asked(repositories, manifest.root, screen.width))
    refused = DevctlError("nobody can be asked", hint="devctl sync --yes", code=Exit.PRECONDITION)
    # what mirrors carried over is there already
    confirmed("commit and push?", yes=False, otherwise=refused, refused="nothing was committed, nothing was pushed")


def show(report: Report, manifest: Manifest) -> None:
    """The report on the screen."""
    from devctl.ui.sync import drawn
    from devctl.ui.theme import Screen

    screen = Screen(sys.stdout)
    screen.write(drawn(report, manifest.root, screen.glyphs, screen.width))
