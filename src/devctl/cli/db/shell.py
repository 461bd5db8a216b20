"""``devctl db shell``."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Annotated

import typer

from devctl.cli.db.backup import say
from devctl.cli.db.place import Target, target_of
from devctl.cli.db.reach import publisher
from devctl.cli.place import here
from devctl.command import which
from devctl.errors import DevctlError, Exit
from devctl.safety.url import DatabaseUrl, Dialect, Server, libpq_environment

app = typer.Typer(add_completion=False, rich_markup_mode=None)

READ_ONLY = "-c default_transaction_read_only=on"


@app.command()
def shell(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
) -> int:
    """A shell of the database's own (psql, sqlite3), connected. On a database that isn't local it begins read-only."""
    target = target_of(here(context), service)
    argv, environment = _sqlite(target) if target.url.dialect is Dialect.SQLITE else _psql(target)
    if not target.standing.local:
        from devctl.ui.theme import Look

        say(Look.RETRYING, f"careful: {target.standing.reason}. The session begins read-only", err=True)
    sys.stdout.flush()
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - this process becomes the shell, so that Ctrl-C is the shell's


def _sqlite(target: Target) -> tuple[list[str], dict[str, str]]:
    if which("sqlite3") is None:
        raise DevctlError("sqlite3 is not installed", hint="apt install sqlite3", code=Exit.PRECONDITION)
    options = [] if target.standing.local else ["-readonly"]
    return ["sqlite3", *options, target.url.name], dict(target.place.environment)


def _psql(target: Target) -> tuple[list[str], dict[str, str]]:
    url = target.url if target.standing.local else _careful(target.url)
    environment = libpq_environment(url, target.place.environment)
    if which("psql"):
        return ["psql"], environment
    found = publisher(target)
    if found is None:
        hint = "apt install postgresql-client, or: brew install libpq"
        raise DevctlError("psql is not installed", hint=hint, code=Exit.PRECONDITION)
    from devctl.runtimes.endpoint import locate

    inside = libpq_environment(replace(url, servers=(Server("127.0.0.1", found.port),), service=""), {})
    names = [word for name in inside for word in ("--env", name)]
    terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    docker = {**target.place.environment, **locate(target.place.environment).environment(), **inside}
    return ["docker", "exec", *terminal, *names, found.id, "psql"], docker


def _careful(url: DatabaseUrl) -> DatabaseUrl:
    said = " ".join([*(value for key, value in url.options if key == "options"), READ_ONLY])
    return replace(url, options=(*(pair for pair in url.options if pair[0] != "options"), ("options", said)))
