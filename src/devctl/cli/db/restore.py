"""``devctl db restore``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from devctl.cli.db.backup import prepare, save, say
from devctl.cli.db.place import Target, target_of
from devctl.cli.db.store import alone, store_of
from devctl.cli.place import here
from devctl.cli.terminal import confirmed
from devctl.errors import DevctlError, Exit
from devctl.safety.copies import FOLDER, Copy, copies, must_be_whole, one
from devctl.safety.store import Store
from devctl.ui.words import listing

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def restore(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    backup: Annotated[
        str | None, typer.Option("--backup", metavar="NAME", help="This one: its name or its file. Else the newest.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show the backups there are; restore none.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Put a backup in the place of the database. What it replaces is backed up first."""
    target = target_of(here(context), service)
    if show:
        return _list(target)
    target.must_be_local("restore into")
    copy = _chosen(target, backup)
    must_be_whole(copy)
    name = target.service.name
    unasked = DevctlError(
        f"{target.url.shown} may not be replaced without being asked",
        hint=f"devctl db restore {name} --backup {copy.path.name} --yes",
        code=Exit.PRECONDITION,
    )
    confirmed(f"replace {target.url.shown} by {copy.path.name} ({when(copy)})?", yes=yes, otherwise=unasked)
    store = store_of(target)
    with alone(target):
        _restored(target, store, copy)
    return Exit.DONE


def _restored(target: Target, store: Store, copy: Copy) -> None:
    from devctl.ui.theme import Look

    prepare(store)
    store.must_be_alone()
    store.load(copy.path, copy.note.contents if copy.note else None)
    if not store.is_empty():
        kept = save(target, store, f"before {copy.path.name} was restored")
        say(Look.DONE, f"what was there is saved as {kept.path.name}")
    store.swap()
    at = listing(copy.note.contents.revisions) if copy.note else ""
    say(Look.DONE, f"{target.url.shown} is {copy.path.name} again" + (f", at migration {at}" if at else ""))
    for sentence in store.left_out:
        say(Look.RETRYING, f"without {sentence}")


def _chosen(target: Target, name: str | None) -> Copy:
    """The backup of this name or file, else the newest. Raises DevctlError."""
    state = target.place.workspace.folder
    if name is None:
        found = copies(state, target.service.name)
        if not found:
            what = f"there is no backup of {target.service.name}"
            raise DevctlError(what, str(state / FOLDER), hint="devctl db backup", code=Exit.PRECONDITION)
        return found[0]
    kept = state / FOLDER / name
    return one(kept if "/" not in name and kept.is_file() else Path(name))


def _list(target: Target) -> int:
    from devctl.ui.database import CopyRow, copy_table
    from devctl.ui.theme import Screen

    found = copies(target.place.workspace.folder, target.service.name)
    rows = [
        CopyRow(
            copy.path.name,
            when(copy),
            copy.bytes,
            ", ".join(copy.note.contents.revisions) if copy.note else "",
            copy.note.reason if copy.note else "",
        )
        for copy in found
    ]
    screen = Screen(sys.stdout)
    screen.write(copy_table(rows, screen.glyphs, screen.width))
    if not rows:
        sys.stdout.write(f"there is no backup of {target.service.name}: devctl db backup {target.service.name}\n")
    return Exit.DONE


def when(copy: Copy) -> str:
    """Its time on the clock of whoever reads it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(copy.when))
