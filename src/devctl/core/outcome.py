"""How ``up`` ended: who is ready, who failed, who waits for a failed one, and the critical path. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from devctl.core.model import Manifest, Runtime, Service
from devctl.core.reconcile import met, schema_holds
from devctl.core.state import Health, SchemaVerdict, ServiceState, Setup, State, StopFor


class Verdict(StrEnum):
    """What a wait for a service has come to."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    BLOCKED = "blocked"


def verdict(service: Service, state: ServiceState | None) -> Verdict:
    """READY, FAILED, or PENDING while it may still become ready. BLOCKED needs the graph: see ``verdicts``."""
    if service.runtime is Runtime.LIBRARY:
        return Verdict.READY
    if state is None:
        return Verdict.PENDING
    if state.stale:
        return Verdict.PENDING
    completed = service.oneshot and state.completed
    if state.state is State.FATAL or (state.state is State.EXITED and not completed) or _ill(state):
        return Verdict.FAILED
    if state.setup in {Setup.NEEDED, Setup.RUNNING}:
        return Verdict.PENDING
    if state.state is State.RUNNING and schema_holds(service, state):
        return Verdict.FAILED if state.schema.verdict is SchemaVerdict.BEHIND else Verdict.PENDING
    ready = completed or (
        state.state is State.RUNNING
        and not service.oneshot
        and (state.health is Health.HEALTHY if service.health else state.ready_at is not None)
    )
    return Verdict.READY if ready else Verdict.PENDING


def _ill(state: ServiceState) -> bool:
    """Whether it runs and is not as it should be; a restart that somebody asked for is not held against it."""
    if state.state is State.RUNNING:
        return state.health is Health.UNHEALTHY or state.setup is Setup.FAILED
    return state.state is State.STOPPING and state.stop_for is StopFor.UNHEALTHY


def verdicts(manifest: Manifest, wanted: Iterable[str], states: Mapping[str, ServiceState]) -> dict[str, Verdict]:
    """Each wanted service's verdict; BLOCKED where something it needs has failed or is blocked itself."""
    found = {name: verdict(manifest.services[name], states.get(name)) for name in wanted if name in manifest.services}
    return blocked(manifest, found, states)


def blocked(
    manifest: Manifest, verdicts: Mapping[str, Verdict], states: Mapping[str, ServiceState]
) -> dict[str, Verdict]:
    """The verdicts of services each seen alone, with those BLOCKED that wait for a failed one."""
    found = dict(verdicts)
    changed = Verdict.FAILED in found.values()
    while changed:
        changed = False
        for name, present in found.items():
            if present is Verdict.PENDING and _blocked(manifest, name, found, states):
                found[name] = Verdict.BLOCKED
                changed = True
    return found


def _blocked(manifest: Manifest, name: str, found: Mapping[str, Verdict], states: Mapping[str, ServiceState]) -> bool:
    state = states.get(name)
    if state is not None and state.active:
        return False
    for edge in manifest.services[name].depends_on:
        target = manifest.services.get(edge.service)
        if found.get(edge.service) in {Verdict.FAILED, Verdict.BLOCKED} and target is not None:
            needed = states.get(edge.service)
            if needed is None or not met(target, needed, edge.condition):
                return True
    return False


def settled(found: Mapping[str, Verdict]) -> bool:
    """Whether nothing is left to wait for."""
    return Verdict.PENDING not in found.values()


def critical_path(
    manifest: Manifest, states: Mapping[str, ServiceState], since: float = 0.0
) -> tuple[tuple[str, float], ...]:
    """The chain of services that decided how long ``up`` took, first to last, each with its own share in seconds.

    Only runs that began at ``since`` (monotonic seconds) or later count. A service's share runs from the moment the
    last thing it needed was ready (or ``since``) until it was ready itself; the shares add up to the total.
    """
    ready = {
        name: state.ready_at
        for name, state in states.items()
        if name in manifest.services
        and state.ready_at is not None
        and state.started_at is not None
        and state.started_at >= since
    }
    if not ready:
        return ()
    chain: list[str] = [max(ready, key=lambda name: ready[name])]
    while True:
        present = chain[-1]
        needed = [edge.service for edge in manifest.services[present].depends_on if edge.service in ready]
        earlier = [name for name in needed if ready[name] <= ready[present]]
        if not earlier:
            break
        chain.append(max(earlier, key=lambda name: ready[name]))
    chain.reverse()
    begins = [since, *(ready[name] for name in chain)]
    return tuple((name, max(0.0, ready[name] - begun)) for name, begun in zip(chain, begins, strict=False))
