"""Decisions as text: what is wanted and what is so, and what the supervisor would do, hold, and why."""

from __future__ import annotations

import msgspec
import pytest

from devctl.core.model import (
    Condition,
    Dependency,
    HealthCheck,
    HttpProbe,
    Manifest,
    OnUnhealthy,
    ProcessSpec,
    Runtime,
    Service,
)
from devctl.core.plan import Plan
from devctl.core.reconcile import World, fingerprint, met, reconcile, reruns
from devctl.core.rehearse import rehearse
from devctl.core.state import Health, ProcessIdentity, ServiceState, Setup, State, StopFor

CHECK = HealthCheck(probe=HttpProbe(url="http://localhost/"))
replace = msgspec.structs.replace


def service(name: str, *needs: str | Dependency, runtime: Runtime = Runtime.PROCESS, checked: bool = True) -> Service:
    edges = tuple(Dependency(service=need) if isinstance(need, str) else need for need in needs)
    return Service(
        name=name,
        runtime=runtime,
        compose=name if runtime is Runtime.CONTAINER else "",
        process=ProcessSpec(command=f"run {name}", path="/") if runtime is Runtime.PROCESS else None,
        health=CHECK if checked else None,
        depends_on=edges,
    )


def manifest(*services: Service) -> Manifest:
    return Manifest(name="m", file="/s.yaml", root="/", services={one.name: one for one in services})


COMPLETED = Dependency(service="db-init", condition=Condition.COMPLETED)
CONTROL_CORE = manifest(
    service("postgres", runtime=Runtime.CONTAINER),
    service("redis", runtime=Runtime.CONTAINER),
    replace(service("db-init", "postgres", checked=False), oneshot=True),
    service("api", "postgres", "redis", COMPLETED),
    service("bouncer", "api", Dependency(service="redis", condition=Condition.STARTED)),
    service("ui", "api", "auth0"),
    service("auth0", runtime=Runtime.EXTERNAL),
    service("core", runtime=Runtime.LIBRARY, checked=False),
    service("docs", "core", checked=False),
)
EVERYTHING = tuple(CONTROL_CORE.services)


def up(name: str, **more: object) -> ServiceState:
    """Running, healthy, as defined."""
    one = CONTROL_CORE.services[name]
    if one.oneshot:
        return ServiceState(name=name, state=State.EXITED, completed=True, run=1, spec=fingerprint(one))
    return replace(
        ServiceState(
            name=name,
            state=State.RUNNING,
            health=Health.HEALTHY if one.health else Health.NONE,
            run=1,
            identity=ProcessIdentity(pid=1, start=1),
            spec=fingerprint(one),
        ),
        **more,
    )


def so(*states: ServiceState) -> dict[str, ServiceState]:
    return {state.name: state for state in states}


ALL_UP = so(*(up(name) for name in EVERYTHING if name != "core"))


def decide(
    states: dict[str, ServiceState],
    wanted: tuple[str, ...] = EVERYTHING,
    of: Manifest = CONTROL_CORE,
    now: float = 100.0,
) -> str:
    return "\n" + str(reconcile(World.of(of, wanted, states), now)) + "\n"


def test_from_nothing_what_needs_nothing_starts_and_the_rest_says_what_it_waits_for() -> None:
    assert (
        decide({})
        == """
start postgres: it needs nothing
start redis: it needs nothing
start auth0: it needs nothing
start docs: core is healthy
hold db-init: waits for postgres to be healthy
hold api: waits for postgres to be healthy; waits for redis to be healthy; waits for db-init to be completed
hold bouncer: waits for api to be healthy; waits for redis to be started
hold ui: waits for api to be healthy; waits for auth0 to be healthy
"""
    )


def test_a_dependent_starts_as_soon_as_the_last_thing_it_needs_is_ready() -> None:
    states = so(up("postgres"), up("redis"), up("db-init"), up("auth0", health=Health.STARTING), up("docs"))
    assert (
        decide(states)
        == """
start api: postgres is healthy and redis is healthy and db-init is completed
hold bouncer: waits for api to be healthy
hold ui: waits for api to be healthy; waits for auth0 to be healthy
"""
    )


def test_when_all_is_well_there_is_nothing_to_do_and_nothing_to_say() -> None:
    assert reconcile(World.of(CONTROL_CORE, EVERYTHING, ALL_UP), 100.0) == Plan()


def test_setup_of_everything_begins_at_once_whatever_waits_for_what() -> None:
    needed = so(*(ServiceState(name=name, setup=Setup.NEEDED) for name in ("postgres", "db-init", "api")))
    assert (
        decide(needed, ("postgres", "db-init", "api", "redis"))
        == """
prepare postgres: its image and container must be current
start redis: it needs nothing
prepare db-init: its setup must be current
prepare api: its setup must be current
hold postgres: waits for its image and container
hold db-init: waits for postgres to be healthy
hold api: waits for postgres to be healthy; waits for redis to be healthy; waits for db-init to be completed
"""
    )


