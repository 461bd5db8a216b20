"""A snapshot as the screens look at it: one row a service, and the record ``status --json`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from devctl.api.protocol import Snapshot, Usage
from devctl.core.explain import sentence
from devctl.core.model import Manifest, Runtime, Service
from devctl.core.plan import Hold
from devctl.core.state import ContainerIdentity, ProcessIdentity, ServiceState, State
from devctl.ui.theme import shown_health
from devctl.ui.words import clean

NOBODY = Snapshot(version="", pid=0, started=0.0, clock=(0.0, 0.0))
"""What is so when no supervisor runs."""


class Row(msgspec.Struct, frozen=True):
    """Everything a screen says of one service. ``seconds`` is how long its state has lasted."""

    service: Service
    state: ServiceState
    hold: Hold | None = None
    usage: Usage | None = None
    seconds: float = 0.0
    wanted: bool = False

    @property
    def reason(self) -> str:
        """Why it is not healthy, to follow its name; "" when there is nothing to say."""
        idle = self.state.state is State.STOPPED and not self.hold and not self.state.reason
        if self.service.runtime is Runtime.LIBRARY or (idle and not self.wanted):
            return ""
        return clean(sentence(self.state, self.hold))


def holds(snapshot: Snapshot) -> dict[str, Hold]:
    """What waits, by service."""
    return {
        view.service: Hold(service=view.service, reason=view.reason, on=view.on, until=view.until)
        for view in snapshot.holds
    }


def rows(manifest: Manifest, snapshot: Snapshot) -> tuple[Row, ...]:
    """One row a service, in the manifest's order."""
    waiting, wanted = holds(snapshot), frozenset(snapshot.wanted)
    return tuple(_row(service, snapshot, waiting, name in wanted) for name, service in manifest.services.items())


def _row(service: Service, snapshot: Snapshot, waiting: Mapping[str, Hold], wanted: bool) -> Row:
    state = snapshot.states.get(service.name) or ServiceState(name=service.name)
    return Row(
        service=service,
        state=state,
        hold=waiting.get(service.name),
        usage=snapshot.usage.get(service.name),
        seconds=max(0.0, snapshot.clock[0] - state.since) if state.since else 0.0,
        wanted=wanted,
    )


def status_record(manifest: Manifest, snapshot: Snapshot) -> dict[str, Any]:
    """The object ``status --json`` prints."""
    supervisor = {"pid": snapshot.pid, "since": wall(snapshot, snapshot.started)} if snapshot.pid else None
    services = [_service_record(row, snapshot) for row in rows(manifest, snapshot)]
    return {"workspace": manifest.name, "supervisor": supervisor, "services": services}


def _service_record(row: Row, snapshot: Snapshot) -> dict[str, Any]:
    service, state, usage = row.service, row.state, row.usage
    identity = state.identity
    return {
        "name": service.name,
        "runtime": service.runtime.value,
        "state": state.state.value,
        "health": shown_health(state).value,
        "pid": identity.pid if isinstance(identity, ProcessIdentity) else None,
        "container": identity.id if isinstance(identity, ContainerIdentity) else None,
        "ports": [port.number for port in service.ports],
        "url": service.url or None,
        "since": wall(snapshot, state.since) if state.since else None,
        "restarts": state.restarts,
        "exit_code": state.exit_code,
        "waiting_for": list(row.hold.on) if row.hold else [],
        "reason": f"{service.name} {row.reason}" if row.reason else "",
        "cpu_percent": round(usage.cpu_percent, 1) if usage else None,
        "memory_bytes": usage.memory_bytes if usage else None,
    }


def wall(snapshot: Snapshot, moment: float) -> str:
    """A monotonic moment as UTC wall-clock time in ISO 8601."""
    monotonic, now = snapshot.clock
    return datetime.fromtimestamp(now + moment - monotonic, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
