"""``devctl db reset``."""

from __future__ import annotations

from typing import Annotated

import typer

from devctl.cli.db.backup import prepare, save, say
from devctl.cli.db.place import Target, target_of
from devctl.cli.db.reach import migrations_of, reach_of
from devctl.cli.db.store import alone, store_of
from devctl.cli.place import here
from devctl.cli.terminal import confirmed
from devctl.errors import DevctlError, Exit
from devctl.safety.migrations import seed
from devctl.safety.store import Store
from devctl.ui.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def reset(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Back the database up, make it anew, migrate it, fill it by the manifest's `seed`."""
    target = target_of(here(context), service)
    target.must_be_local("reset")
    unasked = DevctlError(
        f"{target.url.shown} may not be emptied without being asked",
        hint=f"devctl db reset {target.service.name} --yes",
        code=Exit.PRECONDITION,
    )
    confirmed(f"empty {target.url.shown} and make it anew?", yes=yes, otherwise=unasked)
    store = store_of(target)
    with alone(target):
        _renew(target, store)
    return Exit.DONE


def _renew(target: Target, store: Store) -> None:
    from devctl.ui.theme import Look

    prepare(store)
    store.must_be_alone()
    if not store.is_empty():
        kept = save(target, store, "before a reset")
        say(Look.DONE, f"{target.url.shown} is saved as {kept.path.name}")
    with store.renewed():
        for sentence in _filled(target):
            say(Look.DONE, sentence)


def _filled(target: Target) -> list[str]:
    """Migrate and seed a fresh database; what was done."""
    database, said = target.service.database, []
    if database and database.migrations:
        applied = migrations_of(target).upgrade()
        said.append(f"{count(len(applied), 'migration')} applied")
    if database and database.seed:
        seed(reach_of(target), database.seed)
        said.append(f"filled by: {database.seed}")
    return said or [f"{target.url.shown} is empty: there are no migrations and no seed"]
