"""``devctl db pending``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devctl.cli.db.place import target_of
from devctl.cli.db.reach import migrations_of
from devctl.cli.db.standing import must_be_known, record
from devctl.cli.place import here
from devctl.cli.terminal import print_json
from devctl.errors import Exit
from devctl.safety.history import Place
from devctl.ui.words import count

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def pending(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """What an upgrade would apply. Exit code 0: nothing, 1: something, or the history doesn't fit, 3: no connection."""
    from devctl.ui.database import MigrationRow, migration_table, told
    from devctl.ui.theme import Look, Screen

    target = target_of(here(context), service)
    migrations = migrations_of(target)
    standing = migrations.standing()
    code = Exit.DONE if standing.place is Place.CURRENT else Exit.FAILED
    if as_json:
        print_json(record(target, standing, migrations))
        return code
    must_be_known(target, migrations, standing)
    screen = Screen(sys.stdout)
    if code is Exit.DONE:
        screen.write(told(Look.DONE, f"{target.url.shown} has every migration", screen.glyphs, screen.width))
        return code
    rows = [MigrationRow(each.id, each.message, each.file, Look.WAITING) for each in standing.pending]
    screen.write(migration_table(rows, screen.glyphs, screen.width))
    text = f"{target.url.shown} lacks {count(len(rows), 'migration')}: devctl db upgrade {target.service.name}"
    screen.write(told(Look.WAITING, text, screen.glyphs, screen.width))
    return code
