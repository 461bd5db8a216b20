"""A list of what was looked at: right, worth knowing, or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from devctl.ui.columns import folded
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import count


class Level(StrEnum):
    """What a finding means."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"


LOOKS = {Level.GOOD: Look.DONE, Level.NOTE: Look.WAITING, Level.WRONG: Look.FAILED}


class Finding(NamedTuple):
    """One thing that was looked at; ``hint`` is what to do about it."""

    level: Level
    subject: str
    text: str
    hint: str = ""


def checklist(shown: Sequence[Finding], whole: Sequence[Finding], glyphs: Glyphs, width: int) -> list[Text]:
    """The lines, and a last one that counts ``whole``."""
    lines = [line for finding in shown for line in _lines(finding, glyphs, width)]
    wrong = sum(finding.level is Level.WRONG for finding in whole)
    shape = LOOKS[Level.WRONG] if wrong else LOOKS[Level.GOOD]
    said = f"{count(wrong, 'thing')} to mend" if wrong else f"all {len(whole)} checks passed"
    return [*lines, Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape]).append(said, style=STRONG)]


def _lines(finding: Finding, glyphs: Glyphs, width: int) -> list[Text]:
    shape = LOOKS[finding.level]
    room = max(20, width - 3) if width else 0
    first, *more = folded(f"{finding.subject}: {finding.text}", room)
    head = Text(first)
    head.stylize(STRONG, 0, len(finding.subject))
    lines = [
        Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape]).append(head),
        *(Text(f"   {part}") for part in more),
    ]
    if finding.hint:
        lines += [Text(f"   {part}", style=FAINT) for part in folded(f"{glyphs.arrow} {finding.hint}", room)]
    return lines
