"""The end of ``up``: what is up and where, how long it took and what decided that; or what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devctl.core.explain import sentence
from devctl.core.model import Service
from devctl.core.outcome import Verdict, critical_path
from devctl.core.state import SchemaVerdict
from devctl.ui.columns import Column, aligned, clipped, drop_empty, folded, narrowed, total
from devctl.ui.progress import Progress
from devctl.ui.pulled import pulled
from devctl.ui.tables import substitutes
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look, look
from devctl.ui.words import clean, count, duration, listing

NEGLIGIBLE = 0.05
"""Seconds below which a part of the critical path is not worth a word."""


def closing(progress: Progress, now: float, glyphs: Glyphs, width: int) -> list[Text]:
    """Everything that is said when nothing is left to wait for; ``width`` 0 is a pipe."""
    gone = progress.gone
    found = {name: verdict for name, verdict in progress.verdicts().items() if name not in gone}
    failed = [name for name, verdict in found.items() if verdict is Verdict.FAILED]
    blocked = [name for name, verdict in found.items() if verdict is Verdict.BLOCKED]
    came = pulled(progress.sight, progress.aftermath, tuple(progress.manifest.services), glyphs, width)
    if failed or blocked or gone:
        words = _failed(failed, blocked, len(found)) + _gone(gone)
        lines = _failure(words, (*failed, *blocked, *gone)[0], glyphs, width)
        return [*lines, *_where(progress, glyphs, width), *came]
    head = _success(progress, len(found), now, glyphs)
    lines = [
        Text(f" {glyphs.looks[Look.DONE]} ", style=COLOURS[Look.READY]).append(head),
        *_where(progress, glyphs, width),
        *came,
    ]
    notes = substitutes([progress.service(name) for name in progress.names])
    return lines + _aside([*notes, *_unchecked(progress)], width)


def _unchecked(progress: Progress) -> list[str]:
    """What keeps nobody waiting, and must be known all the same."""
    states = (progress.state(name) for name in progress.names)
    return [
        f"{state.name} {clean(sentence(state, None))}"
        for state in states
        if state.schema.verdict is SchemaVerdict.UNCHECKED
    ]


def _aside(texts: Sequence[str], width: int) -> list[Text]:
    """What is worth a thought, after an empty line."""
    lines = [Text(f"   {part}", style=FAINT) for text in texts for part in folded(text, _room(width))]
    return [Text(), *lines] if lines else []


def _room(width: int) -> int:
    return max(20, width - 3) if width else 0


def _success(progress: Progress, number: int, now: float, glyphs: Glyphs) -> Text:
    if not progress.touched():
        said = {1: "it was", 2: "both services were"}.get(number, f"all {number} services were")
        return Text("nothing to do: ", style=STRONG).append(f"{said} healthy already")
    line = Text(f"{count(number, 'service')} healthy in {duration(now - progress.began)}", style=STRONG)
    path = route(progress, glyphs)
    return line.append(f": {path}", style=FAINT) if path else line


def route(progress: Progress, glyphs: Glyphs) -> str:
    """The critical path: ``postgres 2.1 → cc-pap-api 4.1 → cc-pap 2.0`` (seconds)."""
    parts = critical_path(progress.manifest, progress.states, progress.began)
    return f" {glyphs.arrow} ".join(f"{name} {seconds:.1f}" for name, seconds in parts if seconds >= NEGLIGIBLE)


def _failed(failed: Sequence[str], blocked: Sequence[str], number: int) -> list[str]:
    parts = [f"{len(failed)} of {count(number, 'service')} failed: {listing(failed, 6)}"] if failed else []
    if blocked:
        verb = "waits for what failed" if len(blocked) == 1 else "wait for what failed"
        parts.append(f"{listing(blocked, 6)} {verb}")
    return parts


def _gone(names: Sequence[str]) -> list[str]:
    verb = "was" if len(names) == 1 else "were"
    return [f"{listing(names, 6)} {verb} taken down by another devctl down"] if names else []


def _failure(words: Sequence[str], first: str, glyphs: Glyphs, width: int) -> list[Text]:
    head, *more = folded("; ".join(words), _room(width))
    mark = Text(f" {glyphs.looks[Look.FAILED]} ", style=COLOURS[Look.FAILED])
    lines = [mark.append(head, style=STRONG), *(Text(f"   {part}", style=STRONG) for part in more)]
    return [*lines, Text(f"   {glyphs.arrow} devctl why {first}", style=COLOURS[Look.BUSY])]


def _where(progress: Progress, glyphs: Glyphs, width: int) -> list[Text]:
    names = [name for name in progress.names if _address(progress.service(name)) or not width]
    if not names:
        return []
    columns = drop_empty(
        (
            Column("", tuple(_name(progress, name, glyphs) for name in names)),
            Column("", tuple(_link(progress.service(name)) for name in names)),
            Column("", tuple(Text(_took(progress, name), style=FAINT) for name in names), right=True),
            Column("", tuple(Text(progress.service(name).runtime.value, style=FAINT) for name in names)),
        )
    )
    while width and len(columns) > 2 and total(columns) > width - 3:
        columns = columns[:-1]
    if width and total(columns) > width - 3:
        columns = (narrowed(columns[0], max(10, width // 3), glyphs.ellipsis), *columns[1:])
    rows = [Text("   ").append(row) for row in aligned(columns)[1]]
    return [Text(), *(clipped(row, width, glyphs.ellipsis) if width else row for row in rows)]


def _name(progress: Progress, name: str, glyphs: Glyphs) -> Text:
    shape = look(progress.service(name), progress.state(name), progress.holds.get(name))
    return Text(glyphs.looks[shape], style=COLOURS[shape]).append(f" {name}", style="default")


def _address(service: Service) -> str:
    return service.url or (f"localhost:{service.ports[0].number}" if service.ports else "")


def _link(service: Service) -> Text:
    return Text(_address(service), style=f"link {service.url}" if service.url else FAINT)


def _took(progress: Progress, name: str) -> str:
    begun, state = progress.begun(name), progress.state(name)
    if begun is None or state.ready_at is None or state.ready_at < begun:
        return ""  # it was up before anybody asked
    return duration(state.ready_at - begun)


def related(changes: Mapping[str, Sequence[str]], width: int) -> list[Text]:
    """What changed in git since the last ``up``, by service, and what to think of because of it."""
    texts = [f"{name} changed since the last up: think of {listing(list(others))}" for name, others in changes.items()]
    return _aside(texts, width)


def stopped(number: int, seconds: float, failed: Mapping[str, str], glyphs: Glyphs) -> list[Text]:
    """The end of ``down``: how many were stopped, and which could not be, each with its reason."""
    if failed:
        mark = Text(f" {glyphs.looks[Look.FAILED]} ", style=COLOURS[Look.FAILED])
        head = mark.append(f"{count(len(failed), 'service')} could not be stopped", style=STRONG)
        return [head, *(Text(f"   {name}: {reason}") for name, reason in failed.items())]
    mark = Text(f" {glyphs.looks[Look.DONE]} ", style=COLOURS[Look.READY])
    if not number:
        return [mark.append("nothing was running", style=STRONG)]
    return [mark.append(f"{count(number, 'service')} stopped in {duration(seconds)}", style=STRONG)]
