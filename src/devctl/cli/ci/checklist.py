"""``devctl ci checklist``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devctl.cli.place import here
from devctl.errors import Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def checklist(
    context: typer.Context,
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="All, when none is named.")
    ] = None,
    environment: Annotated[
        str, typer.Option("--env", metavar="NAME", help="What is deployed to; its variables are in .env.NAME.")
    ] = "production",
    blank: Annotated[bool, typer.Option("--blank", help="Make no check and tick nothing.")] = False,
) -> int:
    """Make every check, and print the checklist as Markdown with the boxes ticked that can be."""
    from devctl.safety.checklist import checklist as lines

    place = here(context)
    if blank:
        made = []
    else:
        from devctl.cli.deployment.tasks import case_of, tasks_of
        from devctl.cli.predeploy import made_by

        case = case_of(place, environment, services or [])
        made = made_by(case, tasks_of(case), [])
    sys.stdout.write("\n".join(lines(made)).rstrip() + "\n")
    return Exit.DONE
