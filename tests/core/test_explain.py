"""How a wait ended, why something is not up, and what decided how long it took."""

from __future__ import annotations

import random

import msgspec
import pytest

from devctl.core.explain import blame, explain, sentence
from devctl.core.model import (
    Condition,
    Dependency,
    HealthCheck,
    Manifest,
    Relation,
    Runtime,
    Service,
    TcpProbe,
)
from devctl.core.outcome import Verdict, critical_path, settled, verdict, verdicts
from devctl.core.plan import Hold
from devctl.core.state import Health, ProcessIdentity, ServiceState, Setup, State, StopFor

CHECK = HealthCheck(probe=TcpProbe(host="h", port=1))
replace = msgspec.structs.replace


def service(name: str, *needs: str, runtime: Runtime = Runtime.PROCESS) -> Service:
    return Service(
        name=name, runtime=runtime, health=CHECK, depends_on=tuple(Dependency(service=need) for need in needs)
    )


def manifest(*services: Service, relations: tuple[Relation, ...] = ()) -> Manifest:
    return Manifest(name="m", file="/f", root="/", services={one.name: one for one in services}, relations=relations)


STACK = manifest(
    service("db"),
    service("auth", "db"),
    service("api", "auth", "cache"),
    service("cache"),
    service("ui", "api", "lib"),
    service("lib", runtime=Runtime.LIBRARY),
    relations=(Relation(source="ui", target="api", both=True), Relation(source="api", target="auth", both=True)),
)
NAMES = tuple(STACK.services)


def state(name: str, what: State = State.RUNNING, health: Health = Health.HEALTHY, **more: object) -> ServiceState:
    health = health if what in {State.RUNNING, State.STOPPING} else Health.NONE
    return replace(ServiceState(name=name, state=what, health=health), **more)


UP = {name: state(name) for name in NAMES if name != "lib"}


def but(*others: ServiceState) -> dict[str, ServiceState]:
    return {**UP, **{one.name: one for one in others}}


API = STACK.services["api"]
ONCE = replace(API, oneshot=True, health=None)


@pytest.mark.parametrize(
    ("one", "present", "found"),
    [
        (API, None, Verdict.PENDING),
        (API, state("api", State.STOPPED), Verdict.PENDING),
        (API, state("api", State.STARTING), Verdict.PENDING),
        (API, state("api", health=Health.STARTING), Verdict.PENDING),
        (API, state("api", State.BACKOFF), Verdict.PENDING),
        (API, state("api"), Verdict.READY),
        (API, state("api", stale="asked for"), Verdict.PENDING),
        (API, state("api", setup=Setup.NEEDED), Verdict.PENDING),
        (API, state("api", setup=Setup.RUNNING), Verdict.PENDING),
        (API, state("api", setup=Setup.FAILED), Verdict.FAILED),
        (API, state("api", health=Health.UNHEALTHY), Verdict.FAILED),
        (API, state("api", health=Health.UNHEALTHY, stale="503"), Verdict.PENDING),
        (API, state("api", State.STOPPING, Health.UNHEALTHY, stop_for=StopFor.UNHEALTHY), Verdict.FAILED),
        (API, state("api", State.STOPPING, Health.UNHEALTHY, stop_for=StopFor.RESTART), Verdict.PENDING),
        (API, state("api", State.EXITED), Verdict.FAILED),
        (API, state("api", State.FATAL), Verdict.FAILED),
        (API, state("api", State.FATAL, stale="is stopped again first"), Verdict.PENDING),
        (replace(API, health=None), state("api", health=Health.NONE), Verdict.PENDING),
        (replace(API, health=None), state("api", health=Health.NONE, ready_at=1.0), Verdict.READY),
        (ONCE, state("api", health=Health.NONE), Verdict.PENDING),
        (ONCE, state("api", State.EXITED, completed=True), Verdict.READY),
        (ONCE, state("api", State.EXITED, completed=True, setup=Setup.RUNNING), Verdict.PENDING),
        (ONCE, state("api", State.EXITED), Verdict.FAILED),
        (API, state("api", State.EXITED, completed=True), Verdict.FAILED),
        (STACK.services["lib"], None, Verdict.READY),
    ],
)
def test_what_a_wait_for_one_service_has_come_to(one: Service, present: ServiceState | None, found: Verdict) -> None:
    assert verdict(one, present) is found


