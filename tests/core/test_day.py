"""A day's account of histories: sleeping machines, killed supervisors, midnights, failures."""

from __future__ import annotations

import pytest

from devctl.core.day import Moment, Ran, services_of
from devctl.core.history import Began, Ended, Happened, Known, Record, Standing
from devctl.core.model import Dependency, HealthCheck, Manifest, ProcessSpec, Runtime, Service, TcpProbe
from devctl.core.state import (
    AnyEvent,
    Asked,
    Exited,
    ProbeFailed,
    ProbePassed,
    ProcessIdentity,
    ServiceState,
    SetupFailed,
    SetupStarted,
    Started,
    Starting,
    State,
    StopFor,
    Stopped,
    Stopping,
)

HOUR = 3600.0
DAY = 24 * HOUR
NIGHT = 1_000_000.0
"""The wall-clock time at which the day begins."""


def service(name: str, runtime: Runtime = Runtime.PROCESS, oneshot: bool = False) -> Service:
    check = HealthCheck(TcpProbe("localhost", 1), start_period=10, failure_threshold=1)
    return Service(
        name=name, runtime=runtime, process=ProcessSpec("run", "/"), oneshot=oneshot, health=None if oneshot else check,
        depends_on=(Dependency("db"),) if name == "web" else (),
    )  # fmt: skip


SERVICES = {
    each.name: each
    for each in (service("api"), service("web"), service("init", oneshot=True), service("auth", Runtime.EXTERNAL))
}
MANIFEST = Manifest(name="m", file="/f", root="/", services=SERVICES)


class Diary:
    """Writes down what a supervisor would. ``wall`` and ``now`` go on together unless the machine sleeps."""

    def __init__(self, wall: float = NIGHT + 9 * HOUR, now: float = 50.0, boot: str = "b") -> None:
        self.wall, self.now, self.boot = wall, now, boot
        self.records: list[Record] = []
        self.run: dict[str, int] = {}
        self.begin()

    def begin(self, states: dict[str, ServiceState] | None = None) -> None:
        began = Began(version="1", pid=1, boot=self.boot, wall=self.wall, now=self.now)
        self.records += [began, Known(manifest=MANIFEST), Standing(states=states or {})]

    def later(self, seconds: float, asleep: float = 0.0) -> None:
        self.wall += seconds + asleep
        self.now += seconds

    def happen(self, *events: AnyEvent) -> None:
        self.records += [Happened(at=self.wall, now=self.now, event=event) for event in events]

    def start(self, name: str) -> None:
        run = self.run[name] = self.run.get(name, 0) + 1
        identity = ProcessIdentity(pid=run, start=1)
        self.happen(Starting(service=name, run=run), Started(service=name, run=run, identity=identity))

    def stop(self, name: str) -> None:
        run = self.run[name]
        self.happen(Stopping(service=name, run=run, why=StopFor.DOWN), Stopped(service=name, run=run))

    def end(self, handover: bool = False) -> None:
        self.records.append(Ended(wall=self.wall, handover=handover))
        self.run = self.run if handover else {}

    def told(self, begin: float = NIGHT, boot: str = "") -> dict[str, Ran]:
        moment = Moment(wall=self.wall, now=self.now, boot=boot or self.boot)
        return {each.name: each for each in services_of(self.records, begin, begin + DAY, moment)}


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_what_still_runs_ran_until_now(diary: Diary) -> None:
    diary.start("api")
    diary.later(HOUR)
    assert diary.told() == {"api": Ran(name="api", seconds=HOUR, runs=1, running=True)}


def test_what_was_stopped_ran_until_then(diary: Diary) -> None:
    diary.start("api")
    diary.later(HOUR)
    diary.stop("api")
    diary.later(HOUR)
    diary.end()
    diary.later(HOUR)
    assert diary.told() == {"api": Ran(name="api", seconds=HOUR, runs=1)}


def test_a_machine_that_sleeps_runs_nothing(diary: Diary) -> None:
    diary.start("api")
    diary.later(HOUR, asleep=5 * HOUR)
    diary.happen(ProbePassed(service="api", run=1))
    diary.later(HOUR, asleep=HOUR)
    assert diary.told()["api"].seconds == 2 * HOUR


def test_a_clock_that_is_set_changes_nothing(diary: Diary) -> None:
    diary.start("api")
    diary.later(HOUR)
    diary.wall -= 3 * HOUR
    diary.happen(ProbePassed(service="api", run=1))
    diary.later(HOUR)
    assert diary.told()["api"].seconds == 2 * HOUR


def test_a_day_counts_only_its_own_part_of_a_night() -> None:
    diary = Diary(wall=NIGHT - 2 * HOUR)
    diary.start("api")
    diary.start("web")
    diary.later(HOUR)
    diary.stop("web")
    diary.later(4 * HOUR)
    assert diary.told() == {"api": Ran(name="api", seconds=3 * HOUR, runs=1, running=True)}
    diary.later(DAY)
    assert diary.told()["api"].seconds == DAY
    assert diary.told(NIGHT - DAY)["web"].seconds == HOUR
    assert diary.told(NIGHT - DAY)["api"].seconds == 2 * HOUR


