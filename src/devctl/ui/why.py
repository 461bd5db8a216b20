"""``why``: what a service needs, what needs it, what to think of when changing it, and the root cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devctl.core.explain import Explanation, Need, sentence
from devctl.core.model import Condition, Manifest, Runtime
from devctl.core.plan import Hold
from devctl.ui.columns import Column, clipped, folded, remarked, total
from devctl.ui.errors import quoted
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look, look, shown_health, word
from devctl.ui.words import clean

INDENT = 5


def why_record(explained: Explanation) -> dict[str, Any]:
    """The object ``why --json`` prints."""
    cause = explained.root_cause
    return {
        "service": explained.service,
        "state": explained.state.state.value,
        "health": shown_health(explained.state).value,
        "depends_on": [_need_record(need) for need in explained.depends_on],
        "dependents": list(explained.dependents),
        "related": list(explained.related),
        "root_cause": None
        if cause is None
        else {
            "service": cause.service,
            "reason": cause.reason,
            "evidence": list(cause.evidence),
            "hint": cause.hint,
        },
        "start_order": list(explained.start_order),
    }


def _need_record(need: Need) -> dict[str, Any]:
    return {
        "service": need.edge.service,
        "condition": need.edge.condition.value,
        "because": need.edge.because,
        "state": need.state.state.value,
        "health": shown_health(need.state).value,
    }


def page(manifest: Manifest, explained: Explanation, holds: dict[str, Hold], glyphs: Glyphs, width: int) -> list[Text]:
    """The whole answer; ``width`` 0 is a pipe."""
    lines = [*_title(manifest, explained, holds, glyphs), Text()]
    lines += _cause(explained, glyphs, width)
    lines += _needs(manifest, explained.depends_on, holds, glyphs, width)
    lines += _names("needed by", explained.dependents, ", ", width)
    lines += _names("think of", explained.related, ", ", width)
    if len(explained.start_order) > 1:
        lines += _names("start order", explained.start_order, f" {glyphs.arrow} ", width)
    lines = lines[:-1] if not lines[-1].plain else lines
    return [clipped(line, width, glyphs.ellipsis) if width else line for line in lines]


def _title(manifest: Manifest, explained: Explanation, holds: dict[str, Hold], glyphs: Glyphs) -> list[Text]:
    service, state = manifest.services[explained.service], explained.state
    shape = look(service, state, holds.get(service.name))
    line = Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape]).append(service.name, style=STRONG)
    line.append("  ").append(word(service, state, holds.get(service.name)), style=COLOURS[shape])
    facts = [service.runtime.value, service.url] if service.runtime is not Runtime.LIBRARY else []
    line.append("".join(f"  {glyphs.dot}  {fact}" for fact in facts if fact), style=FAINT)
    about = [Text(f"   {service.description}", style=FAINT)] if service.description else []
    reason = [Text(f"   {service.runtime_reason}", style=FAINT)] if service.runtime_reason else []
    return [line, *about, *reason]


def _heading(text: str) -> Text:
    return Text(f"   {text}", style=FAINT)


def _cause(explained: Explanation, glyphs: Glyphs, width: int) -> list[Text]:
    cause = explained.root_cause
    if cause is None or explained.state.completed:
        return []
    room = max(20, width - INDENT) if width else 0
    lines = [_heading("root cause")]
    if len(explained.path) > 1:
        lines.append(Text(" " * INDENT).append(f" {glyphs.arrow} ".join(explained.path), style=FAINT))
    lines += [Text(" " * INDENT).append(part, style=STRONG) for part in folded(clean(cause.reason), room)]
    lines += quoted(cause.evidence, glyphs, width, INDENT)
    if cause.hint:
        lines.append(Text(" " * INDENT).append(f"{glyphs.arrow} {cause.hint}", style=COLOURS[Look.BUSY]))
    return [*lines, Text()]


def _needs(manifest: Manifest, needs: Sequence[Need], holds: dict[str, Hold], glyphs: Glyphs, width: int) -> list[Text]:
    if not needs:
        return []
    room = max(20, width - INDENT) if width else 0
    name = Column("", tuple(_need_name(manifest, need, holds, glyphs) for need in needs))
    now = Column("", tuple(_now(need, holds.get(need.edge.service)) for need in needs))
    because = Column("", tuple(Text(need.edge.because, style=FAINT) for need in needs))
    columns: tuple[Column, ...] = (name, now)
    if room and total(columns) > room:
        both = zip(now.cells, because.cells, strict=True)
        columns, because = (name,), Column("", tuple(Text("; ".join(filter(None, map(str, each)))) for each in both))
    lines = [_heading("needs")]
    for row, below in remarked(columns, because, room)[1]:
        lines += [Text(" " * INDENT).append(row), *(Text(" " * (INDENT + 2)).append(line) for line in below)]
    return [*lines, Text()]


_CONDITION = {
    Condition.STARTED: "started",
    Condition.HEALTHY: "healthy",
    Condition.COMPLETED: "completed",
}


def _need_name(manifest: Manifest, need: Need, holds: dict[str, Hold], glyphs: Glyphs) -> Text:
    name = need.edge.service
    service = manifest.services.get(name)
    shape = look(service, need.state, holds.get(name)) if service else Look.STOPPED
    shape = Look.READY if need.met and shape is Look.STOPPED else shape
    return Text(glyphs.looks[shape], style=COLOURS[shape]).append(f" {name}", style="default")


def _now(need: Need, hold: Hold | None) -> Text:
    condition = _CONDITION[need.edge.condition]
    if need.met:
        return Text(condition, style=FAINT)
    return Text(clean(sentence(need.state, hold)) or f"is not {condition}")


def _names(title: str, names: Sequence[str], joint: str, width: int) -> list[Text]:
    if not names:
        return []
    room = max(20, width - INDENT) if width else 0
    return [_heading(title), *(Text(" " * INDENT + part) for part in folded(joint.join(names), room)), Text()]
