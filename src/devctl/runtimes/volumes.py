"""Removing volumes: only those that are named, never in passing."""

from __future__ import annotations

from collections.abc import Sequence

from devctl.errors import DevctlError, Exit
from devctl.runtimes.engine import Engine, EngineRefused


def remove_volumes(engine: Engine, project: str, names: Sequence[str]) -> tuple[str, ...]:
    """Remove a project's volumes by their names in the compose file; returns their names in the engine. Blocks.

    Raises DevctlError before anything is removed when a name isn't one of them, and when a container still uses one.
    """
    known = engine.volumes(project)
    if wrong := [name for name in names if name not in known]:
        raise DevctlError(
            f"the project {project} has no volume {', '.join(map(repr, wrong))}",
            hint=f"there are: {', '.join(sorted(known)) or 'none'}",
            code=Exit.USAGE,
        )
    for name in names:
        try:
            engine.remove_volume(known[name])
        except EngineRefused as error:
            if error.status == 409:
                hint = "remove its container first: docker compose rm"
                raise DevctlError(f"the volume {name!r} is in use", why=error.what, hint=hint) from error
            raise
    return tuple(known[name] for name in names)
