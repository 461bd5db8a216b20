"""An error on the screen: what happened, where, why, the lines that prove it, and the next thing to type."""

from __future__ import annotations

from collections.abc import Iterable

from devctl.errors import DevctlError
from devctl.ui.columns import folded
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean

LABEL = 9
"""Columns of "  where  ", "  why    ", "  next   "."""


def drawn(error: DevctlError, glyphs: Glyphs, width: int) -> list[Text]:
    """The lines of an error; a pipe (``width`` 0) gets them unfolded."""
    head = Text("error: ", style=COLOURS[Look.FAILED])
    first, *more = folded(clean(error.what), max(20, width - len(head)) if width else 0)
    lines = [head.append(first, style=STRONG), *(Text("       ").append(text, style=STRONG) for text in more)]
    lines += _labelled("where", [error.where], width)
    lines += _labelled("why", [error.why], width)
    lines += quoted(error.details, glyphs, width, indent=2)
    lines += _labelled("next", [error.hint], width, COLOURS[Look.BUSY])
    return lines


def _labelled(label: str, texts: Iterable[str], width: int, style: str = "") -> list[Text]:
    whole = [line for text in texts for part in text.splitlines() for line in folded(clean(part), _room(width))]
    labels = [label, *[""] * (len(whole) - 1)]
    return [
        Text(f"  {name:<{LABEL - 2}}", style=FAINT).append(line, style=style)
        for name, line in zip(labels, whole, strict=False)
    ]


def _room(width: int) -> int:
    return max(20, width - LABEL) if width else 0


def quoted(lines: Iterable[str], glyphs: Glyphs, width: int, indent: int) -> list[Text]:
    """Log lines and other evidence behind a bar, folded rather than cut: nothing of it is lost."""
    room = max(20, width - indent - 2) if width else 0
    bar = " " * indent + glyphs.quote + " "
    return [Text(bar, style=FAINT).append(part) for line in lines for part in folded(clean(line), room)]
