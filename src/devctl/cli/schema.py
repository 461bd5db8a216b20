"""``devctl schema``: the JSON Schema of services.yaml."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from devctl.errors import DevctlError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def schema(
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Compare this file with it instead of printing.")
    ] = None,
) -> int:
    """Print the JSON Schema of services.yaml, or check that a copy of it is current."""
    from devctl.manifest.schema import render

    if check is None:
        sys.stdout.write(render())
        return Exit.DONE
    try:
        current = check.read_text(encoding="utf-8")
    except OSError as error:
        raise DevctlError("the schema cannot be read", str(check), error.strerror or "", code=Exit.USAGE) from error
    if current != render():
        raise DevctlError("the schema is not current", str(check), hint=f"devctl schema > {check}")
    sys.stdout.write(f"{check} is current\n")
    return Exit.DONE
