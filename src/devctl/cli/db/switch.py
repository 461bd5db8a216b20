"""``CC_DROP_TABLES=true``: a start with it drops all tables, so only a developer's own database is let through."""

from __future__ import annotations

from collections.abc import Iterable

from devctl.cli.db.place import Target
from devctl.cli.place import Place
from devctl.core.model import Manifest
from devctl.errors import DevctlError, Exit
from devctl.safety.policy import DROP_SWITCH, drop_switch
from devctl.safety.url import seen_by


def refuse_drop_switch(place: Place, manifest: Manifest, names: Iterable[str]) -> None:
    """Raises DevctlError (exit 3) where one of these services would start with the switch on, and a database of the
    manifest isn't a developer's own: which tables a service drops can't be seen from outside."""
    switch = next((said for name in names if (said := _switch(place, manifest, name))), "")
    if not switch:
        return
    for service in manifest.services.values():
        target = Target(place, service)
        if service.database and not target.standing.local:
            raise DevctlError(
                f"{switch} is refused: it would drop the tables of {target.url.shown}",
                service.name,
                f"{target.standing.reason}; no option turns this off",
                f"unset {DROP_SWITCH}",
                Exit.PRECONDITION,
            )


def _switch(place: Place, manifest: Manifest, name: str) -> str:
    """The switch as the service would see it."""
    service = manifest.services[name]
    return drop_switch(seen_by(service, (DROP_SWITCH,), place.environment, Target(place, service).files))
