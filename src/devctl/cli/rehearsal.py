"""``up --dry-run``: what would be done, in which order, and why."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from devctl.api.protocol import Snapshot
from devctl.cli.engine import Engine
from devctl.cli.held import find_held
from devctl.cli.place import Place
from devctl.core.model import Manifest, Runtime
from devctl.core.rehearse import rehearse
from devctl.ui.rehearsed import steps


def rehearsal(
    place: Place, manifest: Manifest, names: Sequence[str], before: Snapshot | None, engine: Engine
) -> list[Text]:
    """The lines of a rehearsal, ports in the way first."""
    states = before.states if before else {}
    wanted = {*(before.wanted if before else ()), *names} & set(manifest.services)
    played = rehearse(manifest, wanted, states, stale_setups(place, manifest, names), names)
    held = [str(each) for each in find_held(place, manifest, names, states, engine)]
    return steps(played, held)


def stale_setups(place: Place, manifest: Manifest, names: Sequence[str]) -> dict[str, str]:
    """Whose setup steps would run, and why. What a build would change only Compose knows."""
    from devctl.setup.run import stale

    found = {}
    for name in names:
        service = manifest.services[name]
        if service.runtime is Runtime.PROCESS and (due := stale(service, place.workspace)):
            found[name] = "; ".join(str(step) for step in due)
    return found
