"""A rehearsal as lines: what happens at the same time stands under the same number."""

from __future__ import annotations

from collections.abc import Sequence

from devctl.core.rehearse import Step
from devctl.ui.columns import Column, aligned
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Look

ACTIONS = {"prepare": COLOURS[Look.BUSY], "start": COLOURS[Look.READY], "stop": COLOURS[Look.RETRYING]}


def steps(played: Sequence[Step], held: Sequence[str]) -> list[Text]:
    """One line a step; ``held`` are sentences about ports that are in the way."""
    lines = [Text(f"{sentence}", style=COLOURS[Look.RETRYING]) for sentence in held]
    if not played:
        return [*lines, Text("nothing to do")]
    numbers = [
        step.wave if index == 0 or played[index - 1].wave != step.wave else 0 for index, step in enumerate(played)
    ]
    columns = (
        Column("", tuple(Text(str(number or ""), style=FAINT) for number in numbers), right=True),
        Column("", tuple(Text(step.action, style=ACTIONS.get(step.action, "")) for step in played)),
        Column("", tuple(Text(step.service, style=STRONG) for step in played)),
        Column("", tuple(Text(step.because, style=FAINT) for step in played)),
    )
    return [*lines, *aligned(columns)[1]]
