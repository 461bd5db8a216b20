"""What mirrors carried over, and what they left alone with the reason and the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devctl.git.mirrored import File, Outcome, Result, names
from devctl.ui.columns import clipped, folded
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, count, listing

LOOKS = {Result.COPIED: Look.DONE, Result.SAME: Look.DONE, Result.CONFLICT: Look.FAILED}
SIGNS = {"added": "+", "changed": "~", "removed": "-", "renamed": ">", "conflict": "!"}
STYLES = {"added": "green", "changed": "yellow", "removed": "red", "renamed": "cyan", "conflict": "bold red"}
MOST_FILES, MOST_LINES = 12, 16
"""Shown of a mirror's files, and of one difference, unless all of it was asked for."""

Differences = Mapping[str, Sequence[str]]
"""Path → the lines of its difference."""


def mirror_page(outcome: Outcome, differences: Differences, whole: bool, glyphs: Glyphs, width: int) -> list[Text]:
    """A mirror's lines; ``whole``: nothing is left out of files and differences. ``width`` 0 is a pipe."""
    shape = LOOKS[outcome.result]
    source, target = names(outcome.mirror)
    head = Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape])
    head.append(f"{source} {glyphs.arrow} {target}", style=STRONG).append(f": {_said(outcome)}", style="default")
    lines = [head]
    room = max(20, width - 3) if width else 0
    for text in (outcome.reason, *outcome.notes):
        lines += [
            Text(f"   {part}", style="" if outcome.reason else FAINT) for part in folded(clean(text), room) if text
        ]
    lines += _files(outcome.files, differences, whole, glyphs, width)
    if hint := outcome.hint or _hint(outcome, whole):
        first, *rest = folded(hint, room and room - 2)
        lines += [
            Text(f"   {mark} {part}", style=FAINT)
            for mark, part in ((glyphs.arrow, first), *((" ", each) for each in rest))
        ]
    return [clipped(line, width, glyphs.ellipsis) if width else line for line in lines]


def _said(outcome: Outcome) -> str:
    if outcome.reason:
        return "nothing is carried over"
    if outcome.result is Result.SAME:
        return "the same"
    left = sum(file.change == "conflict" for file in outcome.files)
    done = len(outcome.files) - left
    verb = ("would be" if outcome.dry else "") or ("is" if done == 1 else "are")
    parts = [f"{count(done, 'file')} {verb} carried over"] if done else []
    parts += [f"{count(left, 'file')} left alone"] if left else []
    return ", ".join(parts)


def _hint(outcome: Outcome, whole: bool) -> str:
    if outcome.reason or outcome.result is not Result.CONFLICT:
        return ""
    way = "make both sides the same, or exclude the file in services.yaml"
    return way if whole else f"devctl mirror --diff; {way}"


def _files(files: Sequence[File], differences: Differences, whole: bool, glyphs: Glyphs, width: int) -> list[Text]:
    """Conflicts always; of the rest the first few."""
    lines: list[Text] = []
    rest = [file for file in files if file.change != "conflict"]
    shown = rest if whole or not width else rest[:MOST_FILES]
    for file in files:
        if file.change != "conflict" and file not in shown:
            continue
        lines.append(_file(file, glyphs))
        lines += _difference(differences.get(file.path, ()), whole)
    if len(shown) < len(rest):
        lines.append(Text(f"     and {listing([file.path for file in rest[len(shown) :]], 3)}", style=FAINT))
    return lines


def _file(file: File, glyphs: Glyphs) -> Text:
    line = Text(f"   {SIGNS[file.change]} ", style=STYLES[file.change])
    old = f"{clean(file.old)} {glyphs.arrow} " if file.old else ""
    line.append(f"{old}{clean(file.path)}", style="default")
    return line.append(f"  {file.reason or file.change}", style=FAINT)


def _difference(lines: Sequence[str], whole: bool) -> list[Text]:
    cut = lines if whole else lines[:MOST_LINES]
    found = [Text(f"     {clean(line)}", style=_style(line)) for line in cut]
    left = len(lines) - len(cut)
    return found + ([Text(f"     {count(left, 'more line')}: devctl mirror --diff", style=FAINT)] if left else [])


def _style(line: str) -> str:
    if line.startswith(("---", "+++", "@@", "old mode", "new mode")):
        return FAINT
    return "green" if line.startswith("+") else "red" if line.startswith("-") else ""
