"""Why is it so: what a service needs, what needs it, and the root cause when it is not up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devctl.core.graph import dependents, impact, requirements
from devctl.core.model import Dependency, Manifest, Runtime, Value
from devctl.core.outcome import Verdict, verdict
from devctl.core.plan import Hold
from devctl.core.reconcile import met
from devctl.core.state import Health, SchemaVerdict, ServiceState, Setup, State


class RootCause(Value):
    """The deepest thing that keeps a service from being up; ``evidence`` are log lines."""

    service: str
    reason: str
    evidence: tuple[str, ...] = ()
    hint: str = ""


class Need(Value):
    """A direct dependency and how it is."""

    edge: Dependency
    state: ServiceState
    met: bool


class Explanation(Value):
    """All that ``why`` shows. ``path`` leads from the service to the root cause's service, both included."""

    service: str
    state: ServiceState
    depends_on: tuple[Need, ...]
    dependents: tuple[str, ...]
    related: tuple[str, ...]
    start_order: tuple[str, ...]
    root_cause: RootCause | None = None
    path: tuple[str, ...] = ()


def explain(manifest: Manifest, states: Mapping[str, ServiceState], holds: Iterable[Hold], name: str) -> Explanation:
    """Everything about ``name``; ``holds`` are the supervisor's present ones."""
    service = manifest.services[name]
    path = blame(manifest, states, name)
    return Explanation(
        service=name,
        state=_state(states, name),
        depends_on=tuple(_need(manifest, states, edge) for edge in service.depends_on),
        dependents=dependents(manifest, [name]),
        related=impact(manifest, name),
        start_order=requirements(manifest, [name]),
        root_cause=_root_cause(states, {hold.service: hold for hold in holds}, path),
        path=path,
    )


def _state(states: Mapping[str, ServiceState], name: str) -> ServiceState:
    return states.get(name) or ServiceState(name=name)


def _need(manifest: Manifest, states: Mapping[str, ServiceState], edge: Dependency) -> Need:
    target = manifest.services.get(edge.service)
    state = _state(states, edge.service)
    free = target is None or target.runtime is Runtime.LIBRARY
    return Need(edge=edge, state=state, met=free or (target is not None and met(target, state, edge.condition)))


def blame(manifest: Manifest, states: Mapping[str, ServiceState], name: str) -> tuple[str, ...]:
    """From ``name`` down to the service that is the cause; () when ``name`` is ready. A failed need goes before a
    merely slow one; a service that has failed for good is its own cause, one that runs can only blame a failed need."""
    if verdict(manifest.services[name], states.get(name)) is Verdict.READY:
        return ()
    path = [name]
    while True:
        service, state = manifest.services[path[-1]], _state(states, path[-1])
        if state.state in {State.FATAL, State.EXITED}:
            return tuple(path)
        unmet = [
            edge.service
            for edge in service.depends_on
            if not _need(manifest, states, edge).met and edge.service not in path
        ]
        if state.active:
            unmet = [other for other in unmet if _rank(_state(states, other)) == 0]
        if not unmet:
            return tuple(path)
        path.append(min(unmet, key=lambda other: _rank(_state(states, other))))


def _own_fault(state: ServiceState) -> bool:
    return state.state in {State.FATAL, State.BACKOFF} or (state.state is State.EXITED and not state.completed)


def _behind(state: ServiceState) -> bool:
    return state.state is State.RUNNING and state.schema.verdict is SchemaVerdict.BEHIND


def _rank(state: ServiceState) -> int:
    if _own_fault(state) or state.health is Health.UNHEALTHY or _behind(state):
        return 0
    return 1 if state.state is State.STOPPED else 2


def _root_cause(
    states: Mapping[str, ServiceState], holds: Mapping[str, Hold], path: tuple[str, ...]
) -> RootCause | None:
    if not path:
        return None
    name = path[-1]
    state = _state(states, name)
    reason = sentence(state, holds.get(name))
    evidence, hint = (state.schema.words, state.schema.hint) if _behind(state) else (state.words, state.hint)
    return RootCause(service=name, reason=f"{name} {reason}", evidence=evidence, hint=hint or _hint(name, state))


def _hint(name: str, state: ServiceState) -> str:
    if state.state is State.STOPPED and state.setup is Setup.DONE:
        return f"devctl up {name}"
    if _own_fault(state) or state.health is Health.UNHEALTHY:
        return f"devctl logs {name}"
    return ""


def sentence(state: ServiceState, hold: Hold | None) -> str:
    """Why a service is not healthy, to follow its name; "" when there is nothing to say."""
    if state.setup is Setup.FAILED:
        return f"could not be set up: {state.reason}"
    if state.state is State.STOPPED:
        if state.setup is Setup.RUNNING:
            return "is being set up"
        return hold.reason if hold else "is stopped"
    return _words(state) or ("is being set up" if state.setup is not Setup.DONE else "")


_SCHEMA = {
    SchemaVerdict.BEHIND: "has a schema that is behind its models",
    SchemaVerdict.UNCHECKED: "has a schema that could not be checked",
    SchemaVerdict.PENDING: "has a schema that is being checked",
}


def _words(state: ServiceState) -> str:
    match state.state:
        case State.STARTING:
            return "is being started"
        case State.BACKOFF:
            return f"{state.reason}; is tried again"
        case State.STOPPING:
            return "is stopping"
        case State.FATAL:
            return f"has failed: {state.reason}"
        case State.EXITED:
            return "" if state.completed else state.reason or "has ended"
        case _:
            return _running_words(state)


def _running_words(state: ServiceState) -> str:
    if state.health is Health.UNHEALTHY:
        return f"is unhealthy: {state.reason}" if state.reason else "is unhealthy"
    if state.health is Health.STARTING:
        return f"is not healthy yet: {state.reason}" if state.reason else "is not healthy yet"
    if state.stale:
        return f"must be restarted: {state.stale}"
    if state.schema.verdict in _SCHEMA:
        return f"{_SCHEMA[state.schema.verdict]}: {state.schema.reason}".removesuffix(": ")
    return "runs, but does not count as up yet" if state.health is Health.NONE and state.ready_at is None else ""