def test_a_setup_under_way_holds_the_start() -> None:
    states = {**ALL_UP, "ui": ServiceState(name="ui", setup=Setup.RUNNING)}
    assert decide(states) == "\nhold ui: waits for its setup\n"


def test_down_goes_from_the_last_dependent_to_the_first_service() -> None:
    assert (
        decide(ALL_UP, ())
        == """
stop bouncer: no longer wanted
stop ui: no longer wanted
stop docs: no longer wanted
hold postgres: stops after api
hold redis: stops after api, bouncer
hold api: stops after bouncer, ui
hold auth0: stops after ui
"""
    )
    halfway = {**ALL_UP, "bouncer": up("bouncer", state=State.STOPPING, stop_for=StopFor.DOWN)}
    del halfway["ui"], halfway["docs"]
    assert (
        decide(halfway, ())
        == """
stop auth0: no longer wanted
hold postgres: stops after api
hold redis: stops after api, bouncer
hold api: stops after bouncer
"""
    )


def test_what_waits_for_its_next_try_is_taken_down_too_and_before_what_it_needs() -> None:
    states = so(up("postgres"), up("api", state=State.BACKOFF, retry_at=300.0))
    assert decide(states, ()) == "\nstop api: no longer wanted\nhold postgres: stops after api\n"


def test_a_stop_for_another_reason_becomes_a_stop_for_good_but_happens_once() -> None:
    for why, told in ((StopFor.RESTART, "\nstop api: no longer wanted\n"), (StopFor.DOWN, "\n\n")):
        assert decide(so(up("api", state=State.STOPPING, stop_for=why)), ()) == told


def test_a_wanted_service_that_is_stopping_says_so() -> None:
    assert decide({**ALL_UP, "ui": up("ui", state=State.STOPPING)}) == "\nhold ui: it is still stopping\n"


def test_a_restart_in_the_middle_leaves_the_others_alone() -> None:
    assert decide({**ALL_UP, "api": up("api", stale="asked for")}) == "\nstop api: asked for\n"
    stopping = {**ALL_UP, "api": up("api", state=State.STOPPING, stop_for=StopFor.RESTART)}
    assert decide(stopping) == "\nhold api: it is still stopping\n"
    stopped = {**ALL_UP, "api": ServiceState(name="api", run=1)}
    assert decide(stopped) == "\nstart api: postgres is healthy and redis is healthy and db-init is completed\n"


def test_nothing_starts_on_something_that_is_about_to_be_restarted() -> None:
    states = {**ALL_UP, "redis": up("redis", stale="asked for"), "bouncer": ServiceState(name="bouncer")}
    assert decide(states) == "\nstop redis: asked for\nhold bouncer: waits for redis to be started\n"


def test_a_changed_definition_restarts_and_a_changed_setup_alone_does_not() -> None:
    ui = CONTROL_CORE.services["ui"]
    assert ui.process is not None
    other = replace(ui, process=replace(ui.process, command="run it otherwise"))
    edited = replace(CONTROL_CORE, services={**CONTROL_CORE.services, "ui": other})
    assert decide(ALL_UP, of=edited) == "\nstop ui: its definition changed\n"
    told = replace(ui, description="new words", ports=(), health=None)
    assert fingerprint(told) == fingerprint(ui)
    assert fingerprint(replace(ui, oneshot=True)) != fingerprint(ui)


def test_a_change_of_runtime_restarts() -> None:
    native = service("redis")
    edited = replace(CONTROL_CORE, services={**CONTROL_CORE.services, "redis": native})
    assert decide(ALL_UP, of=edited) == "\nstop redis: its definition changed\n"


def test_a_service_that_became_a_library_is_taken_down() -> None:
    edited = replace(CONTROL_CORE, services={**CONTROL_CORE.services, "docs": service("docs", runtime=Runtime.LIBRARY)})
    assert decide(ALL_UP, of=edited) == "\nstop docs: no longer wanted\n"


def test_unhealthy_is_restarted_only_where_it_is_ours_and_asked_for_so() -> None:
    sick = {
        **ALL_UP,
        "api": up("api", health=Health.UNHEALTHY, reason="HTTP 503"),
        "auth0": up("auth0", health=Health.UNHEALTHY),
    }
    assert decide(sick) == "\nstop api: HTTP 503\n"
    silent = replace(CONTROL_CORE.services["api"], on_unhealthy=OnUnhealthy.REPORT)
    assert decide(sick, of=replace(CONTROL_CORE, services={**CONTROL_CORE.services, "api": silent})) == "\n\n"


