"""Which ports of services that are about to start are not free: looked at by every ``up``, explained only then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devctl.core.model import Manifest, Runtime, Service
from devctl.core.state import ServiceState
from devctl.ports.free import is_free


def taken(manifest: Manifest, names: Iterable[str], states: Mapping[str, ServiceState]) -> dict[int, str]:
    """Ports that somebody holds, each with the service that needs it and doesn't run yet."""
    return {
        port.number: name
        for name in names
        if _starts(manifest.services[name], states.get(name))
        for port in manifest.services[name].ports
        if not is_free(port.number)
    }


def _starts(service: Service, state: ServiceState | None) -> bool:
    return service.runtime in {Runtime.PROCESS, Runtime.CONTAINER} and not (state and state.active)
