"""Migrations and copies on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from devctl.ui.columns import Column, aligned, clipped, drop_empty, folded, total
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, size


class MigrationRow(NamedTuple):
    """A migration; ``look``: DONE the database has it, WAITING it lacks it, FAILED it has it and nobody here knows it.
    ``note`` marks where the database is and where the history ends."""

    id: str
    message: str
    file: str
    look: Look
    note: str = ""


class CopyRow(NamedTuple):
    """A backup. ``bytes`` is its size, ``when`` the time in words, ``revision`` where its schema stands."""

    name: str
    when: str
    bytes: int
    revision: str
    reason: str


def migration_table(rows: Sequence[MigrationRow], glyphs: Glyphs, width: int) -> list[Text]:
    """A line a migration; ``width`` 0 is a pipe."""
    words = {Look.DONE: "applied", Look.WAITING: "pending", Look.FAILED: "unknown here"}
    columns = (
        Column("", tuple(Text(glyphs.looks[row.look] if width else "", style=COLOURS[row.look]) for row in rows)),
        Column("MIGRATION", tuple(Text(row.id[:12], style=STRONG) for row in rows)),
        Column("", tuple(Text(words[row.look], style=COLOURS[row.look]) for row in rows)),
        Column("", tuple(Text(row.note, style=FAINT) for row in rows)),
        Column("MESSAGE", tuple(Text(clean(row.message)) for row in rows)),
        Column("FILE", tuple(Text(row.file, style=FAINT) for row in rows)),
    )
    whole = drop_empty(columns)
    return _table(whole if not width or total(whole) + 2 <= width else whole[:-1], glyphs, width)


def copy_table(rows: Sequence[CopyRow], glyphs: Glyphs, width: int) -> list[Text]:
    """A line a backup; ``width`` 0 is a pipe."""
    columns = (
        Column("BACKUP", tuple(Text(row.name, style=STRONG) for row in rows)),
        Column("WHEN", tuple(Text(row.when) for row in rows)),
        Column("SIZE", tuple(Text(size(row.bytes)) for row in rows), right=True),
        Column("MIGRATION", tuple(Text(row.revision) for row in rows)),
        Column("BECAUSE", tuple(Text(clean(row.reason), style=FAINT) for row in rows)),
    )
    fits = not width or total(drop_empty(columns)) + 2 <= width
    return _table(columns if fits else (columns[0], *columns[2:]), glyphs, width)  # its name says when, too


def _table(columns: Sequence[Column], glyphs: Glyphs, width: int) -> list[Text]:
    head, body = aligned(drop_empty(columns), FAINT)
    lines = [*([head] if head is not None else []), *body]
    for line in lines:
        line.rstrip()
    return [clipped(Text("  ").append(line), width, glyphs.ellipsis) if width else line for line in lines]


def told(look: Look, text: str, glyphs: Glyphs, width: int, more: Iterable[str] = ()) -> list[Text]:
    """A sentence with its sign, folded, and further lines below it."""
    room = max(20, width - 3) if width else 0
    first, *rest = folded(clean(text), room)
    lines = [Text(f" {glyphs.looks[look]} ", style=COLOURS[look]).append(first, style="default")]
    lines += [Text(f"   {part}") for part in rest]
    return [*lines, *(Text(f"   {part}", style=FAINT) for each in more for part in folded(clean(each), room))]
