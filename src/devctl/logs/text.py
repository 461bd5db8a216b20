"""From the bytes of a log to lines fit for a screen."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_LINE = 1 << 16
"""Bytes after which a line that does not end is cut into pieces."""

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\x1b"
)
_COLOUR = re.compile(r"\x1b\[[\d;:]*m")


class Line(NamedTuple):
    """A line of a log. ``time`` is in seconds since the epoch, as exact as the index of times allows."""

    time: float
    service: str
    text: str


def plain(raw: bytes, colour: bool = False) -> str:
    """Text without control characters and escape sequences; with ``colour``, colours stay and nothing else does.

    Of a line that was overwritten in place (a progress bar) the last version is kept; bytes that are not UTF-8 show
    as U+FFFD.
    """
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    if "\r" in text:
        text = text.rpartition("\r")[2]
    if text.isprintable():
        return text
    return _ESCAPE.sub(lambda found: found[0] if colour and _COLOUR.fullmatch(found[0]) else "", text)
