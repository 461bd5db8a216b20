"""``devctl db …``: the database of a service."""

from __future__ import annotations

import sys

import typer

from devctl.cli.family import Family
from devctl.cli.verbs import DATABASE


class Database(Family):
    """The verbs behind ``db``."""

    verbs = DATABASE
    path = "devctl db"


app = typer.Typer(cls=Database, rich_markup_mode=None, add_completion=False, invoke_without_command=True)


@app.callback()
def db(context: typer.Context) -> None:
    """Migrations and copies of a service's database. Where only one service has a database, it needs no name."""
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
