"""``devctl ci github``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devctl.cli.place import here
from devctl.errors import DevctlError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def github(
    context: typer.Context,
    install: Annotated[
        str | None,
        typer.Option("--install", metavar="COMMAND", help="How devctl gets onto the runner; remembered in the file."),
    ] = None,
) -> int:
    """Write .github/workflows/pre-deployment-validation.yml from the manifest."""
    from devctl.cli.ci.recipe import Written
    from devctl.workspace import write_atomic

    written = Written(here(context), install)
    if written.present == written.wanted:
        sys.stdout.write(f"{written.file} is current\n")
        return Exit.DONE
    try:
        written.file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(written.file, written.wanted.encode())
        written.file.chmod(0o644)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DevctlError("the workflow can't be written", str(written.file), why, "check its rights") from error
    sys.stdout.write(f"{written.file} is written; commit it\n")
    return Exit.DONE
