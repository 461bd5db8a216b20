"""``devctl ci check``."""

from __future__ import annotations

import sys

import typer

from devctl.cli.place import here
from devctl.errors import DevctlError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def check(context: typer.Context) -> int:
    """Say whether the workflow is what the manifest says now. Exit code 1 when it isn't."""
    from devctl.cli.ci.recipe import Written

    written = Written(here(context))
    if written.present == written.wanted:
        sys.stdout.write(f"{written.file} is current\n")
        return Exit.DONE
    if written.present is None:
        raise DevctlError("there is no workflow", str(written.file), hint=written.command)
    present, wanted = written.present.splitlines(), written.wanted.splitlines()
    differing = (n for n, (a, b) in enumerate(zip(present, wanted, strict=False), 1) if a != b)
    line = next(differing, min(len(present), len(wanted)) + 1)
    why = "the manifest says something else by now, or somebody edited it"
    raise DevctlError("the workflow is not current", f"{written.file}:{line}", why, written.command)
