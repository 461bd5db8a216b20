"""Aligned columns of styled cells, made to fit before they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from textwrap import wrap

import msgspec

from devctl.ui.text import Text

GAP = 2


class Column(msgspec.Struct, frozen=True, dict=True):
    """A column: its title ("" for none), a cell for each row, and whether numbers stand at the right."""

    title: str
    cells: tuple[Text, ...]
    right: bool = False

    @cached_property
    def width(self) -> int:
        """The widest cell, in terminal columns."""
        return max((len(self.title), *(cell.cell_len for cell in self.cells)))


def total(columns: Sequence[Column]) -> int:
    """Terminal columns these take beside each other."""
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def drop_empty(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Without the columns that say nothing in any row."""
    return tuple(column for column in columns if any(cell.plain for cell in column.cells))


def aligned(columns: Sequence[Column], title_style: str = "") -> tuple[Text | None, list[Text]]:
    """(the line of titles or None, the rows)."""
    titles = [Text(column.title, style=title_style) for column in columns]
    head = _row(columns, titles) if any(column.title for column in columns) else None
    height = len(columns[0].cells) if columns else 0
    return head, [_row(columns, [column.cells[index] for column in columns]) for index in range(height)]


def remarked(
    columns: Sequence[Column], remark: Column, room: int, title_style: str = ""
) -> tuple[Text | None, list[tuple[Text, list[Text]]]]:
    """(the line of titles or None, the rows, each with what stands below it). ``remark`` is the last column; a cell of
    it that has no room beside the others stands below its row, folded, to be indented by two. ``room`` 0 is a pipe."""
    left = room - total(drop_empty(columns)) - GAP
    beside = [not room or cell.cell_len <= left for cell in remark.cells]
    short = tuple(cell if fits else Text() for cell, fits in zip(remark.cells, beside, strict=True))
    head, rows = aligned(drop_empty((*columns, Column(remark.title, short))), title_style)
    below = [[] if fits else _below(cell, room) for cell, fits in zip(remark.cells, beside, strict=True)]
    return head, list(zip(rows, below, strict=True))


def _below(cell: Text, room: int) -> list[Text]:
    return [Text(part, style=cell.style) for part in folded(cell.plain, max(20, room - GAP))]


def _row(columns: Sequence[Column], cells: Sequence[Text]) -> Text:
    line = Text()
    for index, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        pad = " " * (column.width - cell.cell_len)
        line.append(" " * GAP if index else "")
        for part in (Text(pad), cell) if column.right else (cell, Text(pad)):
            line.append(part)
    line.rstrip()
    return line


def clipped(text: Text, width: int, ellipsis: str) -> Text:
    """``text`` in at most ``width`` columns, with an ellipsis where it was cut."""
    if text.cell_len <= width:
        return text
    cut = text.copy()
    cut.truncate(max(0, width - len(ellipsis)))
    cut.rstrip()
    return cut.append(ellipsis) if width >= len(ellipsis) else cut


def squeezed(text: Text, width: int, ellipsis: str) -> Text:
    """A name in at most ``width`` columns: its end stays, since it often is what tells it from others."""
    if text.cell_len <= width or text.cell_len != len(text) or width < 8:
        return clipped(text, width, ellipsis)
    tail = (width - len(ellipsis)) // 3
    return clipped(text, width - tail, ellipsis).append(text[-tail:])


def narrowed(column: Column, width: int, ellipsis: str) -> Column:
    """The column in at most ``width`` terminal columns."""
    return Column(column.title[:width], tuple(clipped(cell, width, ellipsis) for cell in column.cells), column.right)


def folded(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` characters, broken between words where there are any; 0: as it is."""
    if not width or len(text) <= width:
        return [text]
    indent = text[: len(text) - len(text.lstrip())][: width // 2]
    return wrap(text, width, subsequent_indent=indent, drop_whitespace=True, break_on_hyphens=False) or [""]