def test_what_waits_for_a_failed_one_is_blocked_however_far_away() -> None:
    stopped = [state(name, State.STOPPED) for name in ("auth", "api", "ui")]
    found = verdicts(STACK, NAMES, but(state("db", State.FATAL), *stopped))
    assert found == {
        "db": Verdict.FAILED,
        "auth": Verdict.BLOCKED,
        "api": Verdict.BLOCKED,
        "cache": Verdict.READY,
        "ui": Verdict.BLOCKED,
        "lib": Verdict.READY,
    }
    assert settled(found)
    backwards = verdicts(STACK, tuple(reversed(NAMES)), but(state("db", State.FATAL), *stopped))
    assert backwards == found


def test_what_already_runs_or_may_still_come_is_not_blocked() -> None:
    running = but(state("db", State.FATAL), state("auth", health=Health.STARTING), state("api", State.STOPPED))
    found = verdicts(STACK, NAMES, running)
    assert (found["auth"], found["api"]) == (Verdict.PENDING, Verdict.PENDING)
    assert not settled(found)
    retried = verdicts(STACK, NAMES, but(state("db", State.BACKOFF), state("auth", State.STOPPED)))
    assert retried["auth"] is Verdict.PENDING


def test_a_failed_service_whose_condition_is_met_all_the_same_blocks_nobody() -> None:
    lenient = replace(API, depends_on=(Dependency(service="cache", condition=Condition.STARTED),))
    some = manifest(service("cache"), lenient)
    states = but(state("cache", health=Health.UNHEALTHY), state("api", State.STOPPED))
    assert verdicts(some, ("cache", "api"), states) == {"cache": Verdict.FAILED, "api": Verdict.PENDING}


# -- why


def test_the_root_cause_of_something_three_levels_up_is_the_service_that_failed() -> None:
    broken = state(
        "db", State.FATAL, reason="port 5432 is held by postgres (pid 7)", words=("E: in use",), hint="devctl ports"
    )
    states = but(broken, *(state(name, State.STOPPED) for name in ("auth", "api", "ui")))
    told = explain(STACK, states, [Hold(service="ui", reason="waits for api to be healthy", on=("api",))], "ui")
    assert told.path == ("ui", "api", "auth", "db")
    assert told.root_cause is not None
    assert told.root_cause.service == "db"
    assert told.root_cause.reason == "db has failed: port 5432 is held by postgres (pid 7)"
    assert (told.root_cause.evidence, told.root_cause.hint) == (("E: in use",), "devctl ports")


def test_an_explanation_tells_needs_dependents_relations_and_order() -> None:
    told = explain(STACK, but(state("cache", State.STOPPED)), [], "api")
    assert [(need.edge.service, need.met) for need in told.depends_on] == [("auth", True), ("cache", False)]
    assert (told.dependents, told.related) == (("ui",), ("ui", "auth"))
    assert told.start_order == ("db", "auth", "cache", "api")
    assert (told.root_cause, told.path) == (None, ())
    assert [need.met for need in explain(STACK, UP, [], "ui").depends_on] == [True, True]


def test_a_failed_need_is_blamed_before_a_slow_one_and_a_stopped_one_between() -> None:
    waiting = state("api", State.STOPPED)
    slow, gone = state("auth", health=Health.STARTING), state("cache", State.FATAL)
    assert blame(STACK, but(waiting, slow, gone), "api") == ("api", "cache")
    assert blame(STACK, but(waiting, slow, state("cache", State.STOPPED)), "api") == ("api", "cache")
    assert blame(STACK, but(waiting, slow), "api") == ("api", "auth")


def test_a_running_service_that_is_ill_because_something_below_it_failed() -> None:
    ill = state("api", health=Health.UNHEALTHY, reason="HTTP 503")
    assert blame(STACK, but(ill), "api") == ("api",)
    assert blame(STACK, but(ill, state("cache", State.FATAL)), "api") == ("api", "cache")
    assert blame(STACK, but(ill, state("auth", health=Health.UNHEALTHY), state("db", State.BACKOFF)), "api") == (
        "api",
        "auth",
        "db",
    )


def test_a_service_that_cannot_be_tried_again_before_its_need_is_up_blames_the_need() -> None:
    waits = state("api", State.BACKOFF, reason="ended with exit code 1")
    assert blame(STACK, but(waits), "api") == ("api",)
    assert blame(STACK, but(waits, state("cache", State.FATAL)), "api") == ("api", "cache")


def test_one_that_ended_is_blamed_before_one_that_is_merely_slow() -> None:
    slow, ended = state("auth", health=Health.STARTING), state("cache", State.EXITED)
    assert blame(STACK, but(state("api", State.STOPPED), slow, ended), "api") == ("api", "cache")
    cause = explain(STACK, but(ended), [], "cache").root_cause
    assert cause is not None
    assert cause.hint == "devctl logs cache"


