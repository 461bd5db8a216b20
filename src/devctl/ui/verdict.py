"""The table of the checks before a deployment."""

from __future__ import annotations

from collections.abc import Sequence

from devctl.safety.verdict import Check, Level, Result, may_deploy
from devctl.ui.columns import GAP, folded
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, count

_NARROW = 24
"""Columns that evidence needs at least; with less room it goes below its check's name."""


def verdict_table(checks: Sequence[Check], glyphs: Glyphs, width: int) -> list[Text]:
    """A row a check, then the verdict; ``width`` 0 is a pipe."""
    names = max((len(check.name) for check in checks), default=0)
    rows = [line for check in checks for line in _rows(check, names, glyphs, width)]
    return [*rows, _verdict(checks, glyphs)]


def _look(check: Check) -> tuple[Look, str]:
    if check.result is Result.PASS:
        return Look.DONE, "passed"
    if check.result is Result.SKIP:
        return (Look.FAILED, "not run") if check.blocks else (Look.WAITING, "not run")
    return (Look.FAILED, "failed") if check.blocks else (Look.RETRYING, "warning")


def _rows(check: Check, names: int, glyphs: Glyphs, width: int) -> list[Text]:
    look, word = _look(check)
    head = Text().append(f" {glyphs.looks[look]} ", style=COLOURS[look]).append(f"{check.name:<{names}}", style=STRONG)
    head.append(f"{'':{GAP}}{word:<7}", style=COLOURS[look])
    indent = head.cell_len + GAP
    below = bool(width) and width - indent < _NARROW
    indent = 5 if below else indent
    room = max(20, width - indent) if width else 0
    said = [(part, "") for part in folded(clean(check.evidence), room)]
    if check.hint and check.result is not Result.PASS:
        said += [(part, FAINT) for part in folded(f"{glyphs.arrow} {clean(check.hint)}", room)]
    lines = [Text(" " * indent).append(part, style=style) for part, style in said]
    if below:
        head.rstrip()
        return [head, *lines]
    return [head.append(" " * GAP).append(said[0][0]), *lines[1:]]


def _verdict(checks: Sequence[Check], glyphs: Glyphs) -> Text:
    required = sum(check.level is Level.REQUIRED for check in checks)
    blocking = sum(check.blocks for check in checks)
    others = sum(not check.blocks and check.result is not Result.PASS for check in checks)
    more = f"; {count(others, 'warning')}" if others else ""
    look = Look.DONE if may_deploy(checks) else Look.FAILED
    if may_deploy(checks):
        said = f"may be deployed: {count(required, 'required check')} passed{more}"
    elif blocking:
        said = f"may not be deployed: {count(blocking, 'check')} of {len(checks)} in the way{more}"
    else:
        said = f"may not be deployed: no required check was made{more}"
    return Text(f" {glyphs.looks[look]} ", style=COLOURS[look]).append(said, style=STRONG)
