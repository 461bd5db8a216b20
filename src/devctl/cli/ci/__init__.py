"""``devctl ci …``: the same checks where nobody can skip them."""

from __future__ import annotations

import sys

import typer

from devctl.cli.family import Family
from devctl.cli.verbs import CONTINUOUS


class Continuous(Family):
    """The verbs behind ``ci``."""

    verbs = CONTINUOUS
    path = "devctl ci"


app = typer.Typer(cls=Continuous, rich_markup_mode=None, add_completion=False, invoke_without_command=True)


@app.callback()
def ci(context: typer.Context) -> None:
    """The checks before a deployment as a workflow of GitHub Actions, and the checklist for people."""
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
