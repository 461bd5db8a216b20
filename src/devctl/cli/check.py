"""``devctl check``: everything that can be known without starting anything."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devctl.cli.place import here
from devctl.errors import Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def check(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what is wrong.")] = False,
) -> int:
    """Manifest, compose file, tools, paths. Exit code 2 when something is wrong."""
    from devctl.cli.inspection import inspect
    from devctl.ui.checklist import Level, checklist
    from devctl.ui.theme import Screen

    findings = inspect(here(context))
    screen = Screen(sys.stdout)
    shown = [each for each in findings if not quiet or each.level is not Level.GOOD]
    screen.write(checklist(shown, findings, screen.glyphs, screen.width))
    return Exit.USAGE if any(each.level is Level.WRONG for each in findings) else Exit.DONE
