"""The state machine: one table, and ``step``, the only thing that changes a state.

``TRANSITIONS`` says which states an event may lead to from which; an event that is not in it raises, because it means
that the supervisor's picture of the world is wrong. The diagram in the docs is drawn from the table.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from devctl.core.model import RestartWhen, Service
from devctl.core.state import (
    Adopted,
    AnyEvent,
    Asked,
    Event,
    Exited,
    Health,
    ProbeFailed,
    ProbePassed,
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

STABLE_AFTER = 10.0
"""Seconds a service must have been ready for its earlier failures to be forgotten."""

_S, _G, _R, _B, _P, _E, _F = (
    State.STOPPED,
    State.STARTING,
    State.RUNNING,
    State.BACKOFF,
    State.STOPPING,
    State.EXITED,
    State.FATAL,
)
_STAY: Mapping[State, tuple[State, ...]] = {state: (state,) for state in State}

TRANSITIONS: Mapping[type[Event], Mapping[State, tuple[State, ...]]] = {
    Asked: {**_STAY, _B: (_S,), _E: (_E, _S), _F: (_S, _F)},
    RestartAsked: {**_STAY, _B: (_S,), _E: (_S,), _F: (_S, _F)},
    SourcesChanged: {**_STAY, _B: (_B, _S), _E: (_E, _S), _F: (_F, _S)},
    SetupStarted: _STAY,
    SetupDone: {**_STAY, _E: (_E, _S)},
    SetupFailed: {**_STAY, _S: (_S, _F), _B: (_B, _F), _E: (_E, _F)},
    Starting: {_S: (_G,), _B: (_G,)},
    Started: {_G: (_R,), _P: (_P,)},
    StartFailed: {_G: (_B, _F, _E), _P: (_P,)},
    ProbePassed: _STAY,
    ProbeFailed: _STAY,
    Exited: {**_STAY, _G: (_B, _F, _E), _R: (_B, _F, _E)},
    Stopping: {_G: (_P,), _R: (_P,), _B: (_P,), _P: (_P,), _F: (_P,)},
    Stopped: {**_STAY, _P: (_S, _B, _F, _E), _R: (_S,)},
    StopFailed: {_P: (_F,)},
    Adopted: {_G: (_R,), _R: (_R,), _P: (_P,)},
    SchemaChecked: _STAY,
}


class IllegalEvent(Exception):
    """An event that cannot happen in this state."""


def step(service: Service, before: ServiceState, event: AnyEvent, now: float) -> ServiceState:
    """The state after ``event``. ``now`` is in monotonic seconds.

    News of an earlier run leaves the state as it is. Raises IllegalEvent for what the table does not hold.
    """
    if event.run and event.run != before.run and not isinstance(event, Starting):
        return before
    allowed = TRANSITIONS[type(event)].get(before.state)
    if allowed is None:
        raise IllegalEvent(f"{service.name}: {type(event).__name__} while {before.state}")
    after = _HANDLERS[type(event)](service, before, event, now)
    if after.state not in allowed:
        raise IllegalEvent(f"{service.name}: {type(event).__name__} led from {before.state} to {after.state}")
    if after.state is not before.state:
        after = _with(after, since=now)
    return after


def _with(before: ServiceState, /, **changes: Any) -> ServiceState:
    return msgspec.structs.replace(before, **changes)


def _asked(service: Service, before: ServiceState, event: Asked, now: float) -> ServiceState:
    fresh = _forgiven(before)
    if fresh.lingers:
        return _with(fresh, stale=before.reason)
    if before.state in {_B, _F} or (before.state is _E and (event.rerun or not before.completed)):
        return _reset(fresh)
    if before.state is _R and before.health is Health.UNHEALTHY:
        return _with(fresh, stale=before.reason or "it was unhealthy")
    return fresh


def _forgiven(state: ServiceState) -> ServiceState:
    """Somebody wants it now: a stop for its ill health has become a restart."""
    stop_for = StopFor.RESTART if state.stop_for is StopFor.UNHEALTHY else state.stop_for
    setup = state.setup if state.setup is Setup.RUNNING else Setup.NEEDED
    return _with(state, failures=0, restarts=0, setup=setup, stop_for=stop_for, schema=_anew_checked(state.schema))


def _anew_checked(schema: Schema) -> Schema:
    """What was wrong with it may be mended by now."""
    wrong = schema.verdict in {SchemaVerdict.BEHIND, SchemaVerdict.UNCHECKED}
    return Schema(SchemaVerdict.PENDING) if wrong else schema


def _reset(state: ServiceState) -> ServiceState:
    return _with(
        state, state=_S, reason="", hint="", words=(), retry_at=None, completed=False, health=Health.NONE,
        exit_code=None, ready_at=None, identity=None, stop_for=None, stale="", schema=Schema(),
    )  # fmt: skip


def _restart_asked(service: Service, before: ServiceState, event: RestartAsked, now: float) -> ServiceState:
    fresh = _forgiven(before)
    if fresh.lingers:
        return _with(fresh, stale=before.reason)
    if before.state in {_B, _E, _F}:
        return _reset(fresh)
    return _with(fresh, stale="asked for") if before.state in {_G, _R} else fresh


def _sources_changed(service: Service, before: ServiceState, event: SourcesChanged, now: float) -> ServiceState:
    """What failed or completed is tried anew only when its own sources changed."""
    running = before.setup is Setup.RUNNING
    after = _with(before, setup=before.setup if running else Setup.NEEDED, setup_again=running)
    if not event.because:
        return before if before.setup is Setup.FAILED else after
    if before.lingers:
        return before
    if before.state in {_B, _E, _F}:
        return _with(_reset(after), failures=0, restarts=0)
    return _with(after, stale=event.because) if before.state in {_G, _R} else after


def _setup_started(service: Service, before: ServiceState, event: SetupStarted, now: float) -> ServiceState:
    return _with(before, setup=Setup.RUNNING)


def _setup_done(service: Service, before: ServiceState, event: SetupDone, now: float) -> ServiceState:
    after = _with(before, setup=Setup.NEEDED if before.setup_again else Setup.DONE, setup_again=False)
    if event.changed and before.state in {_G, _R}:
        return _with(after, stale=event.changed)
    if event.changed and before.state is _E:
        return _reset(after)
    return after


def _setup_failed(service: Service, before: ServiceState, event: SetupFailed, now: float) -> ServiceState:
    if not event.reason or before.setup_again:
        return _with(before, setup=Setup.NEEDED, setup_again=False)
    after = _with(before, setup=Setup.FAILED, reason=event.reason, hint=event.hint, words=event.words)
    return _with(after, state=_F, retry_at=None, completed=False) if before.state in {_S, _B, _E} else after


def _starting(service: Service, before: ServiceState, event: Starting, now: float) -> ServiceState:
    if event.run != before.run + 1:
        raise IllegalEvent(f"{service.name}: run {event.run} after run {before.run}")
    return _with(
        _reset(before), state=_G, run=event.run, started_at=now, misses=0, adopted=False, spec=event.spec,
        restarts=before.restarts + (before.state is _B),
        health=Health.STARTING if service.health else Health.NONE,
        schema=Schema(SchemaVerdict.PENDING) if service.holds_schema else Schema(),
    )  # fmt: skip


def _started(service: Service, before: ServiceState, event: Started, now: float) -> ServiceState:
    after = _with(before, identity=event.identity)
    if before.state is _P:
        return after
    return _with(after, state=_R)


def _start_failed(service: Service, before: ServiceState, event: StartFailed, now: float) -> ServiceState:
    if before.state is _P:
        return before
    after = _with(before, hint=event.hint, words=event.words)
    if event.final:
        return _with(after, state=_F, reason=event.reason, health=Health.NONE, stale="")
    return _failed(service, after, event.reason, now)


def _probe_passed(service: Service, before: ServiceState, event: ProbePassed, now: float) -> ServiceState:
    if before.state is not _R:
        return before
    health, moment = (Health.HEALTHY, now) if service.health else (Health.NONE, before.since)
    after = _with(before, health=health, misses=0, ready_at=moment if before.ready_at is None else before.ready_at)
    return after if before.setup is Setup.FAILED else _with(after, reason="", hint="")


def _probe_failed(service: Service, before: ServiceState, event: ProbeFailed, now: float) -> ServiceState:
    if before.state is not _R or service.health is None:
        return before
    if before.health is Health.UNHEALTHY:
        return _with(before, reason=event.reason)
    after = _with(before, misses=before.misses + 1, reason=event.reason)
    if before.health is not Health.HEALTHY:
        waited = now - (before.started_at if before.started_at is not None else now)
        if waited < service.health.start_period:
            return after
        limit = f"{service.health.start_period:g}"
        return _with(after, health=Health.UNHEALTHY, reason=f"not healthy after {limit} s: {event.reason}")
    return _with(after, health=Health.UNHEALTHY) if after.misses >= service.health.failure_threshold else after


def _exited(service: Service, before: ServiceState, event: Exited, now: float) -> ServiceState:
    if before.state not in {_G, _R}:
        return _with(before, exit_code=event.code) if before.state is _P else before
    after = _with(before, exit_code=event.code, words=event.words, identity=None)
    if event.code == 0 and service.oneshot:
        return _with(
            after, state=_E, completed=True, ready_at=now, health=Health.NONE, reason="", hint="", words=(), stale=""
        )
    reason = _ending(event)
    if event.code == 0 and service.restart.policy is not RestartWhen.ALWAYS:
        return _with(after, state=_E, reason=reason, health=Health.NONE, stale="")
    return _failed(service, after, reason, now)


def _ending(event: Exited) -> str:
    if event.code is None:
        text = "ended"
    elif event.code < 0:
        text = f"was killed by {_signal(-event.code)}"
    elif event.code == 0:
        text = "ended by itself with code 0"
    else:
        text = f"ended with exit code {event.code}"
    return f"{text} ({event.note})" if event.note else text


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _failed(service: Service, state: ServiceState, reason: str, now: float) -> ServiceState:
    policy = service.restart
    stable = state.ready_at is not None and now - state.ready_at >= STABLE_AFTER
    failures = 1 if stable else state.failures + 1
    after = _with(
        state, failures=failures, reason=reason, setup=_anew(state.setup),
        health=Health.NONE, identity=None, stop_for=None, stale="",
    )  # fmt: skip
    if policy.policy is RestartWhen.NO:
        return _with(after, state=_E)
    if failures > policy.max_retries:
        times = f", {failures} times in a row" if failures > 1 else ""
        return _with(after, state=_F, reason=f"{reason}{times}")
    delay = min(policy.max_delay, policy.initial_delay * 2.0 ** min(failures - 1, 30))
    return _with(after, state=_B, retry_at=now + delay)


def _anew(setup: Setup) -> Setup:
    """A setup that failed beside a run is tried again before the next one."""
    return Setup.NEEDED if setup is Setup.FAILED else setup


def _stopping(service: Service, before: ServiceState, event: Stopping, now: float) -> ServiceState:
    reason = before.reason if event.why is StopFor.UNHEALTHY else event.reason
    return _with(before, state=_P, stop_for=event.why, reason=reason, stale="", retry_at=None)


def _stopped(service: Service, before: ServiceState, event: Stopped, now: float) -> ServiceState:
    if before.state not in {_P, _R}:
        return before
    code = before.exit_code if event.code is None else event.code
    if before.stop_for is StopFor.UNHEALTHY:
        return _failed(service, _with(before, exit_code=code), before.reason or "unhealthy", now)
    if before.setup is Setup.FAILED and before.stop_for is StopFor.RESTART:
        return _with(before, state=_F, exit_code=code, health=Health.NONE, identity=None, stop_for=None)
    return _with(_reset(before), exit_code=code, setup=_anew(before.setup))


def _stop_failed(service: Service, before: ServiceState, event: StopFailed, now: float) -> ServiceState:
    return _with(before, state=_F, reason=event.reason, health=Health.NONE, stop_for=None)


def _adopted(service: Service, before: ServiceState, event: Adopted, now: float) -> ServiceState:
    after = _with(before, identity=event.identity, adopted=True)
    if before.state is not _G:
        return after
    return _with(after, state=_R)


def _schema_checked(service: Service, before: ServiceState, event: SchemaChecked, now: float) -> ServiceState:
    return _with(before, schema=event.found) if before.state is _R and service.holds_schema else before


_HANDLERS: Mapping[type[Event], Callable[[Service, ServiceState, Any, float], ServiceState]] = {
    Asked: _asked,
    RestartAsked: _restart_asked,
    SchemaChecked: _schema_checked,
    SourcesChanged: _sources_changed,
    SetupStarted: _setup_started,
    SetupDone: _setup_done,
    SetupFailed: _setup_failed,
    Starting: _starting,
    Started: _started,
    StartFailed: _start_failed,
    ProbePassed: _probe_passed,
    ProbeFailed: _probe_failed,
    Exited: _exited,
    Stopping: _stopping,
    Stopped: _stopped,
    StopFailed: _stop_failed,
    Adopted: _adopted,
}
