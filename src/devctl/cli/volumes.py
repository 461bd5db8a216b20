"""``down --volumes NAME…``: the only way a volume is ever removed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from devctl.cli.engine import ask_engine
from devctl.cli.place import Place
from devctl.cli.terminal import confirmed
from devctl.errors import DevctlError, Exit
from devctl.runtimes.engine import Engine
from devctl.runtimes.volumes import remove_volumes


def remove(place: Place, names: Sequence[str], *, yes: bool) -> None:
    """Remove these volumes, and the stopped containers that use them: ``up`` creates both anew. Raises DevctlError."""
    compose = place.manifest.compose
    if compose is None:
        raise DevctlError("there is no compose stack, so there are no volumes", place.manifest.file, code=Exit.USAGE)
    asked = ask_engine(place.environment)
    if asked.endpoint is None or asked.problem:
        raise DevctlError(
            "the volumes cannot be removed", why=asked.problem, hint="start Docker", code=Exit.PRECONDITION
        )
    engine = Engine(asked.endpoint)
    known = engine.volumes(compose.project)
    confirmed(f"remove {', '.join(names)} and everything in it for good?", yes=yes, otherwise=_unasked(names))
    for name in names:
        if name in known:
            _remove_stopped(engine, compose.project, known[name])
    for removed in remove_volumes(engine, compose.project, names):
        sys.stdout.write(f"volume {removed} is removed\n")


def _remove_stopped(engine: Engine, project: str, volume: str) -> None:
    from devctl.runtimes.containers import PROJECT
    from devctl.runtimes.engine import told

    client = engine.client()
    with told(engine.endpoint):
        filters = {"volume": volume, "label": f"{PROJECT}={project}"}
        for entry in client.containers(all=True, filters=filters):
            if entry.get("State") not in {"running", "restarting", "paused"}:
                client.remove_container(entry["Id"])


def _unasked(names: Sequence[str]) -> DevctlError:
    return DevctlError(
        f"removing {', '.join(names)} deletes what is in it for good",
        hint=f"devctl down --volumes {' '.join(names)} --yes",
        code=Exit.PRECONDITION,
    )
