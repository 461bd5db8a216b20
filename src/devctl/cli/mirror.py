"""``devctl mirror``: folders carried over one way."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from devctl.cli.place import here
from devctl.errors import Exit
from devctl.git.mirrored import Outcome, Result
from devctl.ui.mirrors import mirror_page
from devctl.ui.theme import Screen

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def mirror(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be carried over; do nothing.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show every difference whole.")] = False,
) -> int:
    """Carry folders over as the manifest says. A file that was changed on the other side is left alone: exit code 1."""
    from devctl.git.mirror.run import carry

    place = here(context)
    if not place.manifest.mirrors:
        sys.stdout.write("the manifest has no mirrors\n")
        return Exit.DONE
    outcomes = []
    for each in place.manifest.mirrors:
        differences = _before(carry(each, dry=True)) if diff else {}
        outcomes.append(carry(each, dry=dry_run))
        show(outcomes[-1], differences, whole=diff)
    return standing(outcomes)


def standing(outcomes: Sequence[Outcome]) -> Exit:
    """The exit code of mirrors."""
    return Exit.FAILED if any(each.result is Result.CONFLICT for each in outcomes) else Exit.DONE


def show(outcome: Outcome, differences: dict[str, tuple[str, ...]] | None = None, *, whole: bool = False) -> None:
    """Draw one, with the differences of what was left alone."""
    from devctl.git.mirror.diff import difference

    left = [file.path for file in outcome.files if file.change == "conflict"]
    found = {path: difference(outcome.mirror, path) for path in left}
    screen = Screen(sys.stdout)
    screen.write(mirror_page(outcome, {**(differences or {}), **found}, whole, screen.glyphs, screen.width))


def _before(outcome: Outcome) -> dict[str, tuple[str, ...]]:
    """The differences that carrying over will make go."""
    from devctl.git.mirror.diff import difference

    return {file.path: difference(outcome.mirror, file.path) for file in outcome.files}
