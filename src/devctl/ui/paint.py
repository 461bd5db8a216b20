"""Styles as the escape sequences of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise

from devctl.ui.text import Text

COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
SHADES = {
    "default": "39",
    **{name: str(30 + number) for number, name in enumerate(COLOURS)},
    **{f"bright_{name}": str(90 + number) for number, name in enumerate(COLOURS)},
}
"""The sixteen colours a user's own palette decides about; all terminals know them."""
WEIGHTS = {"bold": "1", "dim": "2", "italic": "3", "underline": "4"}


def takes_colour(environment: Mapping[str, str], terminal: bool) -> bool:
    """Whether a stream is given escape sequences: the words of TTY_COMPATIBLE and FORCE_COLOR come first."""
    if environment.get("TERM", "").lower() in {"dumb", "unknown"}:
        return False
    compatible, forced = environment.get("TTY_COMPATIBLE", ""), environment.get("FORCE_COLOR")
    if compatible in {"0", "1"}:
        return compatible == "1"
    return terminal if forced is None else forced != ""


def painted(text: Text, colourless: bool = False) -> str:
    """The line with its escape sequences. ``colourless``: as NO_COLOR wants it, weights and links stay."""
    spans = [(0, len(text), text.style)] * bool(text.style) + text.spans
    if not spans:
        return text.plain
    cuts = sorted({0, len(text), *(cut for start, end, _ in spans for cut in (start, end))})
    parts = []
    for start, end in pairwise(cuts):
        style = " ".join(style for begin, stop, style in spans if begin <= start and end <= stop)
        codes, link = _codes(style, colourless)
        part = text.plain[start:end]
        part = f"\x1b[{codes}m{part}\x1b[0m" if codes else part
        parts.append(f"\x1b]8;;{link}\x1b\\{part}\x1b]8;;\x1b\\" if link else part)
    return "".join(parts)


@cache
def _codes(style: str, colourless: bool) -> tuple[str, str]:
    """(the codes, the address it leads to)."""
    weights: set[str] = set()
    shade = link = ""
    words: Iterable[str] = iter(style.split())
    for word in words:
        if word == "link":
            link = next(iter(words), "")
        elif word in WEIGHTS:
            weights.add(WEIGHTS[word])
        else:
            shade = SHADES.get(word, shade)
    return ";".join([*sorted(weights), *([shade] if shade and not colourless else [])]), link
