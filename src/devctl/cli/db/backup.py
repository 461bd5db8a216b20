"""``devctl db backup``."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from devctl.cli.db.place import Target, target_of
from devctl.cli.db.store import alone, store_of
from devctl.cli.place import here
from devctl.errors import DevctlError, Exit
from devctl.safety.copies import Copy, copies, keep
from devctl.safety.store import Store
from devctl.ui.words import count, size

app = typer.Typer(add_completion=False, rich_markup_mode=None)

MANY = 10
"""So many backups of a service, and it is said what room they take."""


@app.command()
def backup(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(metavar="[SERVICE]", help="The only one with a database.")] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="Why; it is shown with the backup.")] = "by hand",
) -> int:
    """Save the database into a dated file under .devctl/backups, which only you may read."""
    from devctl.ui.theme import Look

    target = target_of(here(context), service)
    target.must_be_local("back up")
    store = store_of(target)
    with alone(target):
        prepare(store)
        if store.is_empty():
            raise DevctlError(f"{target.url.shown} is empty: there is nothing to back up", code=Exit.PRECONDITION)
        say(Look.DONE, saved(target, store, message))
    for line in room_taken(target):
        say(Look.WAITING, line)
    return Exit.DONE


def prepare(store: Store) -> None:
    """Put right what an interrupted command left, and say so."""
    from devctl.ui.theme import Look

    for sentence in store.recover():
        say(Look.RETRYING, sentence, err=True)


def saved(target: Target, store: Store, reason: str) -> str:
    """Make a backup; a sentence with its name. Raises DevctlError."""
    copy = save(target, store, reason)
    return f"{target.url.shown} is saved as {copy.path.name} ({size(copy.bytes)})"


def save(target: Target, store: Store, reason: str) -> Copy:
    """Make a backup. Raises DevctlError; nothing is left of one that failed."""
    state = target.place.workspace.folder
    return keep(state, target.service.name, target.url.shown, reason, store.kind, time.time(), store.save)


def room_taken(target: Target) -> list[str]:
    """What many backups take; devctl deletes none."""
    found = copies(target.place.workspace.folder, target.service.name)
    if len(found) < MANY:
        return []
    total = size(sum(copy.bytes for copy in found))
    where = found[0].path.parent
    return [f"{count(len(found), 'backup')} take {total} in {where}; none is ever deleted by itself"]


def say(look: object, text: str, *, err: bool = False) -> None:
    """A sentence with its sign, on standard output or error."""
    from devctl.ui.database import told
    from devctl.ui.theme import Look, Screen

    screen = Screen(sys.stderr if err else sys.stdout)
    screen.write(told(Look(str(look)), text, screen.glyphs, screen.width))