def test_a_sleep_over_midnight_counts_at_most_what_was_awake() -> None:
    diary = Diary(wall=NIGHT - HOUR)
    diary.start("api")
    diary.later(2 * HOUR, asleep=7 * HOUR)
    assert diary.told()["api"].seconds == 2 * HOUR
    assert diary.told(NIGHT - DAY)["api"].seconds == HOUR


def test_services_outlive_a_killed_supervisor(diary: Diary) -> None:
    diary.start("api")
    diary.later(HOUR)
    running = ServiceState(name="api", state=State.RUNNING, run=1, identity=ProcessIdentity(pid=1, start=1))
    diary.begin({"api": running})
    diary.later(HOUR)
    diary.happen(Exited(service="api", run=1, code=1))
    assert diary.told()["api"].seconds == 2 * HOUR
    assert diary.told()["api"].runs == 1


def test_and_one_that_hands_over(diary: Diary) -> None:
    diary.start("api")
    diary.later(HOUR)
    diary.end(handover=True)
    diary.later(HOUR)
    running = ServiceState(name="api", state=State.RUNNING, run=1, identity=ProcessIdentity(pid=1, start=1))
    diary.begin({"api": running})
    diary.later(HOUR)
    assert diary.told() == {"api": Ran(name="api", seconds=3 * HOUR, runs=1, running=True)}


def test_several_supervisors_a_day_add_up(diary: Diary) -> None:
    for _ in range(3):
        diary.start("api")
        diary.later(HOUR)
        diary.stop("api")
        diary.end()
        diary.later(HOUR)
        diary.begin()
    assert diary.told() == {"api": Ran(name="api", seconds=3 * HOUR, runs=3)}


def test_after_a_start_of_the_machine_nothing_runs_on(diary: Diary) -> None:
    diary.start("api")
    diary.later(HOUR)
    diary.happen(ProbePassed(service="api", run=1))
    assert diary.told(boot="another")["api"] == Ran(name="api", seconds=HOUR, runs=1)
    diary.later(HOUR)
    diary.boot, diary.now = "another", diary.now + 7.0
    diary.begin()
    diary.run = {}
    diary.later(HOUR)
    diary.start("web")
    diary.later(HOUR)
    told = diary.told()
    assert told["api"] == Ran(name="api", seconds=HOUR, runs=1)
    assert told["web"].seconds == HOUR


def test_failures_with_their_causes_and_restarts_nobody_asked_for(diary: Diary) -> None:
    diary.start("api")
    diary.later(5)
    diary.happen(Exited(service="api", run=1, code=3, words=("Traceback", "KeyError: 'x'", "")))
    diary.later(1)
    diary.start("api")
    diary.later(HOUR)
    diary.stop("api")
    diary.start("api")
    told = diary.told()["api"]
    assert (told.runs, told.restarts, told.seconds) == (3, 1, HOUR + 5)
    (failure,) = told.failures
    assert (failure.at, failure.reason, failure.words) == (
        NIGHT + 9 * HOUR + 5, "ended with exit code 3", "KeyError: 'x'"
    )  # fmt: skip


def test_a_hung_service_failed_once(diary: Diary) -> None:
    diary.start("api")
    diary.happen(ProbePassed(service="api", run=1), ProbeFailed(service="api", run=1, reason="no answer"))
    diary.happen(ProbeFailed(service="api", run=1, reason="still no answer"))
    diary.happen(Stopping(service="api", run=1, why=StopFor.UNHEALTHY), Stopped(service="api", run=1))
    diary.start("api")
    told = diary.told()["api"]
    assert [failure.reason for failure in told.failures] == ["no answer"]
    assert told.restarts == 1


def test_a_setup_that_failed_and_one_that_was_broken_off(diary: Diary) -> None:
    diary.happen(Asked(service="api"), SetupStarted(service="api"), SetupFailed(service="api", reason="npm ci failed"))
    diary.happen(Asked(service="web"), SetupStarted(service="web"), SetupFailed(service="web"))
    told = diary.told()
    assert [failure.reason for failure in told["api"].failures] == ["npm ci failed"]
    assert "web" not in told


def test_a_one_shot_that_ended_well_did_not_fail(diary: Diary) -> None:
    diary.start("init")
    diary.later(2)
    diary.happen(Exited(service="init", run=1, code=0))
    assert diary.told() == {"init": Ran(name="init", seconds=2, runs=1)}


def test_what_somebody_else_runs_is_not_counted(diary: Diary) -> None:
    diary.start("auth")
    diary.later(HOUR)
    assert diary.told() == {}


def test_late_news_of_an_earlier_run_counts_nothing(diary: Diary) -> None:
    diary.start("api")
    diary.later(5)
    diary.happen(Exited(service="api", run=1, code=1))
    diary.start("api")
    diary.later(HOUR)
    diary.happen(Exited(service="api", run=1, code=1))
    assert len(diary.told()["api"].failures) == 1
    assert diary.told()["api"].running
