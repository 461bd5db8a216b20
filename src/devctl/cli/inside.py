"""A service's own interpreter, wherever the service lives today."""

from __future__ import annotations

from devctl.api.protocol import Snapshot
from devctl.cli.engine import find_engine
from devctl.cli.place import Place
from devctl.core.model import Manifest, Runtime
from devctl.errors import DevctlError, Exit
from devctl.manifest.choose import choose
from devctl.safety.interpreter import Interpreter, container, native


def interpreter_of(place: Place, name: str, snapshot: Snapshot | None) -> Interpreter:
    """The Python with the packages of service ``name``: its environment's, or its container's.

    A service that runs keeps the runtime it has; another gets the one ``up`` would give it. Raises DevctlError.
    """
    service = _manifest(place, name, snapshot).services[name]
    if service.runtime is not Runtime.CONTAINER:
        return native(service, place.environment)
    from devctl.runtimes.compose_cli import ComposeCli
    from devctl.runtimes.endpoint import locate

    stack = place.manifest.compose
    if stack is None:
        raise DevctlError("there is no compose stack", hint="add compose: to services.yaml", code=Exit.USAGE)
    cli = ComposeCli(stack, dict(place.environment), locate(place.environment))
    return container(service, ["docker", "compose", *cli.options()], cli.environment, str(cli.folder))


def _manifest(place: Place, name: str, snapshot: Snapshot | None) -> Manifest:
    running = snapshot.manifest if snapshot and snapshot.manifest and name in snapshot.wanted else None
    if running is not None and name in running.services:
        return running
    engine = find_engine(place.manifest, [name], place.environment)
    return choose(place.manifest, docker=not engine.problem, docker_reason=engine.problem, only=[name])
