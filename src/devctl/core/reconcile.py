"""The decision: what is wanted and what is so → what to do next, what must wait, and why.

The supervisor does it, ``up --dry-run`` prints it (``rehearse``), ``why`` explains it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from devctl.core.digest import maker
from devctl.core.graph import Edges, needed_by
from devctl.core.model import Condition, Dependency, Manifest, OnUnhealthy, Runtime, Service, Value
from devctl.core.plan import Action, Hold, Plan, Prepare, Start, Stop
from devctl.core.state import Health, SchemaVerdict, ServiceState, Setup, State, StopFor

RESTARTABLE = {State.STOPPED, State.BACKOFF}


class World(Value):
    """Everything a decision looks at. ``wanted``: services that are to be up; ``edges``: direct dependents."""

    services: dict[str, Service]
    wanted: frozenset[str]
    states: dict[str, ServiceState]
    edges: Edges

    @classmethod
    def of(cls, manifest: Manifest, wanted: Iterable[str], states: Mapping[str, ServiceState]) -> World:
        """The world of a whole manifest."""
        return cls(
            services=manifest.services,
            wanted=frozenset(wanted),
            states=dict(states),
            edges=needed_by(manifest.services),
        )

    def state(self, name: str) -> ServiceState:
        """The state of ``name``, a stopped one if nothing was ever heard of it."""
        return self.states.get(name) or ServiceState(name=name)


def fingerprint(service: Service) -> str:
    """Changes when a running process no longer matches its definition; a container's is Compose's own config hash."""
    body = msgspec.structs.replace(service.process, setup=()) if service.process else None
    parts = (service.runtime, body if service.runtime is Runtime.PROCESS else service.compose, service.oneshot)
    return str(maker("sha1")(msgspec.json.encode(parts)).hexdigest()[:12])


def reconcile(world: World, now: float, only: Iterable[str] | None = None) -> Plan:
    """What is to be done now. ``only`` limits the look to these services (the others did not change)."""
    actions: list[Action] = []
    holds: list[Hold] = []
    for name in world.services if only is None else only:
        service, state = world.services[name], world.state(name)
        up = _up(world, name)
        for item in _bring_up(world, service, state, now) if up else _take_down(world, service, state):
            (holds if isinstance(item, Hold) else actions).append(item)  # type: ignore[arg-type]
    wakes = [hold.until for hold in holds if hold.until is not None]
    return Plan(actions=tuple(actions), holds=tuple(holds), wake_at=min(wakes, default=None))


def _bring_up(world: World, service: Service, state: ServiceState, now: float) -> Iterable[Action | Hold]:
    if state.setup is Setup.NEEDED and state.state not in {State.STARTING, State.STOPPING}:
        yield Prepare(service=service.name, because=_setup_words(service))
    if state.state in RESTARTABLE:
        yield _start_or_hold(world, service, state, now)
    elif state.state is State.RUNNING:
        yield from (_unless_blameless(world, service, action) for action in _keep(service, state))
    elif state.state is State.STOPPING:
        yield Hold(service=service.name, reason="it is still stopping")
    elif state.lingers and state.stale:
        yield Stop(service=service.name, why=StopFor.RESTART, because=state.stale)


def _unless_blameless(world: World, service: Service, action: Action) -> Action | Hold:
    """A service that answers badly while what it needs is down is not made better by a restart, only worn out."""
    unmet = [edge for edge in service.depends_on if not satisfied(world, edge)]
    if not unmet or not isinstance(action, Stop) or action.why is not StopFor.UNHEALTHY:
        return action
    names = tuple(edge.service for edge in unmet)
    return Hold(service=service.name, reason=f"is unhealthy, and needs {', '.join(names[:3])} first", on=names)


def _setup_words(service: Service) -> str:
    return (
        "its image and container must be current"
        if service.runtime is Runtime.CONTAINER
        else "its setup must be current"
    )


def _start_or_hold(world: World, service: Service, state: ServiceState, now: float) -> Action | Hold:
    unmet = [edge for edge in service.depends_on if not satisfied(world, edge)]
    if unmet:
        reason = "; ".join(_waiting(world, edge) for edge in unmet[:3])
        reason += f"; and for {len(unmet) - 3} more" if len(unmet) > 3 else ""
        return Hold(service=service.name, reason=reason, on=tuple(edge.service for edge in unmet))
    if state.setup is not Setup.DONE:
        what = "its image and container" if service.runtime is Runtime.CONTAINER else "its setup"
        return Hold(service=service.name, reason=f"waits for {what}")
    if state.retry_at is not None and now < state.retry_at:
        return Hold(service=service.name, reason=f"{state.reason}; is tried again", until=state.retry_at)
    return Start(service=service.name, because=_start_words(service, state))


def _start_words(service: Service, state: ServiceState) -> str:
    if state.state is State.BACKOFF:
        return f"it {state.reason}"
    if not service.depends_on:
        return "it needs nothing"
    return " and ".join(f"{edge.service} is {_PAST[edge.condition]}" for edge in service.depends_on)


_PAST = {Condition.STARTED: "started", Condition.HEALTHY: "healthy", Condition.COMPLETED: "completed"}


def satisfied(world: World, edge: Dependency) -> bool:
    """Whether a dependency is as its condition demands, and stays so: not when it is about to be restarted."""
    service, state = world.services.get(edge.service), world.state(edge.service)
    if service is None or service.runtime is Runtime.LIBRARY:
        return True
    leaves = state.state is State.RUNNING and (bool(state.stale) or any(_keep(service, state)))
    return met(service, state, edge.condition) and not leaves


def met(service: Service, state: ServiceState, condition: Condition) -> bool:
    """Whether ``state`` fulfils ``condition``. A one-shot counts as healthy once completed; a service with no check
    once it runs. Healthy is also its database, where the manifest says so."""
    if service.oneshot or condition is Condition.COMPLETED:
        return state.completed or (condition is Condition.STARTED and state.state is State.RUNNING)
    if state.state is not State.RUNNING:
        return False
    if condition is Condition.STARTED:
        return True
    return (service.health is None or state.health is Health.HEALTHY) and not schema_holds(service, state)


def schema_holds(service: Service, state: ServiceState) -> bool:
    """Whether its database keeps waiting what needs it. What could not be checked keeps nobody waiting."""
    return service.holds_schema and state.schema.verdict in {SchemaVerdict.PENDING, SchemaVerdict.BEHIND}


def reruns(world: World, name: str) -> bool:
    """Whether what is asked for must run again though it has completed: what it needs begins anew too, or it is
    another one by now."""
    service, state = world.services[name], world.state(name)
    changed = bool(state.spec) and state.spec != fingerprint(service)
    return changed or not service.oneshot or not all(satisfied(world, edge) for edge in service.depends_on)


def _waiting(world: World, edge: Dependency) -> str:
    state = world.state(edge.service)
    if state.state is State.FATAL or (state.state is State.EXITED and not state.completed):
        return f"needs {edge.service}, which {failure_words(state)}"
    if edge.service not in world.wanted and not state.active:
        return f"needs {edge.service}, which is stopped"
    if state.state is State.RUNNING and state.schema.verdict is SchemaVerdict.BEHIND:
        schema = state.schema
        return f"schema of {edge.service} is behind its models ({schema.reason}): {schema.hint}"
    return f"waits for {edge.service} to be {_PAST[edge.condition]}"


def failure_words(state: ServiceState) -> str:
    """What became of a failed service, to follow "which"."""
    if state.setup is Setup.FAILED:
        return "could not be set up"
    return "has failed" if state.state is State.FATAL else "has ended"


def _keep(service: Service, state: ServiceState) -> Iterable[Action]:
    if state.setup is Setup.RUNNING:
        return
    if state.stale:
        yield Stop(service=service.name, why=StopFor.RESTART, because=state.stale)
    elif state.spec and state.spec != fingerprint(service):
        yield Stop(service=service.name, why=StopFor.RESTART, because="its definition changed")
    elif state.health is Health.UNHEALTHY and service.on_unhealthy is OnUnhealthy.RESTART and _ours(service):
        yield Stop(service=service.name, why=StopFor.UNHEALTHY, because=state.reason or "it is unhealthy")


def _ours(service: Service) -> bool:
    return service.runtime in {Runtime.PROCESS, Runtime.CONTAINER}


def _take_down(world: World, service: Service, state: ServiceState) -> Iterable[Action | Hold]:
    if state.state is State.STOPPING:
        if state.stop_for is not StopFor.DOWN:
            yield Stop(service=service.name, why=StopFor.DOWN, because="no longer wanted")
        return
    if not _endable(state):
        return
    first = [name for name in world.edges.get(service.name, ()) if _going(world, name)]
    if first:
        yield Hold(service=service.name, reason=f"stops after {', '.join(first)}", on=tuple(first))
    else:
        yield Stop(service=service.name, why=StopFor.DOWN, because="no longer wanted")


def _going(world: World, name: str) -> bool:
    state = world.state(name)
    return not _up(world, name) and (state.active or _endable(state))


def _endable(state: ServiceState) -> bool:
    """Whether there is something to stop: what waits for its next try may have left something, what could not be
    stopped is tried again when somebody asks."""
    return state.state in {State.STARTING, State.RUNNING, State.BACKOFF} or (state.lingers and bool(state.stale))


def _up(world: World, name: str) -> bool:
    """A library that still runs was something else before."""
    return name in world.wanted and world.services[name].runtime is not Runtime.LIBRARY
