"""``devctl db history``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devctl.cli.db.place import target_of
from devctl.cli.db.reach import migrations_of
from devctl.cli.db.standing import history_record, record
from devctl.cli.place import here
from devctl.cli.terminal import print_json
from devctl.errors import Exit
from devctl.safety.history import Standing
from devctl.ui.database import MigrationRow
from devctl.ui.theme import Look

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def history(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """Every migration, the newest first, and where the database stands."""
    from devctl.ui.database import migration_table
    from devctl.ui.theme import Screen

    target = target_of(here(context), service)
    migrations = migrations_of(target)
    standing = migrations.standing()
    if as_json:
        print_json({**record(target, standing, migrations), "revisions": history_record(standing)})
        return Exit.DONE
    screen = Screen(sys.stdout)
    rows = _rows(standing)
    screen.write(migration_table(rows, screen.glyphs, screen.width))
    if not rows:
        sys.stdout.write("there are no migrations yet\n")
    return Exit.DONE


def _rows(standing: Standing) -> list[MigrationRow]:
    unknown = [MigrationRow(each, "", "", Look.FAILED, "database") for each in standing.unknown]
    known = [
        MigrationRow(
            each.id,
            each.message,
            each.file,
            Look.DONE if each.id in standing.applied else Look.WAITING,
            _note(each.id, standing),
        )
        for each in reversed(standing.revisions)
    ]
    return unknown + known


def _note(revision: str, standing: Standing) -> str:
    words = ["database"] if revision in standing.current else []
    return ", ".join([*words, *(["head"] if revision in standing.heads else [])])
