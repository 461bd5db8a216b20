"""The single writer: what it takes in, in which order it records, acts and tells, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from devctl.api.client import merge
from devctl.api.protocol import Down, Handover, Renew, Request, Restart, Snapshot, Status, Up
from devctl.core.model import Dependency, HealthCheck, Manifest, ProcessSpec, Runtime, Service, TcpProbe
from devctl.core.state import (
    AnyEvent,
    Asked,
    Exited,
    Health,
    ProbePassed,
    ProcessIdentity,
    ServiceState,
    Setup,
    SetupDone,
    SetupFailed,
    Started,
    StartFailed,
    State,
    StopFailed,
    Stopped,
)
from devctl.supervisor.journal import Ended, Happened, Journal, Past, read, recover
from devctl.supervisor.loop import Loop

CHECK = HealthCheck(probe=TcpProbe(host="h", port=1))
WHO = ProcessIdentity(pid=7, start=1)
replace = msgspec.structs.replace


def service(name: str, *needs: str, command: str = "run", health: HealthCheck | None = CHECK) -> Service:
    return Service(
        name=name,
        runtime=Runtime.PROCESS,
        process=ProcessSpec(command=command, path="/"),
        health=health,
        depends_on=tuple(Dependency(service=need) for need in needs),
    )


def manifest(*services: Service) -> Manifest:
    return Manifest(name="m", file="/f", root="/", services={one.name: one for one in services})


CHAIN = manifest(service("db"), service("api", "db"), service("ui", "api"))


class Bench:
    """A loop whose effects are only written down; ``did`` holds them in order."""

    def __init__(self, path: Path, past: Past | None = None) -> None:
        self.path, self.now = path, 100.0
        self.did: list[str] = []
        self.journal = Journal(path)
        self.loop = Loop(self.journal, past or Past(), clock=lambda: self.now, wall=lambda: self.now)
        self.loop.effects = self
        self.told: list[Snapshot] = []
        self.loop.publish = self.told.append

    def prepare(self, services: list[Service]) -> None:
        self.did.append("prepare " + " ".join(one.name for one in services))

    def start(self, service: Service, run: int) -> None:
        on_record = [record.event for record in read(self.path) if isinstance(record, Happened)]
        assert any(event.run == run and event.service == service.name for event in on_record)
        self.did.append(f"start {service.name} {run}")

    def stop(self, service: Service, run: int) -> None:
        self.did.append(f"stop {service.name} {run}")

    def interrupt_setup(self, name: str) -> None:
        self.did.append(f"interrupt {name}")

    def changed(self, service: Service, after: ServiceState) -> None:
        if service.health != CHECK:
            self.did.append(f"watch {service.name}")

    def asked(self, request: Up) -> None:
        self.did.append("asked")

    def turn(self, *items: AnyEvent | Request) -> list[str]:
        """One turn with these in the inbox; what was done in it."""
        self.did = []
        for item in items:
            self.loop.post(item)
        self.loop.turn()
        return self.did

    def bring_up(self, name: str, run: int = 1) -> list[str]:
        done = self.turn(SetupDone(service=name))
        done += self.turn(Started(service=name, run=run, identity=WHO), ProbePassed(service=name, run=run))
        return done

    def state(self, name: str) -> ServiceState:
        return self.loop.states[name]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@pytest.fixture
def bench(path: Path) -> Bench:
    return Bench(path)


def up(of: Manifest, *names: str) -> Up:
    return Up(manifest=of, names=names or tuple(of.services))


@pytest.fixture
def all_up(bench: Bench) -> Bench:
    bench.turn(up(CHAIN))
    for name in CHAIN.services:
        bench.bring_up(name)
    return bench


def test_up_prepares_everything_and_starts_each_the_moment_it_can(bench: Bench) -> None:
    assert bench.turn(up(CHAIN)) == ["asked", "prepare db api ui"]
    assert bench.turn(SetupDone(service="ui"), SetupDone(service="db")) == ["start db 1"]
    assert bench.turn(SetupDone(service="api")) == []
    assert bench.turn(Started(service="db", run=1, identity=WHO)) == []
    assert bench.turn(ProbePassed(service="db", run=1)) == ["start api 1"]
    assert bench.loop.holds["ui"].reason == "waits for api to be healthy"


def test_pulled_sources_restart_what_they_touch_and_only_have_the_rest_looked_at(all_up: Bench) -> None:
    did = all_up.turn(Renew(up=up(CHAIN), changed={"api": "2 commits pulled"}))
    assert did == ["asked", "stop api 1", "prepare db api ui"]
    assert all_up.told[-1].renewals == 1
    for name in CHAIN.services:
        all_up.turn(SetupDone(service=name))
    assert all_up.turn(Stopped(service="api", run=1)) == ["start api 2"]
    assert all_up.state("db").run == all_up.state("ui").run == 1


def test_a_renewal_brings_up_what_is_new_in_the_manifest_and_nothing_that_was_taken_down(all_up: Bench) -> None:
    all_up.turn(Down(names=("ui",)))
    all_up.turn(Stopped(service="ui", run=1))
    wider = manifest(*CHAIN.services.values(), service("docs", "api"))
    assert "prepare db api docs" in all_up.turn(Renew(up=up(wider), changed={"ui": "2 commits pulled"}))
    assert all_up.loop.wanted == {"db", "api", "docs"}
    assert all_up.turn(SetupDone(service="docs")) == ["start docs 1"]


def test_a_renewal_after_down_changes_nothing_and_is_told_all_the_same(all_up: Bench) -> None:
    all_up.turn(Down())
    told = len(all_up.told)
    assert all_up.turn(Renew(up=up(CHAIN), changed={"api": "2 commits pulled"})) == []
    assert all_up.loop.wanted == frozenset()
    assert all_up.told[told].renewals == all_up.loop.snapshot().renewals == 1


def test_down_stops_the_last_first_and_ends_the_supervisor(all_up: Bench) -> None:
    assert all_up.turn(Down()) == ["stop ui 1"]
    assert all_up.turn(Stopped(service="ui", run=1)) == ["stop api 1"]
    assert all_up.turn(Stopped(service="api", run=1)) == ["stop db 1"]
    assert not all_up.loop._over()
    all_up.turn(Stopped(service="db", run=1))
    assert all_up.loop._over()


def test_down_of_one_takes_what_needs_it_and_leaves_the_rest(all_up: Bench) -> None:
    assert all_up.turn(Down(names=("api",))) == ["stop ui 1"]
    all_up.turn(Stopped(service="ui", run=1))
    all_up.turn(Stopped(service="api", run=1))
    assert all_up.loop.wanted == {"db"}
    assert not all_up.loop._over()


def test_up_while_it_goes_down_begins_again_as_soon_as_the_old_run_is_gone(all_up: Bench) -> None:
    all_up.turn(Down())
    assert all_up.turn(up(CHAIN)) == ["asked", "prepare db api"]
    assert all_up.turn(SetupDone(service="api"), SetupDone(service="db")) == []
    assert all_up.turn(Stopped(service="ui", run=1)) == ["prepare ui"]
    assert all_up.turn(SetupDone(service="ui")) == ["start ui 2"]
    assert not all_up.loop._leaving


def test_up_with_a_name_nobody_knows_harms_nothing(bench: Bench) -> None:
    assert bench.turn(up(CHAIN, "ghost")) == ["asked"]
    assert bench.loop.wanted == frozenset()
    assert bench.turn(Down(names=("ghost",)), Restart(names=("ghost",))) == []


def test_up_of_a_name_brings_up_what_it_needs_whatever_the_command_sent(bench: Bench) -> None:
    assert bench.turn(up(CHAIN, "ui")) == ["asked", "prepare db api ui"]
    assert bench.loop.wanted == set(CHAIN.services)


def test_restart_is_a_new_run_of_the_same_and_leaves_its_dependents_running(all_up: Bench) -> None:
    assert all_up.turn(Restart(names=("api",))) == ["stop api 1", "prepare api"]
    assert all_up.turn(SetupDone(service="api"), Stopped(service="api", run=1)) == ["start api 2"]
    assert all_up.state("ui").state is State.RUNNING


def test_restart_of_something_stopped_sets_up_what_it_needs_too(bench: Bench) -> None:
    bench.turn(up(manifest(*CHAIN.services.values(), service("other")), "other"))
    assert bench.turn(Restart(names=("api",))) == ["prepare api db"]
    assert bench.loop.wanted == {"other", "db", "api"}


def test_down_breaks_off_a_setup(bench: Bench) -> None:
    bench.turn(up(CHAIN))
    assert bench.turn(Down()) == ["interrupt db", "interrupt api", "interrupt ui"]
    bench.turn(SetupFailed(service="db"))
    assert bench.state("db").setup is Setup.NEEDED


def test_a_setup_that_was_edited_is_broken_off_and_begun_anew(bench: Bench) -> None:
    bench.turn(up(CHAIN))
    edited = manifest(service("db", command="another"), *list(CHAIN.services.values())[1:])
    assert bench.turn(up(edited)) == ["interrupt db", "asked"]
    assert bench.turn(SetupFailed(service="db")) == ["prepare db"]


def test_a_check_that_was_edited_is_watched_at_once(all_up: Bench) -> None:
    other = replace(CHECK, period=1.0)
    edited = manifest(service("db", health=other), *list(CHAIN.services.values())[1:])
    assert all_up.turn(up(edited, "ui"))[0] == "watch db"


def test_a_service_gone_from_the_manifest_is_stopped_and_its_dependents_first(all_up: Bench) -> None:
    left = manifest(service("db"))
    assert all_up.turn(up(left)) == ["asked", "stop ui 1", "prepare db"]
    assert all_up.turn(Stopped(service="ui", run=1)) == ["stop api 1"]
    all_up.turn(Stopped(service="api", run=1))
    assert set(all_up.loop.services) == {"db", "api", "ui"}
    all_up.turn(up(manifest(service("db"), service("new")), "db"))
    assert set(all_up.loop.services) == {"db", "new"}


def test_a_service_that_comes_back_to_the_manifest_goes_on_counting_its_runs(all_up: Bench) -> None:
    all_up.turn(Down(names=("ui",)))
    all_up.turn(Stopped(service="ui", run=1))
    all_up.turn(up(manifest(service("db"), service("api", "db"))))
    all_up.turn(up(CHAIN))
    assert "start ui 2" in all_up.bring_up("ui", 2)
    all_up.turn(Exited(service="ui", run=1, code=1))
    assert all_up.state("ui").state is State.RUNNING


def test_a_hold_of_a_service_that_is_gone_is_gone_too(bench: Bench) -> None:
    """Its moment would pass and the loop would never sleep again."""
    bench.turn(up(manifest(service("db"), service("api"))))
    bench.bring_up("db")
    bench.bring_up("api")
    bench.turn(Exited(service="api", run=1, code=1))
    assert bench.loop.holds["api"].until is not None
    bench.turn(up(manifest(service("db"))), StartFailed(service="db", run=9, reason="of another run"))
    bench.turn(Stopped(service="api", run=1))
    assert "api" not in bench.loop.holds


def test_the_loop_wakes_by_itself_when_a_delay_is_over(all_up: Bench) -> None:
    all_up.turn(Exited(service="ui", run=1, code=1))
    assert all_up.turn() == []
    all_up.now += 0.5
    assert all_up.turn() == ["start ui 2"]


def test_what_cannot_be_stopped_is_tried_again_by_the_next_down_and_before_the_next_start(all_up: Bench) -> None:
    all_up.turn(Down(names=("ui",)))
    stuck = StopFailed(service="ui", run=1, reason="in the kernel")
    assert all_up.turn(stuck) == []
    assert all_up.turn(Down(names=("ui",))) == ["stop ui 1"]
    all_up.turn(stuck)
    assert "stop ui 1" in all_up.turn(up(CHAIN))
    all_up.turn(SetupDone(service="ui"))
    assert all_up.turn(Stopped(service="ui", run=1)) == ["start ui 2"]


def test_a_supervisor_whose_service_cannot_be_stopped_ends_all_the_same(bench: Bench) -> None:
    bench.turn(up(manifest(service("db"))))
    bench.bring_up("db")
    bench.turn(Down())
    bench.turn(StopFailed(service="db", run=1, reason="in the kernel"))
    assert bench.loop._over()


def test_an_event_that_cannot_be_is_logged_and_changes_nothing(all_up: Bench, caplog: pytest.LogCaptureFixture) -> None:
    before = dict(all_up.loop.states)
    all_up.turn(Started(service="db", run=1, identity=WHO), Exited(service="ghost", code=0))
    assert all_up.loop.states == before
    assert "cannot be" in caplog.text


# -- telling


def test_listeners_hear_what_changed_and_can_put_the_whole_together(bench: Bench) -> None:
    whole = bench.loop.snapshot()
    for step in (
        [up(CHAIN)],
        [SetupDone(service="db"), SetupDone(service="api")],
        [Started(service="db", run=1, identity=WHO), ProbePassed(service="db", run=1)],
        [up(manifest(service("db"), service("new", "db")))],
        [Down()],
    ):
        bench.turn(*step)
    for news in bench.told:
        whole = merge(whole, news)
    full = bench.loop.snapshot()
    assert (whole.states, whole.wanted, whole.manifest) == (full.states, full.wanted, full.manifest)
    assert {hold.service: hold for hold in whole.holds} == bench.loop.holds


def test_a_turn_in_which_nothing_changed_tells_nothing(all_up: Bench) -> None:
    all_up.told.clear()
    all_up.turn(Status(), ProbePassed(service="db", run=1))
    assert all_up.told == []


def test_a_change_of_wishes_alone_is_told(bench: Bench) -> None:
    bench.turn(up(manifest(service("db"))))
    bench.turn(SetupFailed(service="db", reason="npm"))
    bench.told.clear()
    bench.turn(Down(names=("db",)))
    assert [news.wanted for news in bench.told] == [()]


def test_only_what_changed_travels(all_up: Bench) -> None:
    all_up.told.clear()
    all_up.turn(Exited(service="ui", run=1, code=3))
    (news,) = all_up.told
    assert (set(news.states), news.manifest) == ({"ui"}, None)
    assert [type(event) for event in news.events] == [Exited]


# -- the journal


def test_another_supervisor_knows_exactly_what_this_one_knew(all_up: Bench, path: Path) -> None:
    all_up.turn(Exited(service="ui", run=1, code=1), Down(names=("api",)))
    all_up.turn(up(manifest(service("db"))))
    all_up.turn(SetupDone(service="db"))
    lines = path.read_bytes()
    path.write_bytes(b'{"type":"began","version":"1","pid":1,"boot":"b","wall":0.0,"now":0.0}\n' + lines)
    past = recover(path, "b")
    successor = Loop(Journal(path), past)
    assert (successor.states, successor.wanted, successor.manifest, successor.services) == (
        all_up.loop.states,
        all_up.loop.wanted,
        all_up.loop.manifest,
        all_up.loop.services,
    )


def test_after_lost_records_everything_is_said_again(bench: Bench, path: Path) -> None:
    bench.turn(up(CHAIN))
    bench.journal.problem = "the journal cannot be written: No space left on device"
    path.write_bytes(b'{"type":"began","version":"1","pid":1,"boot":"b","wall":0.0,"now":0.0}\n')
    bench.turn(SetupDone(service="db"))
    past = recover(path, "b")
    assert (past.manifest, frozenset(past.wanted)) == (CHAIN, bench.loop.wanted)
    assert past.states["db"].state is State.STARTING


def test_a_problem_of_the_journal_is_told(bench: Bench) -> None:
    bench.journal.problem = "no space"
    assert bench.loop.snapshot().warnings == ("no space",)


def test_what_ends_after_the_loop_is_put_on_record_and_begins_nothing(bench: Bench, path: Path) -> None:
    bench.turn(up(CHAIN))
    bench.turn(SetupDone(service="db"))
    bench.did = []
    bench.loop.post(Started(service="db", run=1, identity=WHO))
    bench.loop.post(ProbePassed(service="db", run=1))
    bench.loop.settle()
    assert bench.did == []
    assert [r.event for r in read(path) if isinstance(r, Happened)][-1] == ProbePassed(service="db", run=1)
    assert bench.state("db").health is Health.HEALTHY


# -- as a task


def run(test: Callable[[Bench], object], path: Path) -> None:
    async def life() -> None:
        await test(Bench(path))  # type: ignore[misc]

    asyncio.run(life())


def test_it_ends_when_everything_is_down_and_says_so(path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.loop._clock = asyncio.get_running_loop().time
        working = asyncio.ensure_future(bench.loop.run())
        await bench.loop.submit(up(manifest(service("db"))))
        assert bench.did == ["asked", "prepare db"]
        await bench.loop.submit(Down(exit=True))
        assert await working is False
        assert isinstance(read(path)[-1], Ended)

    run(test, path)


def test_a_handover_ends_it_at_once_and_leaves_everything_running(path: Path) -> None:
    async def test(bench: Bench) -> None:
        working = asyncio.ensure_future(bench.loop.run())
        await bench.loop.submit(up(manifest(service("db"))))
        bench.loop.post(SetupDone(service="db"))
        bench.loop.post(Started(service="db", run=1))
        await bench.loop.submit(Handover())
        assert await working is True
        assert "stop db 1" not in bench.did
        last = read(path)[-1]
        assert isinstance(last, Ended)
        assert last.handover

    run(test, path)


def test_it_sleeps_until_a_delay_is_over(path: Path, apoll: Callable[..., object]) -> None:
    quick = manifest(replace(service("db"), restart=replace(service("db").restart, initial_delay=0.01)))

    async def test(bench: Bench) -> None:
        bench.loop._clock = asyncio.get_running_loop().time
        working = asyncio.ensure_future(bench.loop.run())
        await bench.loop.submit(up(quick))
        bench.loop.post(SetupDone(service="db"))
        await apoll(lambda: "start db 1" in bench.did)  # type: ignore[misc]
        bench.loop.post(Exited(service="db", run=1, code=1))
        await apoll(lambda: "start db 2" in bench.did)  # type: ignore[misc]
        bench.loop.post(Handover())
        await working

    run(test, path)


def test_asking_is_on_record_as_it_happened(bench: Bench, path: Path) -> None:
    bench.turn(up(CHAIN, "db"))
    events = [record.event for record in read(path) if isinstance(record, Happened)]
    assert events[0] == Asked(service="db", rerun=True)