def test_one_that_failed_for_good_is_its_own_cause() -> None:
    failed = state("api", State.FATAL, reason="no such command")
    assert blame(STACK, but(failed, state("cache", State.STOPPED)), "api") == ("api",)


@pytest.mark.parametrize(
    ("present", "hold", "told"),
    [
        (state("api", State.STOPPED), None, "is stopped"),
        (state("api", State.STOPPED), Hold(service="api", reason="waits for db"), "waits for db"),
        (state("api", State.STOPPED, setup=Setup.RUNNING), Hold(service="api", reason="x"), "is being set up"),
        (state("api", setup=Setup.RUNNING), None, "is being set up"),
        (state("api", State.FATAL, setup=Setup.FAILED, reason="npm"), None, "could not be set up: npm"),
        (state("api", State.STARTING), None, "is being started"),
        (state("api", State.STOPPING), None, "is stopping"),
        (state("api", State.BACKOFF, reason="ended"), None, "ended; is tried again"),
        (state("api", State.FATAL, reason="ended"), None, "has failed: ended"),
        (state("api", State.EXITED), None, "has ended"),
        (state("api", State.EXITED, completed=True), None, ""),
        (state("api", health=Health.STARTING), None, "is not healthy yet"),
        (state("api", health=Health.STARTING, reason="503"), None, "is not healthy yet: 503"),
        (state("api", health=Health.UNHEALTHY, reason="503"), None, "is unhealthy: 503"),
        (state("api", health=Health.NONE), None, "runs, but does not count as up yet"),
        (state("api", health=Health.NONE, ready_at=1.0), None, ""),
        (state("api", stale="asked for"), None, "must be restarted: asked for"),
        (state("api"), None, ""),
    ],
)
def test_the_sentence_that_says_why_not(present: ServiceState, hold: Hold | None, told: str) -> None:
    assert sentence(present, hold) == told


def test_whatever_is_not_ready_has_a_reason_in_words() -> None:
    for what in State:
        for health in Health:
            for setup in Setup:
                present = state("cache", what, health, setup=setup, reason="a reason")
                told = explain(STACK, but(present), [], "cache")
                ready = verdict(STACK.services["cache"], present) is Verdict.READY
                assert (told.root_cause is None) is ready
                assert ready or (told.root_cause and told.root_cause.reason != "cache "), present


def test_the_hint_is_the_next_command() -> None:
    def hint(present: ServiceState) -> str:
        cause = explain(STACK, but(present), [], "cache").root_cause
        return cause.hint if cause else ""

    assert hint(state("cache", State.STOPPED)) == "devctl up cache"
    assert hint(state("cache", State.FATAL)) == "devctl logs cache"
    assert hint(state("cache", health=Health.STARTING)) == ""


# -- how long


def ready(name: str, at: float, started: float = 10.0) -> ServiceState:
    return state(name, started_at=started, ready_at=at, identity=ProcessIdentity(pid=1, start=1))


def test_the_critical_path_is_the_chain_that_came_last_and_its_shares_add_up() -> None:
    states = but(ready("db", 12.0), ready("auth", 15.0), ready("cache", 13.0), ready("api", 15.5), ready("ui", 17.0))
    path = critical_path(STACK, states, 10.0)
    assert path == (("db", 2.0), ("auth", 3.0), ("api", 0.5), ("ui", 1.5))


def test_what_was_up_before_counts_for_nothing() -> None:
    states = but(ready("db", 3.0, started=1.0), ready("auth", 15.0), ready("api", 16.0, started=15.0))
    assert critical_path(STACK, states, 10.0) == (("auth", 5.0), ("api", 1.0))
    assert critical_path(STACK, UP, 10.0) == ()
    assert critical_path(STACK, {}, 10.0) == ()


def test_a_need_that_was_restarted_meanwhile_did_not_hold_up_what_was_ready_before() -> None:
    states = but(ready("db", 16.0), ready("auth", 14.0), ready("api", 17.0))
    assert critical_path(STACK, states, 10.0) == (("auth", 4.0), ("api", 3.0))


def test_the_shares_always_add_up_to_the_whole() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        some = [ready(name, rng.uniform(10, 20), rng.choice([5.0, 11.0])) for name in UP if rng.random() < 0.8]
        counted = [one.ready_at for one in some if (one.started_at or 0) >= 10.0 and one.ready_at is not None]
        path = critical_path(STACK, {one.name: one for one in some}, 10.0)
        assert sum(share for _, share in path) == pytest.approx(max(counted, default=10.0) - 10.0)
        assert all(share >= 0 for _, share in path)
