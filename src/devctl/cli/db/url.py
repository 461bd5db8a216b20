"""``devctl db url``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devctl.cli.db.place import target_of
from devctl.cli.place import here
from devctl.errors import DevctlError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def url(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    show_password: Annotated[
        bool, typer.Option("--show-password", help="With its password; only on a terminal, where no log keeps it.")
    ] = False,
) -> int:
    """The address of the service's database, as the service has it, without its password."""
    found = target_of(here(context), service).url
    if show_password and not sys.stdout.isatty():
        raise DevctlError(
            "a password is shown on a terminal only",
            why="a pipe or a file would keep it",
            hint="devctl db shell connects without showing it",
            code=Exit.PRECONDITION,
        )
    sys.stdout.write(found.text(hide=not show_password) + "\n")
    return Exit.DONE
