"""The table of ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from devctl.ui.columns import Column, clipped, folded, remarked
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, Glyphs, Look

INDENT = 2
LOOKS = {"free": Look.STOPPED, "ours": Look.READY, "held": Look.FAILED}


class PortRow(NamedTuple):
    """A port of the manifest; ``standing`` is free, ours or held, ``by`` says by whom in words."""

    port: int
    name: str
    service: str
    standing: str
    by: str


def port_table(rows: Sequence[PortRow], glyphs: Glyphs, width: int) -> list[Text]:
    """The lines; ``width`` 0 is a pipe."""
    if not rows:
        return [Text("the manifest has no ports")]
    columns = (
        Column("PORT", tuple(Text(str(row.port)) for row in rows), right=True),
        Column("NAME", tuple(Text(row.name) for row in rows)),
        Column("SERVICE", tuple(Text(row.service) for row in rows)),
        Column("", tuple(_standing(row, glyphs, width) for row in rows)),
    )
    by = Column("", tuple(Text(row.by, style=FAINT) for row in rows))
    head, body = remarked(columns, by, width and max(20, width - INDENT), FAINT)
    lines = [head] if head is not None else []
    for row, below in body:
        lines += [row, *(Text("  ").append(line) for line in below)]
    return [clipped(Text(" " * INDENT).append(line), width, glyphs.ellipsis) if width else line for line in lines]


def said(text: str, standing: str, glyphs: Glyphs, width: int) -> list[Text]:
    """A sentence about a port that is ``standing``."""
    first, *more = folded(text, max(20, width - 3) if width else 0)
    shape = Look.DONE if standing == "ours" else LOOKS[standing]
    head = Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape]).append(first, style="default")
    return [head, *(Text(f"   {part}") for part in more)]


def _standing(row: PortRow, glyphs: Glyphs, width: int) -> Text:
    shape = LOOKS[row.standing]
    mark = f"{glyphs.looks[shape]} " if width else ""
    return Text(mark + row.standing, style=COLOURS[shape])
