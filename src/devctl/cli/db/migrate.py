"""``devctl db migrate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from devctl.cli.db.place import Target, target_of
from devctl.cli.db.reach import migrations_of
from devctl.cli.db.standing import ahead, forked
from devctl.cli.place import here
from devctl.errors import DevctlError, Exit
from devctl.safety.history import Place, Standing
from devctl.safety.loss import losses
from devctl.safety.migrations import Migrations, Written
from devctl.ui.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def migrate(
    context: typer.Context,
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="What it does, in a few words.")],
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Bring several heads together instead.")] = False,
) -> int:
    """Write the migration from the database as it is to the models as they are, and say what it would lose."""
    from devctl.ui.database import told
    from devctl.ui.theme import Look, Screen

    target = target_of(here(context), service)
    target.must_be_local("write migrations against")
    migrations = migrations_of(target)
    standing = migrations.standing()
    written = _merged(migrations, standing, message) if merge else _revised(target, migrations, standing, message)
    screen = Screen(sys.stdout)
    lost = losses(written.operations)
    text = f"{_shown(written.file)} is written" + ("" if merge else f": {count(len(written.operations), 'change')}")
    screen.write(told(Look.DONE, text, screen.glyphs, screen.width))
    for sentence in lost:
        screen.write(told(Look.RETRYING, f"careful: it {sentence}", screen.glyphs, screen.width))
    hint = f"look through it, then: devctl db upgrade {target.service.name}"
    screen.write(told(Look.WAITING, hint, screen.glyphs, screen.width))
    return Exit.DONE


def _merged(migrations: Migrations, standing: Standing, message: str) -> Written:
    written = migrations.merge(message) if len(standing.heads) > 1 else None
    if written is None:
        raise DevctlError("there is nothing to merge: the migrations have one head", hint="devctl db history")
    return written


def _revised(target: Target, migrations: Migrations, standing: Standing, message: str) -> Written:
    name = target.service.name
    match standing.place:
        case Place.AHEAD:
            raise ahead(target, migrations, standing)
        case Place.FORKED:
            raise forked(target, standing)
        case Place.BEHIND:
            why = "what is pending would be written a second time"
            what = f"the database lacks {count(len(standing.pending), 'migration')}"
            raise DevctlError(what, target.url.shown, why, f"devctl db upgrade {name}")
    written = migrations.revise(message)
    if written is None:
        hint = "change the models first; does env.py import them all?"
        raise DevctlError("nothing was written: the models and the database are the same", target.url.shown, hint=hint)
    return written


def _shown(file: Path) -> str:
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
