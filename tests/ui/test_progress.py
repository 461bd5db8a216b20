"""Histories of snapshots → what is told, made with the real state machine."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from devctl.api.client import merge
from devctl.api.protocol import Snapshot
from devctl.core.lifecycle import step
from devctl.core.model import Manifest, RestartPolicy
from devctl.core.outcome import Verdict
from devctl.core.plan import Hold
from devctl.core.state import (
    AnyEvent,
    Asked,
    Exited,
    ProbeFailed,
    ProbePassed,
    ServiceState,
    SetupDone,
    SetupFailed,
    SetupStarted,
    Started,
    Starting,
    StopFailed,
    StopFor,
    Stopped,
    Stopping,
)
from devctl.core.state import ProcessIdentity as Process
from devctl.ui.progress import Note, Progress, Tone, absorb, all_stopped, not_stopped

BEGAN = 100.0


class Story:
    """A history: each event steps its service's state and is absorbed at once, from what changed as from the whole."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest, self.now, self.states = manifest, BEGAN, dict[str, ServiceState]()
        self.progress = Progress(manifest, tuple(manifest.services), BEGAN)
        self.told: list[Note] = []
        self.holds: tuple[Hold, ...] = ()
        self.whole: Snapshot | None = None

    def tell(self, *events: AnyEvent) -> Story:
        for event in events:
            self.now += 1
            before = self.states.get(event.service) or ServiceState(name=event.service)
            self.states[event.service] = step(self.manifest.services[event.service], before, event, self.now)
        return self.look()

    def look(self) -> Story:
        self.whole = merge(self.whole, self._news(self.whole)) if self.whole else self._all()
        expected = absorb(self.progress, msgspec.structs.replace(self.whole, touched=None))
        assert absorb(self.progress, self.whole) == expected
        self.progress, notes = expected
        self.told += notes
        return self

    def _all(self) -> Snapshot:
        return Snapshot(
            version="1",
            pid=1,
            started=1.0,
            clock=(self.now, 1e9),
            states=dict(self.states),
            holds=self.holds,
            whole=True,
        )

    def _news(self, before: Snapshot) -> Snapshot:
        """What is another than before, as the supervisor tells it."""
        known, held = before.states, {hold.service: hold for hold in before.holds}
        return msgspec.structs.replace(
            self._all(),
            whole=False,
            states={name: state for name, state in self.states.items() if state is not known.get(name)},
            holds=tuple(hold for hold in self.holds if hold is not held.get(hold.service)),
            released=tuple(held.keys() - {hold.service for hold in self.holds}),
        )

    @property
    def texts(self) -> list[str]:
        return [f"{note.service} {note.text}" for note in self.told]


@pytest.fixture
def story(make: SimpleNamespace) -> Callable[..., Story]:
    """``story(…services)``"""

    def begin(*services: Any) -> Story:
        return Story(make.manifest(*services))

    return begin


def begun(name: str, run: int = 1) -> tuple[AnyEvent, ...]:
    return Starting(service=name, run=run), Started(service=name, run=run, identity=Process(pid=9, start=1))


def test_an_ordinary_start_is_three_lines_a_service(story: Any, make: Any) -> None:
    told = story(make.service("db", port=1), make.service("api", port=2, needs=["db"]))
    told.tell(Asked(service="db"), SetupDone(service="db"), Asked(service="api"), SetupDone(service="api"))
    told.holds = (Hold(service="api", reason="waits for db to be healthy", on=("db",)),)
    told.tell(Starting(service="db", run=1))
    told.tell(Started(service="db", run=1, identity=Process(pid=9, start=1)))
    told.tell(ProbeFailed(service="db", run=1, reason="connection refused"))
    told.tell(ProbePassed(service="db", run=1))
    told.holds = ()
    told.tell(*begun("api"))
    told.tell(ProbePassed(service="api", run=1))
    assert told.texts == [
        "db starting",
        "api waits for db to be healthy",
        "db healthy after 3.0 s  http://localhost:1/",
        "api starting",
        "api healthy after 2.0 s  http://localhost:2/",
    ]
    assert set(told.progress.verdicts().values()) == {Verdict.READY}
    assert told.progress.touched() == ("db", "api")


