"""The state machine, told as histories: what happened, second by second, and what is so then."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from devctl.core.lifecycle import STABLE_AFTER, TRANSITIONS, IllegalEvent, step
from devctl.core.model import HealthCheck, OnUnhealthy, RestartPolicy, RestartWhen, Runtime, Service, TcpProbe
from devctl.core.reconcile import World, fingerprint, reconcile
from devctl.core.state import (
    Adopted,
    AnyEvent,
    Asked,
    Exited,
    Health,
    ProbeFailed,
    ProbePassed,
    ProcessIdentity,
    RestartAsked,
    Schema,
    SchemaChecked,
    SchemaVerdict,
    ServiceState,
    Setup,
    SetupDone,
    SetupFailed,
    SetupStarted,
    SourcesChanged,
    Started,
    StartFailed,
    Starting,
    State,
    StopFailed,
    StopFor,
    Stopped,
    Stopping,
)

API = Service(
    name="api",
    runtime=Runtime.PROCESS,
    health=HealthCheck(probe=TcpProbe(host="h", port=1), start_period=60.0, failure_threshold=3),
    restart=RestartPolicy(policy=RestartWhen.ON_FAILURE, max_retries=3, initial_delay=0.5, max_delay=30.0),
)
ONCE = Service(name="api", runtime=Runtime.PROCESS, oneshot=True, restart=RestartPolicy(policy=RestartWhen.NO))
PLAIN = msgspec.structs.replace(API, health=None)
WHO = ProcessIdentity(pid=7, start=1)
N = "api"

History = list[AnyEvent | float]


def after(history: History, service: Service = API, start: ServiceState | None = None) -> ServiceState:
    """The state after a history: events, and the seconds that pass between them. The clock begins at 100."""
    now, state = 100.0, start or ServiceState(name=N)
    for item in history:
        if isinstance(item, float):
            now += item
        else:
            state = step(service, state, item, now)
    return state


def starting(run: int = 1) -> History:
    return [Starting(service=N, run=run, spec="s")]


def running(run: int = 1) -> History:
    return [*starting(run), Started(service=N, run=run, identity=WHO)]


def healthy(run: int = 1) -> History:
    return [*running(run), ProbePassed(service=N, run=run)]


def crash(run: int = 1, code: int | None = 1) -> Exited:
    return Exited(service=N, run=run, code=code)


def stop(why: StopFor, run: int = 1) -> Stopping:
    return Stopping(service=N, run=run, why=why, reason="because")


def ill(run: int = 1) -> History:
    return [ProbeFailed(service=N, run=run, reason="503")] * 3


INTO: dict[State, History] = {
    State.STOPPED: [*running(), stop(StopFor.DOWN), Stopped(service=N, run=1)],
    State.STARTING: starting(),
    State.RUNNING: healthy(),
    State.BACKOFF: [*healthy(), crash()],
    State.STOPPING: [*healthy(), stop(StopFor.DOWN)],
    State.EXITED: [*healthy(), crash(code=0)],
    State.FATAL: [*starting(), StartFailed(service=N, run=1, reason="port held", final=True)],
}

EVENTS: dict[str, AnyEvent] = {
    "asked": Asked(service=N),
    "restart asked": RestartAsked(service=N),
    "sources changed": SourcesChanged(service=N, because="2 commits pulled"),
    "inputs changed": SourcesChanged(service=N),
    "setup started": SetupStarted(service=N),
    "setup done": SetupDone(service=N),
    "setup redone": SetupDone(service=N, changed="package.json changed"),
    "setup failed": SetupFailed(service=N, reason="npm ci failed"),
    "setup broken off": SetupFailed(service=N),
    "starting": Starting(service=N, run=2),
    "started": Started(service=N, run=1, identity=WHO),
    "start failed": StartFailed(service=N, run=1, reason="no"),
    "start failed, final": StartFailed(service=N, run=1, reason="no", final=True),
    "probe passed": ProbePassed(service=N, run=1),
    "probe failed": ProbeFailed(service=N, run=1, reason="503"),
    "exited 0": crash(code=0),
    "exited 1": crash(code=1),
    "stopping": stop(StopFor.RESTART),
    "stopped": Stopped(service=N, run=1),
    "stop failed": StopFailed(service=N, run=1, reason="in the kernel"),
    "adopted": Adopted(service=N, run=1, identity=WHO),
    "schema checked": SchemaChecked(service=N, run=1, found=Schema(SchemaVerdict.CURRENT)),
}

TABLE = """
                     stopped   starting  running   backoff   stopping  exited    fatal
