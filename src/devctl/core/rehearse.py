"""``up --dry-run``: the same decision as the supervisor's, played through as if everything went well. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devctl.core.lifecycle import step
from devctl.core.model import Manifest, Runtime, Service, Value
from devctl.core.plan import Action, Prepare, Start, Stop
from devctl.core.reconcile import World, fingerprint, reconcile
from devctl.core.state import (
    AnyEvent,
    Asked,
    Exited,
    ProbePassed,
    ServiceState,
    SetupDone,
    SetupStarted,
    Started,
    Starting,
    State,
    Stopped,
    Stopping,
)


class Step(Value):
    """One line of a rehearsal; ``wave`` counts from 1: what has the same wave may happen at the same time."""

    wave: int
    action: str
    service: str
    because: str


def rehearse(
    manifest: Manifest, wanted: Iterable[str], states: Mapping[str, ServiceState], stale: Mapping[str, str]
) -> tuple[Step, ...]:
    """What ``up`` would do. ``stale``: whose setup, image or container must be renewed, and why."""
    names = tuple(wanted)
    present = {name: state for name, state in states.items() if name in manifest.services}
    for name in names:
        present[name] = _apply(manifest, present, name, Asked(service=name))
    steps: list[Step] = []
    for wave in range(1, 4 * len(manifest.services) + 4):
        plan = reconcile(World.of(manifest, names, present), now=0.0)
        if not plan.actions:
            break
        steps += [line for action in plan.actions if (line := _line(wave, action, stale))]
        for action in plan.actions:
            for event in _success(manifest.services[action.service], present, action, stale):
                present[action.service] = _apply(manifest, present, action.service, event)
    return _renumbered(steps)


def _apply(manifest: Manifest, states: Mapping[str, ServiceState], name: str, event: AnyEvent) -> ServiceState:
    return step(manifest.services[name], states.get(name) or ServiceState(name=name), event, 0.0)


def _line(wave: int, action: Action, stale: Mapping[str, str]) -> Step | None:
    if isinstance(action, Prepare):
        because = stale.get(action.service, "")
        return Step(wave=wave, action="prepare", service=action.service, because=because) if because else None
    word = "start" if isinstance(action, Start) else "stop"
    return Step(wave=wave, action=word, service=action.service, because=action.because)


def _success(
    service: Service, states: Mapping[str, ServiceState], action: Action, stale: Mapping[str, str]
) -> Iterable[AnyEvent]:
    state = states.get(service.name) or ServiceState(name=service.name)
    name, run = service.name, state.run
    if isinstance(action, Prepare):
        running = state.state is State.RUNNING
        return (
            SetupStarted(service=name),
            SetupDone(service=name, changed=stale.get(name, "") if running else ""),
        )
    if isinstance(action, Stop):
        return Stopping(service=name, run=run, why=action.why), Stopped(service=name, run=run)
    begun: tuple[AnyEvent, ...] = (
        Starting(service=name, run=run + 1, spec=fingerprint(service)),
        Started(service=name, run=run + 1),
    )
    if service.oneshot:
        return (*begun, Exited(service=name, run=run + 1, code=0))
    return (*begun, ProbePassed(service=name, run=run + 1)) if service.runtime is not Runtime.LIBRARY else begun


def _renumbered(steps: list[Step]) -> tuple[Step, ...]:
    """Waves in which nothing is shown leave no gap."""
    waves = {wave: number for number, wave in enumerate(sorted({line.wave for line in steps}), 1)}
    return tuple(
        Step(wave=waves[line.wave], action=line.action, service=line.service, because=line.because) for line in steps
    )
