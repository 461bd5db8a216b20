"""``up --dry-run``: the same decision as the supervisor's, played through as if everything went well. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devctl.core.graph import needed_by, needs, order
from devctl.core.lifecycle import step
from devctl.core.model import Manifest, Service, Value
from devctl.core.plan import Action, Prepare, Start, Stop
from devctl.core.reconcile import World, fingerprint, reconcile, reruns
from devctl.core.state import (
    AnyEvent,
    Asked,
    Exited,
    Health,
    ProbePassed,
    Schema,
    SchemaChecked,
    SchemaVerdict,
    ServiceState,
    Setup,
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
    manifest: Manifest,
    wanted: Iterable[str],
    states: Mapping[str, ServiceState],
    stale: Mapping[str, str],
    asked: Iterable[str] | None = None,
) -> tuple[Step, ...]:
    """What ``up`` would do. ``wanted``: all that is to be up then; ``asked``: those among them that ``up`` was told
    (all, when None); ``stale``: whose setup, image or container must be renewed, and why."""
    names = frozenset(wanted)
    present = {name: state for name, state in states.items() if name in manifest.services}
    world = World(services=manifest.services, wanted=names, states=present, edges=needed_by(manifest.services))
    for name in order(manifest.services, names if asked is None else asked):
        present[name] = _apply(manifest, present, name, Asked(service=name, rerun=reruns(world, name)))
    for name, state in tuple(present.items()):
        _play(manifest, present, _under_way(manifest.services[name], state))
    return _renumbered(_waves(world, manifest, present, stale))


def _waves(world: World, manifest: Manifest, present: dict[str, ServiceState], stale: Mapping[str, str]) -> list[Step]:
    """After each wave only its neighbours are looked at: thousands of services are rehearsed in a moment."""
    place = {name: number for number, name in enumerate(manifest.services)}
    requires = needs(manifest.services)
    look, steps = list(manifest.services), list[Step]()
    for wave in range(1, 4 * len(place) + 4):
        plan = reconcile(world, now=0.0, only=look)
        if not plan.actions:
            break
        steps += [line for action in plan.actions if (line := _line(wave, action, stale))]
        for action in plan.actions:
            service = manifest.services[action.service]
            _play(manifest, present, _success(service, world.state(service.name), action, stale))
        moved = {action.service for action in plan.actions}
        near = {other for name in moved for other in (*requires[name], *world.edges[name])}
        look = sorted(moved | near, key=place.__getitem__)
    return steps


def _play(manifest: Manifest, present: dict[str, ServiceState], events: Iterable[AnyEvent]) -> None:
    for event in events:
        present[event.service] = _apply(manifest, present, event.service, event)


def _under_way(service: Service, state: ServiceState) -> Iterable[AnyEvent]:
    """What has begun ends well too."""
    name, run = service.name, state.run
    if state.setup is Setup.RUNNING:
        yield SetupDone(service=name)
    if state.state is State.STOPPING:
        yield Stopped(service=name, run=run)
    if state.state is State.STARTING:
        yield Started(service=name, run=run, identity=state.identity)
    if state.state in {State.STARTING, State.RUNNING} and not state.stale:
        if service.oneshot:
            yield Exited(service=name, run=run, code=0)
        elif state.health is not Health.UNHEALTHY:
            yield ProbePassed(service=name, run=run)
            yield _checked(service, run)


def _apply(manifest: Manifest, states: Mapping[str, ServiceState], name: str, event: AnyEvent) -> ServiceState:
    return step(manifest.services[name], states.get(name) or ServiceState(name=name), event, 0.0)


def _line(wave: int, action: Action, stale: Mapping[str, str]) -> Step | None:
    if isinstance(action, Prepare):
        because = stale.get(action.service, "")
        return Step(wave=wave, action="prepare", service=action.service, because=because) if because else None
    word = "start" if isinstance(action, Start) else "stop"
    return Step(wave=wave, action=word, service=action.service, because=action.because)


def _success(service: Service, state: ServiceState, action: Action, stale: Mapping[str, str]) -> tuple[AnyEvent, ...]:
    name, run = service.name, state.run
    if isinstance(action, Prepare):
        return SetupStarted(service=name), SetupDone(service=name, changed=stale.get(name, ""))
    if isinstance(action, Stop):
        return Stopping(service=name, run=run, why=action.why), Stopped(service=name, run=run)
    begun = (
        Starting(service=name, run=run + 1, spec=fingerprint(service)),
        Started(service=name, run=run + 1),
    )
    ended = Exited(service=name, run=run + 1, code=0) if service.oneshot else ProbePassed(service=name, run=run + 1)
    return *begun, ended, _checked(service, run + 1)


def _checked(service: Service, run: int) -> AnyEvent:
    return SchemaChecked(service=service.name, run=run, found=Schema(SchemaVerdict.CURRENT))


def _renumbered(steps: list[Step]) -> tuple[Step, ...]:
    """Waves in which nothing is shown leave no gap."""
    waves = {wave: number for number, wave in enumerate(sorted({line.wave for line in steps}), 1)}
    return tuple(
        Step(wave=waves[line.wave], action=line.action, service=line.service, because=line.because) for line in steps
    )
