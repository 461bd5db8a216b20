"""Waiting for what was asked: the supervisor's news reduced and drawn, in a live region or as plain lines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from msgspec.structs import replace

from devctl.api.protocol import Snapshot
from devctl.core.model import Runtime
from devctl.core.outcome import settled
from devctl.core.state import State
from devctl.errors import DevctlError
from devctl.ui.live import layout, plain, told
from devctl.ui.progress import Note, Progress, Tone, absorb, beside
from devctl.ui.pulled import Sight, doing
from devctl.ui.region import Region
from devctl.ui.theme import Screen

FRAME = 0.1
"""Seconds between two frames of the live view when nothing happens."""

HEAD_START = 0.3
"""Seconds for which a pull leaves the machine to the first service at most: setups may take minutes."""
PATIENCE = 1.0
"""Seconds for which a pull that is waited for need not be mentioned in a pipe."""

Words = Callable[[str], tuple[str, ...]]
"""The last log lines of a service."""


class Wake:
    """Something beside the stream is worth a look."""


Inbox = SimpleQueue[Snapshot | Exception | Wake | None]
"""What a wait listens to; None is the stream's end."""


class Beside(Protocol):
    """Work that goes on beside the wait and is part of it."""

    @property
    def sight(self) -> Sight:
        """How it is now."""

    def begin(self, wake: Callable[[], None]) -> None:
        """Begin; ``wake`` is called whenever ``sight`` is another."""


class Waiter:
    """Draws a stream of snapshots until ``done`` says so. ``verb``: what services are counted by."""

    def __init__(
        self,
        screen: Screen,
        words: Words,
        done: Callable[[Progress], bool],
        verb: str = "ready",
        pull: Beside | None = None,
    ) -> None:
        self.screen, self._words, self._done, self._verb, self._pull = screen, words, done, verb, pull
        self.notes: list[Note] = []
        self._alone_since, self._pull_told, self._pull_begun = 0.0, False, False
        self._evidence: dict[str, tuple[str, ...]] = {}

    def wait(self, progress: Progress, stream: Iterator[Snapshot]) -> Progress:
        """The progress when it is done, or when the stream ended. Raises DevctlError, KeyboardInterrupt."""
        return self._live(progress, stream) if self.screen.terminal else self._lines(progress, stream)

    def _lines(self, progress: Progress, stream: Iterator[Snapshot]) -> Progress:
        named = max((len(name) for name in progress.names), default=0)
        for news in self._ticking(stream) if self._pull else stream:
            progress, notes = self._absorb(progress, news)
            for note in notes:
                self.screen.write(plain(note, named))
            if self._done(progress):
                break
            if said := self._still_pulling(progress):
                self.screen.write(plain(Note("git", said), named))
        return progress

    def _still_pulling(self, progress: Progress) -> str:
        """What is waited for when all else has been done for a moment; told once."""
        sight, now = progress.sight, time.monotonic()
        if self._pull_told or not (sight and sight.asking and settled(progress.verdicts())):
            return ""
        self._alone_since = self._alone_since or now
        self._pull_told = now - self._alone_since > PATIENCE
        return doing(sight, now - progress.began, waits=True) if self._pull_told else ""

    def _live(self, progress: Progress, stream: Iterator[Snapshot]) -> Progress:
        with Region(self.screen) as region:
            for news in self._ticking(stream):
                progress, notes = self._absorb(progress, news)
                self._draw(region, progress, [note for note in notes if note.tone is Tone.BAD])
                if self._done(progress):
                    break
            region.clear()
        return progress

    def _ticking(self, stream: Iterator[Snapshot]) -> Iterator[Snapshot | None]:
        """The stream, and a look now and then. The pull begins once the supervisor has acted upon the request and the
        first service runs, so that it is in nobody's way; at the latest after HEAD_START."""
        inbox, began, first = Inbox(), time.monotonic(), 0.0
        for news in ticking(stream, FRAME, inbox):
            first = first or (time.monotonic() if news else 0.0)
            if self._pull and first and not self._pull_begun and (_under_way(news, began) or _past(first + HEAD_START)):
                self._pull_begun = True
                self._pull.begin(partial(inbox.put, Wake()))
            yield news

    def _draw(self, region: Region, progress: Progress, above: Iterable[Note]) -> None:
        glyphs, width = self.screen.glyphs, self.screen.width
        lines = layout(progress, time.monotonic(), width, self.screen.height, glyphs, self._verb)
        region.draw(lines, [line for note in above for line in told(note, glyphs, width)])

    def _absorb(self, progress: Progress, snapshot: Snapshot | None) -> tuple[Progress, tuple[Note, ...]]:
        came: tuple[Note, ...] = ()
        if self._pull and self._pull.sight != progress.sight:
            progress, came = beside(progress, self._pull.sight)
        if snapshot is None:
            return progress, came
        progress, notes = absorb(progress, snapshot)
        notes = tuple(self._with_words(note) for note in notes)
        self.notes += notes
        return progress, (*came, *notes)

    def _with_words(self, note: Note) -> Note:
        """With its last log lines, unless they are those that its failure before showed already."""
        if note.tone is not Tone.BAD:
            return note
        words = note.evidence or self._words(note.service)
        shown, self._evidence[note.service] = self._evidence.get(note.service), words
        return replace(note, evidence=() if words == shown else words)


def _under_way(news: Snapshot | None, began: float) -> bool:
    """Whether a service runs that has been started since, or none is to be started."""
    known = news.manifest.services if news and news.manifest else {}
    runs = [name for name, service in known.items() if service.runtime is not Runtime.LIBRARY]
    states = [news.states[name] for name in runs if name in news.wanted and name in news.states] if news else []
    going = [state for state in states if state.state not in {State.STOPPED, State.STARTING}]
    fresh = any(state.started_at is not None and state.started_at >= began for state in going)
    return fresh or (bool(states) and len(going) == len(states))


def _past(moment: float) -> bool:
    return time.monotonic() >= moment


def ticking(stream: Iterator[Snapshot], seconds: float, inbox: Inbox | None = None) -> Iterator[Snapshot | None]:
    """What comes, as it comes, and None whenever nothing came for ``seconds`` or somebody put a Wake into ``inbox``.
    Raises what the stream raises."""
    inbox = inbox or Inbox()
    threading.Thread(target=_pump, args=(stream, inbox), daemon=True).start()
    while True:
        try:
            item = inbox.get(timeout=seconds)
        except Empty:
            yield None
            continue
        if item is None:
            return
        if isinstance(item, Exception):
            raise item
        yield None if isinstance(item, Wake) else item


def _pump(stream: Iterator[Snapshot], inbox: Inbox) -> None:
    try:
        for snapshot in stream:
            inbox.put(snapshot)
    except (DevctlError, OSError) as error:
        inbox.put(error)
    finally:
        inbox.put(None)


def lost() -> DevctlError:
    """The supervisor went while it was being listened to."""
    return DevctlError("the supervisor went away", why="its services run on", hint="devctl status")


def screen() -> Screen:
    """Standard output."""
    return Screen(sys.stdout)


def tell(error: DevctlError) -> None:
    """Say on standard error what went wrong, where the command goes on nevertheless."""
    from devctl.ui.errors import drawn

    out = Screen(sys.stderr)
    out.write(drawn(error, out.glyphs, out.width))