def test_no_restart_while_a_setup_is_under_way() -> None:
    assert decide({**ALL_UP, "api": up("api", stale="asked for", setup=Setup.RUNNING)}) == "\n\n"


def test_a_backoff_holds_until_its_moment_and_then_starts() -> None:
    states = {**ALL_UP, "ui": up("ui", state=State.BACKOFF, retry_at=101.5, reason="ended with exit code 1")}
    waiting = reconcile(World.of(CONTROL_CORE, EVERYTHING, states), 100.0)
    assert (str(waiting), waiting.wake_at) == ("hold ui: ended with exit code 1; is tried again", 101.5)
    due = reconcile(World.of(CONTROL_CORE, EVERYTHING, states), 101.5)
    assert (str(due), due.wake_at) == ("start ui: it ended with exit code 1", None)


def test_holds_name_what_failed_what_ended_and_what_nobody_wants() -> None:
    states = {
        **ALL_UP,
        "postgres": up("postgres", state=State.FATAL, identity=None),
        "redis": up("redis", state=State.FATAL, setup=Setup.FAILED, identity=None),
        "db-init": ServiceState(name="db-init", state=State.EXITED),
        "api": ServiceState(name="api"),
    }
    assert (
        "\nhold api: needs postgres, which has failed; needs redis, which could not be set up; "
        "needs db-init, which has ended\n"
    ) in decide(states)
    unwanted = {"api": ServiceState(name="api"), "redis": up("redis"), "db-init": up("db-init")}
    assert "hold api: needs postgres, which is stopped" in decide(unwanted, ("api", "redis", "db-init"))


def test_a_long_list_of_needs_is_cut_short_in_words_but_not_in_the_value() -> None:
    many = manifest(*(service(f"s{n}") for n in range(6)), service("all", *(f"s{n}" for n in range(6))))
    plan = reconcile(World.of(many, ("all", *(f"s{n}" for n in range(6))), {}), 0.0)
    (hold,) = plan.holds
    assert hold.reason.endswith("waits for s2 to be healthy; and for 3 more")
    assert hold.on == tuple(f"s{n}" for n in range(6))


def test_what_could_not_be_stopped_is_left_alone_until_somebody_asks() -> None:
    left = up("ui", state=State.FATAL)
    assert decide({**ALL_UP, "ui": left}) == "\n\n"
    assert decide(so(left), ()) == "\n\n"
    asked = replace(left, stale="in the kernel")
    assert decide({**ALL_UP, "ui": asked}) == "\nstop ui: in the kernel\n"
    assert decide(so(asked), ()) == "\nstop ui: no longer wanted\n"


@pytest.mark.parametrize(
    ("one", "state", "started", "is_healthy", "completed"),
    [
        (service("x"), ServiceState(name="x"), False, False, False),
        (service("x"), ServiceState(name="x", state=State.STARTING), False, False, False),
        (service("x"), ServiceState(name="x", state=State.RUNNING, health=Health.STARTING), True, False, False),
        (service("x"), ServiceState(name="x", state=State.RUNNING, health=Health.HEALTHY), True, True, False),
        (service("x"), ServiceState(name="x", state=State.RUNNING, health=Health.UNHEALTHY), True, False, False),
        (service("x"), ServiceState(name="x", state=State.STOPPING, health=Health.HEALTHY), False, False, False),
        (service("x", checked=False), ServiceState(name="x", state=State.RUNNING), True, True, False),
        (replace(service("x"), oneshot=True), ServiceState(name="x", state=State.RUNNING), True, False, False),
        (replace(service("x"), oneshot=True), ServiceState(name="x", state=State.EXITED), False, False, False),
        (
            replace(service("x"), oneshot=True),
            ServiceState(name="x", state=State.EXITED, completed=True),
            True,
            True,
            True,
        ),
    ],
)
def test_conditions_mean_what_compose_means(
    one: Service, state: ServiceState, started: bool, is_healthy: bool, completed: bool
) -> None:
    found = [met(one, state, condition) for condition in Condition]
    assert found == [started, is_healthy, completed]


def test_a_oneshot_runs_again_when_what_it_needs_begins_anew_or_it_is_another_one() -> None:
    assert not reruns(World.of(CONTROL_CORE, EVERYTHING, ALL_UP), "db-init")
    assert reruns(World.of(CONTROL_CORE, EVERYTHING, {**ALL_UP, "postgres": ServiceState(name="postgres")}), "db-init")
    assert reruns(World.of(CONTROL_CORE, EVERYTHING, {**ALL_UP, "postgres": up("postgres", stale="x")}), "db-init")
    assert reruns(
        World.of(
            CONTROL_CORE, EVERYTHING, {**ALL_UP, "db-init": up("db-init") and replace(up("db-init"), spec="other")}
        ),
        "db-init",
    )