asked                stopped   starting  running   stopped   stopping  stopped   stopped
restart asked        stopped   starting  running   stopped   stopping  stopped   stopped
sources changed      stopped   starting  running   stopped   stopping  stopped   stopped
inputs changed       stopped   starting  running   backoff   stopping  exited    fatal
setup started        stopped   starting  running   backoff   stopping  exited    fatal
setup done           stopped   starting  running   backoff   stopping  exited    fatal
setup redone         stopped   starting  running   backoff   stopping  stopped   fatal
setup failed         fatal     starting  running   fatal     stopping  fatal     fatal
setup broken off     stopped   starting  running   backoff   stopping  exited    fatal
starting             starting  -         -         starting  -         -         -
started              -         running   -         -         stopping  -         -
start failed         -         backoff   -         -         stopping  -         -
start failed, final  -         fatal     -         -         stopping  -         -
probe passed         stopped   starting  running   backoff   stopping  exited    fatal
probe failed         stopped   starting  running   backoff   stopping  exited    fatal
exited 0             stopped   exited    exited    backoff   stopping  exited    fatal
exited 1             stopped   backoff   backoff   backoff   stopping  exited    fatal
stopping             -         stopping  stopping  stopping  stopping  -         stopping
stopped              stopped   starting  stopped   backoff   stopped   exited    fatal
stop failed          -         -         -         -         fatal     -         -
adopted              -         running   running   -         stopping  -         -
schema checked       stopped   starting  running   backoff   stopping  exited    fatal
"""


def test_every_event_in_every_state_leads_where_the_table_says_or_raises() -> None:
    lines = ["".join([" " * 21, *(f"{state:10}" for state in INTO)]).rstrip()]
    for told, event in EVENTS.items():
        cells = []
        for state, history in INTO.items():
            before = after(history)
            assert before.state is state
            try:
                cells.append(str(step(API, before, event, 200.0).state))
            except IllegalEvent:
                cells.append("-")
        lines.append("".join([f"{told:21}", *(f"{cell:10}" for cell in cells)]).rstrip())
    assert "\n" + "\n".join(lines) + "\n" == TABLE


def test_the_table_of_transitions_knows_every_event_and_promises_nothing_that_never_happens() -> None:
    reached: set[tuple[type, State, State]] = set()
    starts = [after(history) for history in INTO.values()]
    starts += [after([*running(), crash(code=0)], ONCE), after([*healthy(), *ill(), stop(StopFor.UNHEALTHY)])]
    starts += [after([*healthy(), stop(StopFor.DOWN), StopFailed(service=N, run=1, reason="no")])]
    starts += [msgspec.structs.replace(state, failures=9) for state in starts]
    starts += [after([*INTO[State.STOPPING], SetupFailed(service=N, reason="npm"), stop(StopFor.RESTART)])]
    policies = [RestartPolicy(policy=when) for when in RestartWhen]
    services = [msgspec.structs.replace(s, restart=p) for s, p in itertools.product((API, ONCE, PLAIN), policies)]
    for service, before, event in itertools.product(services, starts, EVENTS.values()):
        if before.state in TRANSITIONS[type(event)]:
            reached.add((type(event), before.state, step(service, before, event, 101.0).state))
    promised = {(event, old, new) for event, row in TRANSITIONS.items() for old, to in row.items() for new in to}
    assert set(TRANSITIONS) == {type(event) for event in EVENTS.values()}
    never = {(event.__name__, str(old), str(new)) for event, old, new in promised - reached}
    assert never == set()


def test_a_change_while_the_setup_runs_makes_it_run_again() -> None:
    begun = [Asked(service=N), SetupStarted(service=N), SourcesChanged(service=N)]
    for ends in (SetupDone(service=N, changed="npm ci"), SetupFailed(service=N, reason="no"), SetupFailed(service=N)):
        again = after([*begun, SetupStarted(service=N), ends])
        assert (again.state, again.setup) == (State.STOPPED, Setup.NEEDED)
        assert after([SetupStarted(service=N), SetupDone(service=N)], start=again).setup is Setup.DONE


def test_changed_sources_restart_what_runs_and_try_again_what_failed() -> None:
    changed = SourcesChanged(service=N, because="2 commits pulled")
    up = after([*healthy(), changed])
    assert (up.state, up.stale, up.setup) == (State.RUNNING, "2 commits pulled", Setup.NEEDED)
    failed = after([Asked(service=N), SetupStarted(service=N), SetupFailed(service=N, reason="npm ci failed"), changed])
    assert (failed.state, failed.setup, failed.failures) == (State.STOPPED, Setup.NEEDED, 0)
    done = after([*running(), crash(code=0), changed], ONCE)
    assert (done.state, done.completed) == (State.STOPPED, False)


def test_inputs_that_may_have_changed_touch_no_run_and_forgive_no_failure() -> None:
    looked = SourcesChanged(service=N)
    up = after([*healthy(), looked])
    assert (up.state, up.stale, up.setup) == (State.RUNNING, "", Setup.NEEDED)
    failed = after([Asked(service=N), SetupStarted(service=N), SetupFailed(service=N, reason="npm ci failed")])
    assert step(API, failed, looked, 300.0) is failed


@pytest.mark.parametrize("run", [1, 2])
def test_news_of_an_earlier_run_changes_nothing(run: int) -> None:
    """Not even where it would be illegal as news of this run."""
    for history in INTO.values():
        present = msgspec.structs.replace(after(history), run=3)
        for event in EVENTS.values():
            if event.run and not isinstance(event, Starting):
                assert step(API, present, msgspec.structs.replace(event, run=run), 300.0) is present


def test_a_run_may_only_follow_the_one_before() -> None:
    with pytest.raises(IllegalEvent, match="run 3 after run 1"):
        after([*INTO[State.STOPPED], Starting(service=N, run=3)])


def test_the_delay_before_a_new_try_doubles_up_to_its_limit_and_then_it_is_over() -> None:
    service = msgspec.structs.replace(
        API, restart=RestartPolicy(policy=RestartWhen.ALWAYS, max_retries=5, initial_delay=1.0, max_delay=6.0)
    )
    state, now, delays = ServiceState(name=N), 50.0, []
    for run in range(1, 7):
        for event in (*running(run), crash(run)):
            assert not isinstance(event, float)
            state = step(service, state, event, now)
        if state.retry_at is not None:
            delays.append(state.retry_at - now)
            now = state.retry_at
    assert delays == [1.0, 2.0, 4.0, 6.0, 6.0]
    assert (state.state, state.retry_at, state.failures, state.restarts) == (State.FATAL, None, 6, 5)
    assert state.reason == "ended with exit code 1, 6 times in a row"


def test_many_failures_do_not_overflow_the_delay() -> None:
    service = msgspec.structs.replace(API, restart=RestartPolicy(max_retries=10**9))
    state = msgspec.structs.replace(after(running()), failures=10**6)
    assert step(service, state, crash(), 100.0).retry_at == 130.0


def test_a_failure_without_retries_says_nothing_of_a_row() -> None:
    service = msgspec.structs.replace(API, restart=RestartPolicy(max_retries=0))
    state = after([*healthy(), crash(code=-9)], service)
    assert (state.state, state.reason) == (State.FATAL, "was killed by SIGKILL")


@pytest.mark.parametrize(
    ("code", "note", "told"),
    [
        (0, "", "ended by itself with code 0"),
        (3, "", "ended with exit code 3"),
        (-11, "", "was killed by SIGSEGV"),
        (-99, "", "was killed by signal 99"),
        (None, "", "ended"),
        (137, "out of memory", "ended with exit code 137 (out of memory)"),
    ],
)
def test_the_end_is_told_in_plain_words(code: int | None, note: str, told: str) -> None:
    state = after([*healthy(), Exited(service=N, run=1, code=code, note=note, words=("last line",))])
    assert (state.reason, state.words, state.exit_code, state.identity) == (told, ("last line",), code, None)


def test_a_run_that_was_stable_is_forgiven_its_earlier_failures() -> None:
    thrice: History = [*healthy(1), crash(1), *healthy(2), crash(2), *healthy(3), crash(3)]
    assert after(thrice).failures == 3
    assert after([*thrice, *healthy(4), STABLE_AFTER - 0.1, crash(4)]).state is State.FATAL
    late = after([*thrice, *healthy(4), STABLE_AFTER, crash(4)])
    assert (late.state, late.failures, late.restarts) == (State.BACKOFF, 1, 3)


def test_a_run_that_lived_long_but_was_never_ready_is_not_forgiven() -> None:
    state = after([*healthy(1), crash(1), *running(2), 1000.0, crash(2)])
    assert state.failures == 2


@pytest.mark.parametrize(
    ("when", "code", "ends"),
    [
        (RestartWhen.NO, 1, State.EXITED),
        (RestartWhen.NO, 0, State.EXITED),
        (RestartWhen.ON_FAILURE, 1, State.BACKOFF),
        (RestartWhen.ON_FAILURE, 0, State.EXITED),
        (RestartWhen.ALWAYS, 1, State.BACKOFF),
        (RestartWhen.ALWAYS, 0, State.BACKOFF),
    ],
)
def test_the_restart_words_are_those_of_compose(when: RestartWhen, code: int, ends: State) -> None:
    service = msgspec.structs.replace(API, restart=RestartPolicy(policy=when))
    state = after([*healthy(), crash(code=code)], service)
    assert (state.state, state.completed) == (ends, False)


@pytest.mark.parametrize("when", list(RestartWhen))
def test_a_oneshot_completes_with_0_whatever_its_restart_policy(when: RestartWhen) -> None:
    service = msgspec.structs.replace(ONCE, restart=RestartPolicy(policy=when))
    state = after([*running(), 4.0, crash(code=0)], service)
    assert (state.state, state.completed, state.ready_at) == (State.EXITED, True, 104.0)
    assert after([*starting(), crash(code=0)], service).completed


def test_a_oneshot_that_fails_is_tried_again_or_is_over() -> None:
    again = msgspec.structs.replace(ONCE, restart=RestartPolicy(policy=RestartWhen.ON_FAILURE))
    assert after([*running(), crash()], again).state is State.BACKOFF
    over = after([*running(), crash()], ONCE)
    assert (over.state, over.completed) == (State.EXITED, False)


def test_a_completed_oneshot_runs_again_only_when_told() -> None:
    done: History = [*running(), crash(code=0)]
    assert after([*done, Asked(service=N)], ONCE).completed
    again = after([*done, Asked(service=N, rerun=True)], ONCE)
    assert (again.state, again.completed) == (State.STOPPED, False)
    assert after([*done, RestartAsked(service=N)], ONCE).state is State.STOPPED


# -- setup


def test_asking_looks_at_the_setup_again_and_forgives() -> None:
    state = after([*healthy(1), crash(1), *running(2), Asked(service=N)])
    assert (state.setup, state.failures, state.restarts) == (Setup.NEEDED, 0, 0)


def test_asking_again_does_not_begin_a_second_setup_beside_the_first() -> None:
    for ask in (Asked(service=N), RestartAsked(service=N)):
        assert after([Asked(service=N), SetupStarted(service=N), ask]).setup is Setup.RUNNING


def test_a_setup_that_failed_keeps_a_service_from_starting_until_somebody_asks() -> None:
    failed = after([Asked(service=N), SetupStarted(service=N), SetupFailed(service=N, reason="npm", words=("E",))])
    assert (failed.state, failed.setup, failed.reason, failed.words) == (State.FATAL, Setup.FAILED, "npm", ("E",))
    again = step(API, failed, Asked(service=N), 1.0)
    assert (again.state, again.setup, again.reason, again.words) == (State.STOPPED, Setup.NEEDED, "", ())


def test_a_setup_that_was_broken_off_is_needed_still() -> None:
    state = after([Asked(service=N), SetupStarted(service=N), SetupFailed(service=N)])
    assert (state.state, state.setup) == (State.STOPPED, Setup.NEEDED)


def test_a_setup_redone_under_a_running_service_makes_it_stale_until_it_is_restarted() -> None:
    history: History = [*healthy(), SetupDone(service=N, changed="package.json changed")]
    assert after(history).stale == "package.json changed"
    anew = after([*history, stop(StopFor.RESTART), Stopped(service=N, run=1), *healthy(2)])
    assert (anew.state, anew.stale, anew.run) == (State.RUNNING, "", 2)


def test_a_setup_that_fails_while_the_restart_already_stops_the_service_ends_fatal() -> None:
    state = after(
        [
            *healthy(),
            RestartAsked(service=N),
            SetupStarted(service=N),
            stop(StopFor.RESTART),
            SetupFailed(service=N, reason="npm ci failed", hint="look"),
            Stopped(service=N, run=1),
        ]
    )
    assert (state.state, state.reason, state.hint) == (State.FATAL, "npm ci failed", "look")
    assert (state.identity, state.stop_for) == (None, None)


def test_a_failed_setup_is_looked_at_again_when_its_running_service_crashes_or_goes_down() -> None:
    failed: History = [*healthy(), SetupFailed(service=N, reason="npm")]
    assert after(failed).state is State.RUNNING
    assert after([*failed, crash()]).setup is Setup.NEEDED
    assert after([*failed, stop(StopFor.DOWN), Stopped(service=N, run=1)]).setup is Setup.NEEDED


# -- restart, health


def test_a_restart_asked_for_while_it_starts_is_not_forgotten() -> None:
    state = after([*starting(), RestartAsked(service=N), Started(service=N, run=1, identity=WHO)])
    assert (state.state, state.stale) == (State.RUNNING, "asked for")


def test_a_final_failure_leaves_nothing_that_was_asked_for_before() -> None:
    state = after([*starting(), RestartAsked(service=N), StartFailed(service=N, run=1, reason="port", final=True)])
    assert (state.state, state.stale) == (State.FATAL, "")


def test_unhealthy_then_stopped_then_a_delay_then_a_new_run() -> None:
    bad = after([*healthy(), *ill()])
    assert (bad.health, bad.misses, bad.reason) == (Health.UNHEALTHY, 3, "503")
    waits = after([*healthy(), *ill(), stop(StopFor.UNHEALTHY), 2.0, Stopped(service=N, run=1, code=-15)])
    assert (waits.state, waits.reason, waits.retry_at, waits.exit_code) == (State.BACKOFF, "503", 102.5, -15)
    anew = step(API, waits, Starting(service=N, run=2), 103.0)
    assert (anew.restarts, anew.health, anew.misses, anew.reason) == (1, Health.STARTING, 0, "")


def test_fewer_misses_than_the_threshold_are_forgotten_by_one_pass() -> None:
    twice: History = [ProbeFailed(service=N, run=1, reason="503")] * 2
    state = after([*healthy(), *twice, ProbePassed(service=N, run=1), *twice])
    assert (state.health, state.misses) == (Health.HEALTHY, 2)


def test_an_unhealthy_service_that_answers_again_is_healthy_and_keeps_its_first_time() -> None:
    state = after([*healthy(), 50.0, *ill(), ProbePassed(service=N, run=1)])
    assert (state.health, state.reason, state.ready_at) == (Health.HEALTHY, "", 100.0)


def test_news_of_an_unhealthy_service_that_say_nothing_new_change_nothing() -> None:
    state = after([*healthy(), *ill()])
    assert step(API, state, ProbeFailed(service=N, run=1, reason="503"), 200.0) == state


def test_misses_within_the_start_period_are_patience_and_after_it_failure() -> None:
    missed = ProbeFailed(service=N, run=1, reason="refused")
    early = after([*running(), *[missed] * 9, 59.9, missed])
    assert (early.health, early.reason) == (Health.STARTING, "refused")
    late = after([*running(), 60.0, missed])
    assert (late.health, late.reason) == (Health.UNHEALTHY, "not healthy after 60 s: refused")


def test_a_check_that_came_after_the_start_is_judged_by_the_same_patience() -> None:
    before = after(running(), PLAIN)
    assert before.health is Health.NONE
    missed = ProbeFailed(service=N, run=1, reason="refused")
    assert step(API, before, missed, 110.0).health is Health.NONE
    assert step(API, before, missed, 160.0).health is Health.UNHEALTHY


def test_a_wish_during_a_stop_for_ill_health_makes_it_a_restart() -> None:
    """Without it, a service that is never restarted by itself would end, though somebody wants it."""
    service = msgspec.structs.replace(API, restart=RestartPolicy(policy=RestartWhen.NO))
    stopping: History = [*healthy(), *ill(), stop(StopFor.UNHEALTHY)]
    gone = Stopped(service=N, run=1)
    assert after([*stopping, gone], service).state is State.EXITED
    for ask in (Asked(service=N), RestartAsked(service=N)):
        assert after([*stopping, ask, gone], service).state is State.STOPPED
    assert after([*healthy(), stop(StopFor.DOWN), Asked(service=N)], service).stop_for is StopFor.DOWN


def test_up_on_an_unhealthy_service_restarts_it() -> None:
    assert after([*healthy(), *ill(), Asked(service=N)]).stale == "503"
    assert after([*healthy(), Asked(service=N)]).stale == ""


def test_an_exit_while_it_is_being_stopped_waits_for_its_whole_tree() -> None:
    state = after([*healthy(), stop(StopFor.DOWN), crash(code=-15)])
    assert (state.state, state.exit_code) == (State.STOPPING, -15)
    assert step(API, state, Stopped(service=N, run=1), 101.0).exit_code == -15


def test_what_cannot_be_stopped_is_stopped_again_before_it_may_start() -> None:
    left = after([*healthy(), stop(StopFor.DOWN), StopFailed(service=N, run=1, reason="in the kernel")])
    assert (left.state, left.lingers, left.stop_for) == (State.FATAL, True, None)
    for ask in (Asked(service=N), RestartAsked(service=N)):
        asked = step(API, left, ask, 101.0)
        assert (asked.state, asked.stale, asked.identity) == (State.FATAL, "in the kernel", WHO)
    gone = after([stop(StopFor.RESTART), Stopped(service=N, run=1)], start=left)
    assert (gone.state, gone.identity) == (State.STOPPED, None)


def test_a_start_that_was_called_off_waits_for_the_word_that_all_is_gone() -> None:
    state = after([*starting(), stop(StopFor.DOWN), StartFailed(service=N, run=1, reason="called off")])
    assert state.state is State.STOPPING
    assert step(API, state, Stopped(service=N, run=1), 1.0).state is State.STOPPED


def test_adoption_finishes_a_start_that_nobody_saw_end() -> None:
    seen = Adopted(service=N, run=1, identity=WHO)
    checked = after([*starting(), seen])
    assert (checked.state, checked.adopted, checked.ready_at, checked.identity) == (State.RUNNING, True, None, WHO)
    assert after([*healthy(), 3.0, seen]).ready_at == 100.0
    assert not after([*healthy(), seen, crash(), Starting(service=N, run=2)]).adopted


@pytest.mark.parametrize("slept", [0.0, 1e-9, 8 * 3600.0, 40 * 86400.0])
def test_a_clock_that_stands_still_or_leaps_only_makes_the_next_try_due(slept: float) -> None:
    waits = after([*healthy(), crash()])
    plan = reconcile(World(services={N: API}, wanted=frozenset({N}), states={N: waits}, edges={N: ()}), 100.0 + slept)
    assert bool(plan.actions) is (slept > 0.5)
    assert plan.wake_at == (None if slept > 0.5 else 100.5)


def test_a_leap_of_the_clock_makes_no_healthy_service_ill() -> None:
    slept = after([*healthy(), 8 * 3600.0, ProbeFailed(service=N, run=1, reason="waking up")])
    assert slept.health is Health.HEALTHY
    assert after([*running(), 8 * 3600.0, ProbePassed(service=N, run=1)]).health is Health.HEALTHY


def test_a_service_with_no_check_counts_as_up_once_it_has_stayed_alive() -> None:
    alive: History = [*running(), 1.0, ProbePassed(service=N, run=1)]
    assert after(running(), PLAIN).ready_at is None
    state = after(alive, PLAIN)
    assert (state.health, state.ready_at) == (Health.NONE, 100.0)


def test_since_says_when_the_state_was_entered() -> None:
    assert after([*healthy(), 7.0, ProbePassed(service=N, run=1)]).since == 100.0
    assert after([*healthy(), 7.0, crash()]).since == 107.0


def test_a_service_that_reports_only_stays_up_when_it_is_unhealthy() -> None:
    bad = after([*healthy(), *ill()])
    for word, stops in ((OnUnhealthy.RESTART, True), (OnUnhealthy.REPORT, False)):
        service = msgspec.structs.replace(API, on_unhealthy=word)
        state = msgspec.structs.replace(bad, spec=fingerprint(service))
        world = World(services={N: service}, wanted=frozenset({N}), states={N: state}, edges={N: ()})
        assert bool(reconcile(world, 100.0).actions) is stops
