"""A line with styles: as much of rich's Text as the screens use, with its names and its meaning, at a tenth of the time
it takes to import. What a plain terminal line never has (wide characters) is left to rich."""

from __future__ import annotations

from typing import Self

NARROW = frozenset("●✓◐○↻✗·⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏━╌└│→…")
"""What is beyond Latin and surely one column wide: the signs of the theme."""
TAB = 8
_UNSEEN = dict.fromkeys((7, 8, 11, 12, 13))
"""Controls no line may hold: bell, backspace, and what ends a line."""

Span = tuple[int, int, str]
"""(start, end, style)"""


class Text:
    """``style`` holds for all of it, ``spans`` for parts, where a later one wins."""

    def __init__(self, plain: str = "", style: str = "") -> None:
        self.plain = plain if plain.isprintable() else plain.translate(_UNSEEN)
        self.style = style
        self.spans: list[Span] = []

    def __len__(self) -> int:
        return len(self.plain)

    def __str__(self) -> str:
        return self.plain

    def __repr__(self) -> str:
        return f"Text({self.plain!r}, {self.style!r}, {self.spans!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Text):
            return NotImplemented
        return (self.plain, self.style, self.spans) == (other.plain, other.style, other.spans)

    __hash__ = None  # type: ignore[assignment] # it changes

    def __getitem__(self, part: slice) -> Text:
        start, stop, _ = part.indices(len(self.plain))
        found = Text(self.plain[start:stop], self.style)
        moved = [(max(0, begin - start), min(end, stop) - start, style) for begin, end, style in self.spans]
        found.spans = [span for span in moved if span[0] < span[1]]
        return found

    @property
    def cell_len(self) -> int:
        """Terminal columns it takes."""
        return columns(self.plain)

    def append(self, more: str | Text, style: str = "") -> Self:
        """Put ``more`` behind it; a Text brings its own styles."""
        text = more if isinstance(more, Text) else Text(more, style)
        length = len(self.plain)
        if text.plain:
            if text.style:
                self.spans.append((length, length + len(text.plain), text.style))
            self.spans += [(start + length, end + length, style) for start, end, style in text.spans]
            self.plain += text.plain
        return self

    def stylize(self, style: str, start: int, end: int) -> None:
        """Give a part a style."""
        if style:
            self.spans.append((start, min(end, len(self.plain)), style))

    def copy(self) -> Text:
        """Another one that is the same."""
        return self[:]

    def rstrip(self) -> None:
        """Without the blanks at its end."""
        self._shorten(self.plain.rstrip())

    def truncate(self, width: int) -> None:
        """Cut to at most ``width`` columns."""
        if self.cell_len > width:
            self._shorten(self.plain[:width] if _simple(self.plain) else _cut(self.plain, width))

    def expanded(self) -> Text:
        """With blanks for its tabs, each up to the next eighth column."""
        plain, places = "", [0]
        for sign in self.plain:
            plain += " " * (TAB - columns(plain) % TAB) if sign == "\t" else sign
            places.append(len(plain))
        found = Text(plain, self.style)
        found.spans = [(places[start], places[end], style) for start, end, style in self.spans]
        return found

    def _shorten(self, plain: str) -> None:
        end = len(plain)
        self.plain = plain
        self.spans = [(start, min(stop, end), style) for start, stop, style in self.spans if start < end]


def columns(text: str) -> int:
    """Terminal columns of ``text``."""
    if _simple(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _simple(text: str) -> bool:
    """Whether each of its characters takes one column."""
    return text.isprintable() and (text.isascii() or all(sign < "\u0300" or sign in NARROW for sign in text))


def _cut(text: str, width: int) -> str:
    from rich.cells import set_cell_size

    return set_cell_size(text, width)
