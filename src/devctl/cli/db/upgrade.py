"""``devctl db upgrade``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from devctl.cli.db.backup import prepare, save, say
from devctl.cli.db.place import Target, target_of
from devctl.cli.db.reach import migrations_of
from devctl.cli.db.standing import must_be_known
from devctl.cli.db.store import alone, store_of
from devctl.cli.place import here
from devctl.errors import DevctlError, Exit
from devctl.safety.history import Standing
from devctl.safety.migrations import Migrations
from devctl.ui.words import listing

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def upgrade(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    to: Annotated[str, typer.Option("--to", metavar="MIGRATION", help="Up to this one. Else all.")] = "",
) -> int:
    """Apply what is pending. What was there is backed up first."""
    from devctl.ui.theme import Look

    target = target_of(here(context), service)
    target.must_be_local("upgrade")
    store = store_of(target)
    with alone(target):
        prepare(store)
        migrations = migrations_of(target)
        standing = migrations.standing()
        must_be_known(target, migrations, standing)
        aim = revision_of(standing, to) if to else "heads"
        if not standing.pending or aim in standing.applied:
            say(Look.DONE, f"{target.url.shown} has every migration" if not to else f"{target.url.shown} has {aim}")
            return Exit.DONE
        kept = "" if store.is_empty() else save(target, store, f"before an upgrade to {_aim(standing, aim)}").path.name
        if kept:
            say(Look.DONE, f"{target.url.shown} is saved as {kept}")
        applied = moved(target, migrations, lambda: migrations.upgrade(aim), standing, kept)
    for each in applied:
        say(Look.DONE, f"{standing.known[each]} is applied")
    return Exit.DONE


def revision_of(standing: Standing, word: str) -> str:
    """The one revision that a word means. Raises DevctlError (exit 2)."""
    found = standing.resolve(word)
    if len(found) == 1:
        return found[0]
    why = f"it could be {listing(found)}" if found else ""
    raise DevctlError(f"there is no one migration {word}", why=why, hint="devctl db history", code=Exit.USAGE)


def _aim(standing: Standing, aim: str) -> str:
    return listing(standing.heads) if aim == "heads" else aim


def moved(
    target: Target, migrations: Migrations, move: Callable[[], list[str]], before: Standing, kept: str
) -> list[str]:
    """Migrate; what was applied. Raises DevctlError, which says where the database is then and how to go back."""
    try:
        return move()
    except DevctlError as error:
        try:
            now = migrations.standing().current
        except DevctlError:
            raise error from None
        same = now == before.current
        where = "as it was" if same else f"at {listing(now) or 'the beginning'}, not where it was"
        back = f"; back: devctl db restore {target.service.name} --backup {kept}" if kept and not same else ""
        raise DevctlError(
            f"a migration failed, and the database is {where}",
            error.where,
            f"{error.what}" + (f": {error.why}" if error.why else ""),
            f"correct the migration, then try again{back}",
            error.code,
            error.details,
        ) from None
