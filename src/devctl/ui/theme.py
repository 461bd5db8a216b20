"""How states look: a symbol that also speaks without colour, a colour, a word. And the screen they are written to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import StrEnum
from typing import TextIO

import msgspec

from devctl.core.model import Runtime, Service
from devctl.core.plan import Hold
from devctl.core.reconcile import schema_holds
from devctl.core.state import Health, SchemaVerdict, ServiceState, Setup, State
from devctl.ui.paint import painted, takes_colour
from devctl.ui.text import Text


class Look(StrEnum):
    """What a service looks like at a glance."""

    READY = "ready"
    DONE = "done"
    BUSY = "busy"
    WAITING = "waiting"
    RETRYING = "retrying"
    FAILED = "failed"
    STOPPED = "stopped"


COLOURS = {
    Look.READY: "green",
    Look.DONE: "green",
    Look.BUSY: "cyan",
    Look.WAITING: "bright_black",
    Look.RETRYING: "yellow",
    Look.FAILED: "bold red",
    Look.STOPPED: "bright_black",
}
FAINT = "bright_black"
STRONG = "bold"


class Glyphs(msgspec.Struct, frozen=True):
    """The signs a terminal can show. No two looks share one, so colour is never needed to tell them apart."""

    looks: dict[Look, str]
    spinner: str
    bar: str
    rail: str
    branch: str
    quote: str
    arrow: str
    ellipsis: str
    dot: str
    restarts: str


RICH = Glyphs(
    looks=dict(zip(Look, "●✓◐○↻✗·", strict=True)),
    spinner="⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    bar="━",
    rail="╌",
    branch="└",
    quote="│",
    arrow="→",
    ellipsis="…",
    dot="·",
    restarts="↻",
)
ASCII = Glyphs(
    looks=dict(zip(Look, "*+~o!x.", strict=True)),
    spinner="|/-\\",
    bar="=",
    rail="-",
    branch="`",
    quote="|",
    arrow="->",
    ellipsis="~",
    dot="-",
    restarts="R",
)


def look(service: Service, state: ServiceState, hold: Hold | None = None) -> Look:
    """The look of a service in this state; ``hold`` is what it waits for."""
    match state.state:
        case State.RUNNING:
            return _running(service, state)
        case State.STARTING | State.STOPPING:
            return Look.BUSY
        case State.BACKOFF:
            return Look.RETRYING
        case State.FATAL:
            return Look.FAILED
        case State.EXITED:
            return Look.DONE if state.completed else Look.FAILED
    if state.setup in {Setup.RUNNING, Setup.FAILED}:
        return Look.BUSY if state.setup is Setup.RUNNING else Look.FAILED
    return Look.WAITING if hold else Look.STOPPED


def _running(service: Service, state: ServiceState) -> Look:
    if shown_health(state) is Health.UNHEALTHY:
        return Look.FAILED
    return Look.READY if ready(service, state) else Look.BUSY


def ready(service: Service, state: ServiceState) -> bool:
    """Whether it is up: healthy; without a check, running long enough to count; a one-shot, completed."""
    if service.oneshot or state.state is not State.RUNNING:
        return state.completed
    healthy = state.health is Health.HEALTHY if service.health else state.ready_at is not None
    return healthy and not schema_holds(service, state)


def shown_health(state: ServiceState) -> Health:
    """Its health, and its database's: a schema that is behind its models is an illness that no restart mends."""
    if state.state is State.RUNNING and state.health is not Health.UNHEALTHY:
        if state.schema.verdict is SchemaVerdict.BEHIND:
            return Health.UNHEALTHY
        if state.schema.verdict is SchemaVerdict.PENDING:
            return Health.STARTING
    return state.health


def word(service: Service, state: ServiceState, hold: Hold | None = None) -> str:
    """State and health in one word."""
    if service.runtime is Runtime.LIBRARY:
        return "library"
    if state.state is State.RUNNING and (health := shown_health(state)) is not Health.NONE:
        return health.value
    if state.state is State.STOPPED and state.setup is Setup.RUNNING:
        return "setup"
    if state.state is State.EXITED and state.completed:
        return "completed"
    names = {State.BACKOFF: "retrying", State.FATAL: "failed", State.EXITED: "ended"}
    waiting = state.state is State.STOPPED and hold is not None
    return "waiting" if waiting else names.get(state.state, state.state.value)


class Screen:
    """A stream and what it can show. Nothing is ever wrapped: lines are made to fit before they come here."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.terminal = stream.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
        self.glyphs = RICH if (stream.encoding or "utf-8").lower().startswith("utf") else ASCII
        self.colourless = os.environ.get("NO_COLOR", "") != ""
        self._plain = not takes_colour(os.environ, self.terminal)

    @property
    def width(self) -> int:
        """Columns; 0 for a pipe, where a line may be as long as it likes."""
        return self._size()[0] if self.terminal else 0

    @property
    def height(self) -> int:
        """Lines of the terminal."""
        return self._size()[1]

    def _size(self) -> tuple[int, int]:
        """As it is now. COLUMNS and LINES are asked where the stream itself has no size."""
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except OSError:
            size = os.terminal_size((0, 0))
        if size.columns and size.lines:
            return size
        import shutil

        return shutil.get_terminal_size()

    def rendered(self, line: Text) -> str:
        """The line with the escape sequences this terminal takes."""
        if "\t" in line.plain:
            line = line.expanded()
        return line.plain if self._plain else painted(line, self.colourless)

    def write(self, lines: Iterable[Text]) -> None:
        """Print lines; a pipe gets them without colour, unless FORCE_COLOR asks for it."""
        text = "".join(self.rendered(line) + "\n" for line in lines)
        self.stream.write(text)
        self.stream.flush()
