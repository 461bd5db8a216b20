"""What the services note down, in the order they do: who, what, when (CLOCK_MONOTONIC), with which pid."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Event:
    """A line of the file."""

    name: str
    what: str
    at: float
    pid: int


@dataclass
class Journal:
    """Reads on where it stopped; a line that is only half there waits for the next time."""

    path: Path
    events: list[Event] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> list[Event]:
        """All events so far."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        self.events += [parsed(line) for line in whole.decode().splitlines()]
        return self.events

    def first(self, what: str) -> dict[str, Event]:
        """Name → its first event of this kind."""
        found: dict[str, Event] = {}
        for event in self.read():
            if event.what == what:
                found.setdefault(event.name, event)
        return found

    def forget(self) -> None:
        """What was so far is no part of what comes."""
        self.read()
        self.events.clear()

    def until(
        self, done: Callable[[list[Event]], bool], timeout: float, alive: Callable[[], object] = lambda: None
    ) -> bool:
        """Whether ``done`` became true within ``timeout`` s; ``alive`` may raise."""
        deadline, seen = time.monotonic() + timeout, -1
        while True:
            events = self.read()
            if len(events) != seen:
                seen = len(events)
                if done(events):
                    return True
            if time.monotonic() > deadline:
                return False
            alive()
            time.sleep(0.01)


def parsed(line: str) -> Event:
    """One line."""
    name, what, at, pid = line.split()
    return Event(name, what, float(at), int(pid))