def test_what_was_up_already_is_not_told(story: Any, make: Any) -> None:
    told = story(make.service("db"))
    told.states["db"] = make.healthy("db", since=5.0)
    told.look().tell(ProbePassed(service="db", run=1))
    assert told.texts == []
    assert told.progress.touched() == ()
    assert told.progress.begun("db") is None


def test_several_steps_in_one_snapshot_are_told_by_where_they_led(story: Any, make: Any) -> None:
    told = story(make.service("db")).tell(*begun("db"), ProbePassed(service="db", run=1))
    assert told.texts == ["db healthy after 2.0 s"]


def test_a_failure_is_told_at_once_with_its_last_words_and_each_only_once(story: Any, make: Any) -> None:
    service = make.service("web", restart=RestartPolicy(max_retries=1))
    told = (
        story(service).tell(*begun("web")).tell(Exited(service="web", run=1, code=1, words=("boom\x1b[31m", "\tat x")))
    )
    told.look().look()
    first = told.told[-1]
    assert (first.tone, first.text, first.evidence) == (
        Tone.BAD, "ended with exit code 1; is tried again", ("boom", "    at x"),
    )  # fmt: skip
    told.tell(*begun("web", 2)).tell(Exited(service="web", run=2, code=1, words=("boom",))).look()
    assert told.texts == [
        "web starting",
        "web ended with exit code 1; is tried again",
        "web starting",
        "web has failed: ended with exit code 1, 2 times in a row",
    ]


def test_sickness_and_recovery_are_told(story: Any, make: Any) -> None:
    told = story(make.service("api")).tell(*begun("api"), ProbePassed(service="api", run=1))
    for _ in range(4):
        told.tell(ProbeFailed(service="api", run=1, reason="no answer"))
    told.tell(Stopping(service="api", run=1, why=StopFor.UNHEALTHY)).tell(Stopped(service="api", run=1))
    assert told.texts[1] == "api is unhealthy: no answer"
    assert told.texts[-1] == "api no answer; is tried again"


def test_setup_is_told_and_so_is_its_failure(story: Any, make: Any) -> None:
    told = story(make.service("web")).tell(Asked(service="web"), SetupStarted(service="web"))
    assert told.progress.setups == {"web": 102.0}
    told.tell(SetupFailed(service="web", reason="npm ci failed", words=("ERR!",), hint="npm ci"))
    assert told.texts == ["web being set up", "web could not be set up: npm ci failed"]
    assert told.told[-1].hint == "npm ci"
    assert told.progress.begun("web") == 102.0


def test_a_one_shot_completes_and_a_service_without_a_check_runs(story: Any, make: Any) -> None:
    told = story(make.service("init", oneshot=True, health=None))
    told.tell(*begun("init")).tell(Exited(service="init", run=1, code=0))
    assert told.texts == ["init starting", "init completed after 2.0 s"]


def test_stopping_is_told_with_its_reason_and_what_cannot_be_stopped_is_named(story: Any, make: Any) -> None:
    told = story(make.service("a"), make.service("b"))
    told.tell(*begun("a"), ProbePassed(service="a", run=1), *begun("b"), ProbePassed(service="b", run=1))
    told.told.clear()
    assert not all_stopped(told.progress)
    told.tell(Stopping(service="a", run=1, why=StopFor.DOWN, reason="no longer wanted"))
    told.tell(Stopped(service="a", run=1))
    told.tell(Stopping(service="b", run=1, why=StopFor.DOWN))
    told.tell(StopFailed(service="b", run=1, reason="pid 9 does not end"))
    assert told.texts == ["a stopping: no longer wanted", "a stopped", "b stopping", "b has failed: pid 9 does not end"]
    assert not_stopped(told.progress) == {"b": "pid 9 does not end"}


def test_a_wait_is_told_once_however_often_its_reason_changes(story: Any, make: Any) -> None:
    told = story(make.service("a"), make.service("b"), make.service("c", needs=["a", "b"]))
    told.tell(*begun("a"), *begun("b"))
    told.states["c"] = ServiceState(name="c")
    for reason, on in (("waits for a; waits for b", ("a", "b")), ("waits for b", ("b",)), ("waits for b", ("b",))):
        told.holds = (Hold(service="c", reason=reason, on=on),)
        told.look()
    assert [text for text in told.texts if text.startswith("c ")] == ["c waits for a; waits for b"]
