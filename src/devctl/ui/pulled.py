"""What the pull beside ``up`` does, as values and as lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from devctl.core.model import Manifest
from devctl.core.state import AnyEvent, ServiceState, SetupDone, SourcesChanged, State, StopFor, Stopping
from devctl.ui.columns import folded
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, count, duration, listing


class Told(msgspec.Struct, frozen=True):
    """One sentence about a repository: ``text`` follows its name. ``good``: something came."""

    subject: str
    text: str
    hint: str = ""
    good: bool = False


class Sight(msgspec.Struct, frozen=True):
    """The pull at one moment. ``asking``: remotes that have not answered, for which at most ``limit`` seconds are
    waited; ``commits``: how many touched each service; ``renewals``: which of the supervisor's renewals it waits for;
    ``manifest`` and ``names``: as they are from now on, where the pull changed them."""

    asking: tuple[str, ...] = ()
    limit: float = 0.0
    told: tuple[Told, ...] = ()
    commits: Mapping[str, int] = {}
    renewals: int = 0
    manifest: Manifest | None = None
    names: tuple[str, ...] = ()
    over: bool = False


class Aftermath(msgspec.Struct, frozen=True):
    """What the pulled commits set in motion, gathered from events: what was redone, and how services began anew."""

    looked: frozenset[str] = frozenset()
    redone: Mapping[str, tuple[str, ...]] = {}
    anew: Mapping[str, str] = {}


def follow(before: Aftermath, events: Iterable[AnyEvent], states: Mapping[str, ServiceState]) -> Aftermath:
    """With these events; ``states`` are those before them."""
    after = before
    for event in events:
        after = _followed(after, event, states.get(event.service))
    return after


def _followed(before: Aftermath, event: AnyEvent, state: ServiceState | None) -> Aftermath:
    name, anew, redone = event.service, dict(before.anew), dict(before.redone)
    if isinstance(event, SourcesChanged):
        if event.because and state is not None and state.state in _ANEW:
            anew[name] = "run again" if state.completed else "tried again"
        return Aftermath(before.looked | {name}, redone, anew)
    if name not in before.looked:
        return before
    if isinstance(event, SetupDone) and event.changed:
        redone[name] = (*redone.get(name, ()), *_steps(event.changed))
    elif isinstance(event, Stopping) and event.why in {StopFor.RESTART, StopFor.REPLACE}:
        anew[name] = "restarted"
    else:
        return before
    return Aftermath(before.looked, redone, anew)


_ANEW = {State.EXITED, State.BACKOFF, State.FATAL}


def _steps(changed: str) -> list[str]:
    """``npm ci run`` from ``npm ci: package-lock.json changed``; what is said of an image or container stays short."""
    if changed.startswith("image rebuilt"):
        return ["image rebuilt"]
    if changed.startswith(("its ", "it has ", "container ")) or ": " not in changed:
        return ["container created anew"]
    return [f"{step} run" for step in re.findall(r"(?:^|; )(.+?): .*?(?=; |$)", changed)]


def doing(sight: Sight, seconds: float, waits: bool) -> str:
    """What it does now, "" when that is nothing. ``waits``: all else is done."""
    if sight.over:
        return ""
    arrived = [f"{told.subject}: {told.text}" for told in sight.told if told.good][-1:]
    asking = "looking at what came" if arrived else "looking"
    if sight.asking:
        asking = f"{'waiting for' if waits else 'fetching from'} {listing(sight.asking, 4)}"
    limit = f" of at most {duration(sight.limit)}" if waits and sight.asking else ""
    return ", ".join([*arrived, f"{asking}  {duration(seconds)}{limit}"])


def aftermath(sight: Sight, after: Aftermath, names: Sequence[str]) -> list[str]:
    """A sentence for each service that the pull touched: ``cc-pap: 3 commits pulled, npm ci run, restarted``."""
    lines = []
    for name in names:
        came = [f"{count(sight.commits[name], 'commit')} pulled"] if name in sight.commits else []
        then = [*dict.fromkeys(after.redone.get(name, ())), *([after.anew[name]] if name in after.anew else [])]
        if came or then:
            lines.append(f"{name}: {', '.join([*came, *then])}")
    return lines


def pulled(sight: Sight | None, after: Aftermath, names: Sequence[str], glyphs: Glyphs, width: int) -> list[Text]:
    """The end of the pull: what came, what did not work and the way out, what it led to. A pipe has been told the
    first two when they happened."""
    if sight is None:
        return []
    lines = [line for told in sight.told for line in _said(told, glyphs, width)] if width else []
    for sentence in aftermath(sight, after, names):
        lines += _folded(Text("   "), clean(sentence), "", width)
    return [Text(), *lines] if lines else []


def sentence(told: Told, arrow: str) -> str:
    """All of it in one line."""
    return clean(f"{told.subject}: {told.text}" + (f" {arrow} {told.hint}" if told.hint else ""))


def _said(told: Told, glyphs: Glyphs, width: int) -> list[Text]:
    """In one line where there is room, else the way out in its own."""
    shape, style = (Look.DONE, "default") if told.good else (Look.WAITING, FAINT)
    mark = Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape])
    whole = sentence(told, glyphs.arrow)
    if not width or not told.hint or len(whole) <= width - 3:
        return _folded(mark, whole, style, width)
    lines = _folded(mark, clean(f"{told.subject}: {told.text}"), style, width)
    return [*lines, *_folded(Text("   "), clean(f"{glyphs.arrow} {told.hint}"), style, width)]


def _folded(lead: Text, text: str, style: str, width: int) -> list[Text]:
    first, *more = folded(text, max(20, width - 3) if width else 0)
    line = Text(first, style=style)
    return [
        lead.append(Text(style="default").append(line)),
        *(Text(f"   {part}", style=style) for part in more),
    ]


def live(sight: Sight | None, seconds: float, waits: bool, glyphs: Glyphs) -> list[Text]:
    """The line of the live view: what it does, or what came; none when there is nothing to say."""
    if sight is None:
        return []
    said, shape = doing(sight, seconds, waits), Look.BUSY
    mark = glyphs.spinner[int(seconds * 10) % len(glyphs.spinner)]
    if sight.over:
        said = "; ".join(f"{told.subject}: {told.text}" for told in sight.told if told.good)
        mark, shape = glyphs.looks[Look.DONE], Look.DONE
    if not said:
        return []
    return [Text(f" {mark} ", style=COLOURS[shape]).append("git  ", style=STRONG).append(clean(said), style=FAINT)]
