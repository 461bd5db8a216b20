"""Waiting for what was asked: the supervisor's news reduced and drawn, in a live region or as plain lines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from queue import Empty, SimpleQueue

from devctl.api.protocol import Snapshot
from devctl.errors import DevctlError
from devctl.ui.live import layout, plain, told
from devctl.ui.progress import Note, Progress, Tone, absorb
from devctl.ui.region import Region
from devctl.ui.theme import Screen

FRAME = 0.1
"""Seconds between two frames of the live view when nothing happens."""

Words = Callable[[str], tuple[str, ...]]
"""The last log lines of a service."""


class Waiter:
    """Draws a stream of snapshots until ``done`` says so. ``verb``: what services are counted by."""

    def __init__(self, screen: Screen, words: Words, done: Callable[[Progress], bool], verb: str = "ready") -> None:
        self.screen, self._words, self._done, self._verb = screen, words, done, verb
        self.notes: list[Note] = []
        self._evidence: dict[str, tuple[str, ...]] = {}

    def wait(self, progress: Progress, stream: Iterator[Snapshot]) -> Progress:
        """The progress when it is done, or when the stream ended. Raises DevctlError, KeyboardInterrupt."""
        return self._live(progress, stream) if self.screen.terminal else self._lines(progress, stream)

    def _lines(self, progress: Progress, stream: Iterator[Snapshot]) -> Progress:
        named = max((len(name) for name in progress.names), default=0)
        for snapshot in stream:
            progress, notes = self._absorb(progress, snapshot)
            for note in notes:
                self.screen.write(plain(note, named))
            if self._done(progress):
                break
        return progress

    def _live(self, progress: Progress, stream: Iterator[Snapshot]) -> Progress:
        with Region(self.screen) as region:
            for snapshot in ticking(stream, FRAME):
                above: list[Note] = []
                if snapshot is not None:
                    progress, notes = self._absorb(progress, snapshot)
                    above = [note for note in notes if note.tone is Tone.BAD]
                self._draw(region, progress, above)
                if self._done(progress):
                    break
            region.clear()
        return progress

    def _draw(self, region: Region, progress: Progress, above: Iterable[Note]) -> None:
        glyphs, width = self.screen.glyphs, self.screen.width
        lines = layout(progress, time.monotonic(), width, self.screen.height, glyphs, self._verb)
        region.draw(lines, [line for note in above for line in told(note, glyphs, width)])

    def _absorb(self, progress: Progress, snapshot: Snapshot) -> tuple[Progress, tuple[Note, ...]]:
        progress, notes = absorb(progress, snapshot)
        notes = tuple(self._with_words(note) for note in notes)
        self.notes += notes
        return progress, notes

    def _with_words(self, note: Note) -> Note:
        """With its last log lines, unless they are those that its failure before showed already."""
        if note.tone is not Tone.BAD:
            return note
        words = note.evidence or self._words(note.service)
        shown, self._evidence[note.service] = self._evidence.get(note.service), words
        return replace(note, evidence=() if words == shown else words)


def ticking(stream: Iterator[Snapshot], seconds: float) -> Iterator[Snapshot | None]:
    """What comes, as it comes, and None whenever nothing came for ``seconds``. Raises what the stream raises."""
    inbox: SimpleQueue[Snapshot | Exception | None] = SimpleQueue()
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
        yield item


def _pump(stream: Iterator[Snapshot], inbox: SimpleQueue[Snapshot | Exception | None]) -> None:
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
