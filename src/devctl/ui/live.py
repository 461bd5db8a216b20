"""The layout of a waiting screen at one moment: a line a service, with a bar on the time line all share. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from devctl.core.explain import sentence
from devctl.core.outcome import settled
from devctl.core.state import ServiceState, Setup, State
from devctl.ui.columns import clipped, folded, squeezed
from devctl.ui.errors import quoted
from devctl.ui.progress import Note, Progress, Tone
from devctl.ui.pulled import live
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look, look, ready
from devctl.ui.words import clean, count, duration

SHORTEST_SCALE = 4.0
"""Seconds the time line spans at least, so that bars grow instead of jumping."""
SPINS = 10.0
"""Frames of the spinner a second."""
TIME = 7
"""Columns of a duration."""
URGENCY = (Look.FAILED, Look.RETRYING, Look.BUSY, Look.WAITING, Look.READY, Look.DONE, Look.STOPPED)

WORDS = {Look.DONE: "ready", Look.BUSY: "under way"}
"""What hidden services are counted as, where that isn't the look's own word."""


def layout(progress: Progress, now: float, width: int, height: int, glyphs: Glyphs, verb: str = "ready") -> list[Text]:
    """The lines of the live region, at most ``height - 1`` of them, each at most ``width`` columns wide."""
    looks = {name: _look(progress, name) for name in progress.names}
    waits = settled(progress.verdicts())
    pull = live(progress.sight, now - progress.began, waits, glyphs)
    room = max(1, height - 4 - len(pull))
    shown = _shown(progress.names, looks, room)
    head = _head(progress, looks, now, verb, glyphs)
    sizes = _sizes(shown, width)
    lines = [head, Text(), *(_line(progress, name, looks[name], now, sizes, glyphs) for name in shown)]
    if hidden := [name for name in progress.names if name not in shown]:
        lines.append(_rest(hidden, looks, glyphs))
    return [clipped(line, width, glyphs.ellipsis) for line in (*lines, *pull)]


def _look(progress: Progress, name: str) -> Look:
    state = progress.state(name)
    shape = look(progress.service(name), state, progress.holds.get(name))
    redo = shape in {Look.READY, Look.DONE, Look.STOPPED} and state.setup is Setup.RUNNING
    return Look.BUSY if redo else shape


def _shown(names: Sequence[str], looks: dict[str, Look], room: int) -> list[str]:
    """All that fit, in the given order; what is most urgent goes first when not all do."""
    if len(names) <= room:
        return list(names)
    urgent = sorted(names, key=lambda name: URGENCY.index(looks[name]))[: max(1, room - 1)]
    return [name for name in names if name in set(urgent)]


def _head(progress: Progress, looks: dict[str, Look], now: float, verb: str, glyphs: Glyphs) -> Text:
    wanted = {Look.STOPPED} if verb == "stopped" else {Look.READY, Look.DONE}
    done = sum(shape in wanted for shape in looks.values())
    line = Text(" ").append(progress.manifest.name, style=STRONG)
    line.append(f"  {done} of {count(len(looks), 'service')} {verb}")
    return line.append(f"  {glyphs.dot}  {duration(now - progress.began)}", style=FAINT)


def _rest(hidden: Sequence[str], looks: dict[str, Look], glyphs: Glyphs) -> Text:
    counted = Counter(WORDS.get(looks[name], looks[name].value) for name in hidden)
    order = dict.fromkeys(WORDS.get(shape, shape.value) for shape in URGENCY)
    parts = ", ".join(f"{counted[word]} {word}" for word in order if counted[word])
    return Text(f" {glyphs.ellipsis} {len(hidden)} more: {parts}", style=FAINT)


def _sizes(names: Sequence[str], width: int) -> tuple[int, int]:
    """Columns for the name and for the bar."""
    longest = max((len(name) for name in names), default=0)
    return min(longest, max(10, width // 4)), min(36, width // 6) if width >= 60 else 0


def _line(progress: Progress, name: str, shape: Look, now: float, sizes: tuple[int, int], glyphs: Glyphs) -> Text:
    named, barred = sizes
    line = Text(" ").append(_mark(shape, now - progress.began, glyphs), style=COLOURS[shape]).append(" ")
    label = squeezed(Text(name), named, glyphs.ellipsis)
    line.append(label).append(" " * (named - label.cell_len + 2))
    if barred:
        line.append(_bar(progress, name, shape, now, barred, glyphs)).append("  ")
    line.append(_time(progress, name, now).rjust(TIME), style=FAINT).append("  ")
    failed = shape in {Look.FAILED, Look.RETRYING}
    return line.append(_remark(progress, name, shape), style="" if failed else FAINT)


def _mark(shape: Look, elapsed: float, glyphs: Glyphs) -> str:
    if shape is Look.BUSY:
        return glyphs.spinner[int(elapsed * SPINS) % len(glyphs.spinner)]
    return glyphs.looks[shape]


def _end(state: ServiceState, begun: float, now: float) -> float:
    if state.ready_at is not None and state.ready_at >= begun:
        return state.ready_at
    return state.since if state.state in {State.FATAL, State.EXITED, State.STOPPED} and state.since else now


def _bar(progress: Progress, name: str, shape: Look, now: float, width: int, glyphs: Glyphs) -> Text:
    begun = progress.begun(name)
    if begun is None:
        return Text(" " * width)
    state = progress.state(name)
    scale = width / max(SHORTEST_SCALE, now - progress.began)
    started = state.started_at if state.started_at is not None and state.started_at >= begun else now
    left, middle = int((begun - progress.began) * scale), int((started - progress.began) * scale)
    right = max(middle + (shape is not Look.WAITING), round((_end(state, begun, now) - progress.began) * scale))
    left, middle, right = min(left, width - 1), min(middle, width), min(right, width)
    bar = Text(" " * left).append(glyphs.rail * (middle - left), style=FAINT)
    bar.append(glyphs.bar * (right - middle), style=COLOURS[shape])
    return bar.append(" " * (width - right))


def _time(progress: Progress, name: str, now: float) -> str:
    begun = progress.begun(name)
    if begun is None:
        return ""
    state = progress.state(name)
    if state.state is State.STOPPED and state.setup is not Setup.RUNNING and name in progress.holds:
        return ""
    return duration(max(0.0, _end(state, begun, now) - begun)).replace(" min ", ":").replace(" h ", "h")


def _remark(progress: Progress, name: str, shape: Look) -> str:
    service, state = progress.service(name), progress.state(name)
    if state.setup is Setup.RUNNING:
        return "is being set up" if state.state is not State.RUNNING else "its setup is looked at again"
    if ready(service, state):
        return service.url if progress.begun(name) is not None else "was up already"
    said = clean(sentence(state, progress.holds.get(name)))
    return "" if shape is Look.STOPPED else said.removeprefix("is not healthy yet: ")


def told(note: Note, glyphs: Glyphs, width: int) -> list[Text]:
    """A failure, as it is printed above the live region the moment it happens. Folded, not cut."""
    shape = {Tone.GOOD: Look.READY, Tone.BAD: Look.FAILED, Tone.INFO: Look.BUSY}[note.tone]
    first, *more = folded(f"{note.service} {note.text}", max(20, width - 3) if width else 0)
    head = Text(first)
    head.stylize(STRONG, 0, len(note.service))
    lines = [Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape]).append(head)]
    lines += [Text(f"   {text}") for text in more]
    lines += quoted(note.evidence, glyphs, width, 3)
    if note.hint:
        lines.append(Text(f"   {glyphs.arrow} {note.hint}", style=COLOURS[Look.BUSY]))
    return [*lines, Text()]


def plain(note: Note, named: int) -> list[Text]:
    """A note as lines for a pipe; ``named`` is the width of the names' column."""
    lines = [Text(f"{note.service:<{named}}  {note.text}")]
    lines += [Text(f"{'':<{named}}  | {text}") for text in note.evidence]
    if note.hint:
        lines.append(Text(f"{'':<{named}}  -> {note.hint}"))
    return lines
