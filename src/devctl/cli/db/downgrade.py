"""``devctl db downgrade``."""

from __future__ import annotations

from typing import Annotated

import typer

from devctl.cli.db.backup import prepare, save, say
from devctl.cli.db.place import Target, target_of
from devctl.cli.db.reach import migrations_of
from devctl.cli.db.standing import must_be_known
from devctl.cli.db.store import alone, store_of
from devctl.cli.db.upgrade import moved, revision_of
from devctl.cli.place import here
from devctl.cli.terminal import confirmed
from devctl.errors import DevctlError, Exit
from devctl.safety.history import Revision, Standing
from devctl.ui.words import listing

app = typer.Typer(add_completion=False, rich_markup_mode=None)

BASE = "base"


@app.command()
def downgrade(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    to: Annotated[
        str, typer.Option("--to", metavar="MIGRATION", help="Down to this one, or base. Else one step.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Take the last migration back, or all after one. What was there is backed up first."""
    from devctl.ui.theme import Look

    target = target_of(here(context), service)
    target.must_be_local("downgrade")
    store = store_of(target)
    with alone(target):
        prepare(store)
        migrations = migrations_of(target)
        standing = migrations.standing()
        must_be_known(target, migrations, standing)
        undone = _undone(standing, to)
        _ask(target, undone, to, yes=yes)
        kept = save(target, store, f"before a downgrade below {undone[0].id}").path.name
        say(Look.DONE, f"{target.url.shown} is saved as {kept}")
        aim = _aim(standing, to, undone)
        moved(target, migrations, lambda: migrations.downgrade(aim), standing, kept)
    for each in undone:
        say(Look.DONE, f"{each} is taken back")
    return Exit.DONE


def _undone(standing: Standing, to: str) -> list[Revision]:
    """What is taken back, the last first. Raises DevctlError where there is nothing."""
    applied = [each for each in standing.revisions if each.id in standing.applied]
    if not applied:
        raise DevctlError("there is nothing to take back: no migration is applied", code=Exit.PRECONDITION)
    if not to:
        return applied[-1:]
    aim = "" if to == BASE else revision_of(standing, to)
    if aim and aim not in standing.applied:
        raise DevctlError(f"{aim} is not applied", hint="devctl db history", code=Exit.PRECONDITION)
    kept = standing.with_those_before([aim]) if aim else frozenset()
    undone = [each for each in reversed(applied) if each.id not in kept]
    if not undone:
        raise DevctlError(f"nothing is applied after {aim}", hint="devctl db history", code=Exit.PRECONDITION)
    return undone


def _aim(standing: Standing, to: str, undone: list[Revision]) -> str:
    if to:
        return to if to == BASE else revision_of(standing, to)
    (last,) = undone
    return last.down[0] if len(last.down) == 1 else "-1" if last.down else BASE


def _ask(target: Target, undone: list[Revision], to: str, *, yes: bool) -> None:
    names = listing([each.id for each in undone], 3)
    option = f" --to {to}" if to else ""
    unasked = DevctlError(
        f"{names} may not be taken back without being asked: what they added goes with what is in it",
        hint=f"devctl db downgrade {target.service.name}{option} --yes",
        code=Exit.PRECONDITION,
    )
    confirmed(f"take back {names} of {target.url.shown}, with what is in it?", yes=yes, otherwise=unasked)