def test_only_a_few_looked_at_decide_the_same_for_these() -> None:
    world = World.of(CONTROL_CORE, EVERYTHING, {})
    whole = reconcile(world, 0.0)
    part = reconcile(world, 0.0, only=["api", "redis"])
    assert set(part.actions) <= set(whole.actions)
    assert [str(line) for line in (*part.actions, *part.holds)] == [
        line for line in str(whole).splitlines() if " api:" in line or " redis:" in line
    ]


# -- up --dry-run


def told(*arguments: object, **more: object) -> str:
    steps = rehearse(*arguments, **more)  # type: ignore[arg-type]
    return "".join(f"\n{step.wave} {step.action} {step.service}: {step.because}" for step in steps) + "\n"


def test_a_rehearsal_from_nothing() -> None:
    stale = {"postgres": "no container yet", "ui": "package.json changed"}
    assert (
        told(CONTROL_CORE, EVERYTHING, {}, stale)
        == """
1 prepare postgres: no container yet
1 prepare ui: package.json changed
2 start postgres: it needs nothing
2 start redis: it needs nothing
2 start auth0: it needs nothing
2 start docs: core is healthy
3 start db-init: postgres is healthy
4 start api: postgres is healthy and redis is healthy and db-init is completed
5 start bouncer: api is healthy and redis is started
5 start ui: api is healthy and auth0 is healthy
"""
    )


def test_a_rehearsal_when_all_is_up_says_nothing() -> None:
    assert rehearse(CONTROL_CORE, EVERYTHING, ALL_UP, {}) == ()


def test_a_rehearsal_restarts_what_is_stale_changed_or_unhealthy() -> None:
    states = {**ALL_UP, "ui": up("ui", spec="before"), "docs": up("docs"), "bouncer": up("bouncer", reason="503")}
    states["bouncer"] = replace(states["bouncer"], health=Health.UNHEALTHY)
    assert (
        told(CONTROL_CORE, EVERYTHING, states, {"docs": "mkdocs.yml changed"})
        == """
1 stop bouncer: 503
1 stop ui: its definition changed
1 prepare docs: mkdocs.yml changed
2 start bouncer: api is healthy and redis is started
2 start ui: api is healthy and auth0 is healthy
2 stop docs: mkdocs.yml changed
3 start docs: core is healthy
"""
    )


def test_a_rehearsal_runs_the_oneshot_again_where_the_supervisor_would() -> None:
    states = {name: state for name, state in ALL_UP.items() if name not in {"postgres", "api", "ui", "bouncer"}}
    assert (
        told(CONTROL_CORE, EVERYTHING, states, {}, asked=["postgres", "db-init", "api"])
        == """
1 start postgres: it needs nothing
2 start db-init: postgres is healthy
3 start api: postgres is healthy and redis is healthy and db-init is completed
4 start bouncer: api is healthy and redis is started
4 start ui: api is healthy and auth0 is healthy
"""
    )
    assert "1 prepare db-init: seed changed" in told(CONTROL_CORE, EVERYTHING, ALL_UP, {"db-init": "seed changed"})
    assert "start db-init" in told(CONTROL_CORE, EVERYTHING, ALL_UP, {"db-init": "seed changed"})


def test_a_rehearsal_leaves_alone_what_was_up_and_is_not_asked_for() -> None:
    failed = {**ALL_UP, "docs": ServiceState(name="docs", state=State.FATAL)}
    assert rehearse(CONTROL_CORE, EVERYTHING, failed, {}, asked=["postgres"]) == ()
    assert told(CONTROL_CORE, EVERYTHING, failed, {}) == "\n1 start docs: core is healthy\n"


def test_a_rehearsal_takes_what_is_under_way_as_done() -> None:
    states = so(
        up("postgres", health=Health.STARTING),
        up("redis", state=State.STARTING),
        replace(up("db-init"), state=State.RUNNING, completed=False),
        up("auth0", setup=Setup.RUNNING),
        up("bouncer", state=State.STOPPING, stop_for=StopFor.DOWN),
    )
    wanted = ("postgres", "redis", "db-init", "api", "bouncer", "auth0")
    assert (
        told(CONTROL_CORE, wanted, states, {})
        == """
1 start api: postgres is healthy and redis is healthy and db-init is completed
2 start bouncer: api is healthy and redis is started
"""
    )


def test_a_chain_of_thousands_is_rehearsed_without_looking_at_all_of_it_each_time() -> None:
    chain = manifest(service("s0"), *(service(f"s{n}", f"s{n - 1}") for n in range(1, 3000)))
    steps = rehearse(chain, chain.services, {}, {})
    assert [(step.wave, step.service) for step in steps] == [(n + 1, f"s{n}") for n in range(3000)]
