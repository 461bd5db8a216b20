"""A wait with a pull beside it: when that begins, and when the wait is over."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from msgspec.structs import replace

from devctl.api.protocol import Snapshot
from devctl.cli.outcome import is_settled
from devctl.cli.waiting import FRAME, Waiter
from devctl.core.model import Manifest, Runtime, Service
from devctl.core.state import ServiceState, State
from devctl.ui.progress import Progress, beside
from devctl.ui.pulled import Sight, Told
from devctl.ui.theme import Screen

API = Service(name="api", runtime=Runtime.PROCESS)
MANIFEST = Manifest(name="m", file="/f", root="/", services={"api": API})
UP = Snapshot(
    version="1", pid=1, started=1.0, clock=(1.0, 1.0), manifest=MANIFEST,
    states={"api": ServiceState(name="api", state=State.RUNNING, run=1, started_at=1.0, ready_at=1.0)},
)  # fmt: skip


class Pull:
    """Asks somebody who takes his time."""

    def __init__(self) -> None:
        self.sight = Sight(limit=20.0)
        self.begun = 0
        self.wake: Callable[[], None] = lambda: None

    def begin(self, wake: Callable[[], None]) -> None:
        self.begun += 1
        self.wake = wake
        self.sight = replace(self.sight, asking=("origin",))

    def end(self, **changes: object) -> None:
        self.sight = replace(self.sight, asking=(), over=True, **changes)
        self.wake()


class Terminal(io.StringIO):
    """As a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[io.StringIO, Terminal])
def out(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A pipe, and a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    return Screen(request.param())


def wait(out: Screen, pull: Pull, stream: Iterator[Snapshot]) -> Progress:
    waiter = Waiter(out, lambda _: (), lambda seen: is_settled(seen) and seen.pull_over, pull=pull)
    progress, _ = beside(Progress(MANIFEST, ("api",), time.monotonic()), pull.sight)
    return waiter.wait(progress, stream)


def test_nothing_is_asked_before_the_supervisor_has_acted(out: Screen) -> None:
    pull, begun = Pull(), []

    def stream() -> Iterator[Snapshot]:
        time.sleep(3 * FRAME)  # frames are drawn meanwhile
        begun.append(pull.begun)
        yield UP
        while not pull.begun:
            time.sleep(0.005)
        pull.end()
        yield UP

    assert wait(out, pull, stream()).pull_over
    assert begun == [0]
    assert pull.begun == 1


@pytest.mark.parametrize("state", [State.STOPPED, State.STARTING])
def test_the_first_service_goes_first(out: Screen, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devctl.cli.waiting.HEAD_START", 600.0)
    pull, begun = Pull(), []
    waits = msgspec.structs.replace(UP, states={"api": ServiceState(name="api", state=state)}, wanted=("api",))

    def stream() -> Iterator[Snapshot]:
        yield waits
        time.sleep(3 * FRAME)
        begun.append(pull.begun)
        yield msgspec.structs.replace(UP, wanted=("api",))
        while not pull.begun:
            time.sleep(0.005)
        pull.end()
        yield UP

    assert wait(out, pull, stream()).pull_over
    assert begun == [0]


def test_but_not_for_ever(out: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its setup may take minutes."""
    monkeypatch.setattr("devctl.cli.waiting.HEAD_START", FRAME)
    pull = Pull()
    waits = msgspec.structs.replace(UP, states={"api": ServiceState(name="api")}, wanted=("api",))

    def stream() -> Iterator[Snapshot]:
        yield waits
        while not pull.begun:
            time.sleep(0.005)
        pull.end()
        yield UP

    assert wait(out, pull, stream()).pull_over


def test_it_ends_when_what_came_has_been_acted_upon(out: Screen) -> None:
    """The pull is over, but the last news is from before the supervisor heard of it: api looks ready, and is not."""
    pull, told = Pull(), Told("src", "2 commits pulled from origin/dev", good=True)
    seen: list[str] = []

    def stream() -> Iterator[Snapshot]:
        yield UP
        while not pull.begun:
            time.sleep(0.005)
        pull.end(renewals=1, told=(told,))
        yield UP
        time.sleep(3 * FRAME)
        seen.append("still waiting")
        yield msgspec.structs.replace(UP, renewals=1)
        time.sleep(600)

    assert wait(out, pull, stream()).renewals == 1
    assert seen == ["still waiting"]


def test_a_pipe_is_told_once_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devctl.cli.waiting.PATIENCE", 0.0)
    pull, out = Pull(), Screen(io.StringIO())

    def stream() -> Iterator[Snapshot]:
        yield UP
        while "waiting for" not in out.stream.getvalue():  # type: ignore[attr-defined]
            time.sleep(0.005)
        yield UP
        time.sleep(2 * FRAME)
        pull.end()
        time.sleep(600)

    wait(out, pull, stream())
    (line,) = out.stream.getvalue().splitlines()  # type: ignore[attr-defined]
    assert line.startswith("git  waiting for origin")
    assert line.endswith("of at most 20 s")
