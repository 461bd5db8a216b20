"""``up --dry-run``: what would be done, in which order, and why."""

from __future__ import annotations

from collections.abc import Sequence

from devctl.api.protocol import Snapshot
from devctl.cli.engine import Engine
from devctl.cli.held import find_held
from devctl.cli.place import Place
from devctl.core.model import Manifest, Runtime
from devctl.core.rehearse import rehearse
from devctl.ui.rehearsed import steps
from devctl.ui.text import Text


def rehearsal(
    place: Place, manifest: Manifest, names: Sequence[str], before: Snapshot | None, engine: Engine
) -> list[Text]:
    """The lines of a rehearsal, ports in the way first."""
    states = before.states if before else {}
    wanted = {*(before.wanted if before else ()), *names} & set(manifest.services)
    stale = {**stale_setups(place, manifest, names), **stale_containers(place, manifest, names, engine)}
    played = rehearse(manifest, wanted, states, stale, names)
    held = [str(each) for each in find_held(place, manifest, names, states, engine)]
    return steps(played, held)


def stale_setups(place: Place, manifest: Manifest, names: Sequence[str]) -> dict[str, str]:
    """Whose setup steps would run, and why."""
    from devctl.setup.run import stale

    found = {}
    for name in names:
        service = manifest.services[name]
        if service.runtime is Runtime.PROCESS and (due := stale(service, place.workspace)):
            found[name] = "; ".join(str(step) for step in due)
    return found


def stale_containers(place: Place, manifest: Manifest, names: Sequence[str], engine: Engine) -> dict[str, str]:
    """Whose image would be built or container made, and why."""
    services = [manifest.services[name] for name in names]
    services = [service for service in services if service.runtime is Runtime.CONTAINER]
    if not services or manifest.compose is None or engine.endpoint is None or engine.problem:
        return {}
    from devctl.runtimes.foresight import foresee
    from devctl.runtimes.policy import Todo

    place.workspace.prepare()
    changes = foresee(manifest.compose, services, place.environment, engine.endpoint, place.workspace.folder)
    made = {Todo.BUILD, Todo.CREATE, Todo.RECREATE}
    return {name: f"{change.action}, {change.because}" for name, change in changes.items() if change.action in made}
