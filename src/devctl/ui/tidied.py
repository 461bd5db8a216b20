"""What may be tidied away and what stays, with sizes; and what was given back."""

from __future__ import annotations

from collections.abc import Sequence

from devctl.clean.policy import Item
from devctl.ui.columns import Column, aligned, clipped, folded, narrowed
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, count, size

NARROWEST = 24


def tidy_page(items: Sequence[Item], glyphs: Glyphs, width: int) -> list[Text]:
    """A line each: first what may go, then what stays and why; and their sum. ``width`` 0 is a pipe."""
    goes = [item for item in items if not item.refusal]
    stays = [item for item in items if item.refusal]
    lines = _table(goes, glyphs, width)
    if stays:
        lines += [*([Text()] if goes else []), Text("   stays:", style=FAINT), *_table(stays, glyphs, width)]
    mark = Text(f" {glyphs.looks[Look.DONE]} ", style=COLOURS[Look.DONE])
    if not goes:
        return [*lines, mark.append("nothing to tidy away", style=STRONG)]
    return [*lines, Text(), Text("   ").append(f"{count(len(goes), 'thing')}, {weighed(goes)}", style=STRONG)]


def weighed(items: Sequence[Item]) -> str:
    """Their size; what has none counts nothing."""
    return size(sum(item.size or 0 for item in items))


def _table(items: Sequence[Item], glyphs: Glyphs, width: int) -> list[Text]:
    if not items:
        return []
    names = Column("", tuple(Text(clean(item.name)) for item in items))
    columns = (
        Column("", tuple(Text(item.kind.value, style=FAINT) for item in items)),
        narrowed(names, max(NARROWEST, width - 40), glyphs.ellipsis) if width else names,
        Column("", tuple(Text("" if item.size is None else size(item.size)) for item in items), right=True),
        Column("", tuple(Text("" if width and item.refusal else _why(item, glyphs), style=FAINT) for item in items)),
    )
    lines: list[Text] = []
    for item, row in zip(items, aligned(columns)[1], strict=True):
        line = Text("   ").append(row)
        lines.append(clipped(line, width, glyphs.ellipsis) if width else line)
        if width and item.refusal:
            first, *more = folded(_why(item, glyphs), max(20, width - 7))
            lines.append(Text(f"     {glyphs.branch} {first}", style=FAINT))
            lines += [Text(f"       {part}", style=FAINT) for part in more]
    return lines


def _why(item: Item, glyphs: Glyphs) -> str:
    words = clean(item.refusal or item.detail)
    return f"{words} {glyphs.arrow} {item.hint}" if item.refusal and item.hint else words


def reclaimed(number: int, freed: int, glyphs: Glyphs) -> list[Text]:
    """The end of it: how many things went, and what that gave back."""
    mark = Text(f" {glyphs.looks[Look.DONE]} ", style=COLOURS[Look.DONE])
    return [mark.append(f"{size(freed)} given back", style=STRONG).append(f" ({count(number, 'thing')})", style=FAINT)]


def not_removed(item: Item, why: str, glyphs: Glyphs) -> list[Text]:
    """Something that was to go and didn't."""
    mark = Text(f" {glyphs.looks[Look.FAILED]} ", style=COLOURS[Look.FAILED])
    return [mark.append(f"{item.kind.value} {clean(item.name)}: {clean(why)}", style="default")]
