"""``devctl today``: the day from the supervisors' journal, from git, and from what syncs left of themselves."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from devctl.cli.place import Place, here
from devctl.cli.terminal import print_json
from devctl.core.day import Moment, Today, services_of
from devctl.core.model import Manifest
from devctl.errors import Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def today(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """What ran today and for how long, restarts and failures, commits, syncs, and what is still pending."""
    from devctl.ui.theme import Screen
    from devctl.ui.today import page, today_record

    place = here(context)
    found = looked(place, place.manifest)
    if as_json:
        print_json(today_record(found))
    else:
        screen = Screen(sys.stdout)
        screen.write(page(found, place.manifest.root, screen.glyphs, screen.width))
    return Exit.DONE


def looked(place: Place, manifest: Manifest | None) -> Today:
    """The present day until now. Without a manifest git is no matter."""
    from devctl.runtimes.host import boot_id
    from devctl.supervisor.journal import read_day

    moment = Moment(wall=time.time(), now=time.monotonic(), boot=boot_id())
    begin, end = day_of(moment.wall)
    ran = services_of(read_day(place.workspace.journal, begin), begin, end, moment)
    if manifest is None or not (manifest.git or manifest.mirrors):
        return Today(begin=begin, services=ran)
    from devctl.git.diary import commits, left_over, syncs

    done = syncs(place.workspace, begin, end)
    return Today(
        begin=begin,
        services=ran,
        commits=commits(manifest.git, begin, end),
        syncs=done,
        pending=left_over(place.workspace, manifest.git, done),
        in_git=True,
    )


def day_of(moment: float) -> tuple[float, float]:
    """The local midnights around a moment. A day may have 23 or 25 hours."""
    year, month, day = time.localtime(moment)[:3]
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1)), time.mktime((year, month, day + 1, 0, 0, 0, 0, 0, -1))
