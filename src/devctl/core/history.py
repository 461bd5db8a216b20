"""What a supervisor writes down of its life, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from devctl.core.model import Manifest, Service, Value
from devctl.core.state import AnyEvent, ServiceState, Setup, State


class Began(Value, tag="began"):
    """A supervisor starts. ``wall`` and ``now`` are the same moment on both clocks."""

    version: str
    pid: int
    boot: str
    wall: float
    now: float


class Known(Value, tag="known"):
    """The manifest as from now on."""

    manifest: Manifest


class Wanted(Value, tag="wanted"):
    """What is to be up as from now on."""

    names: tuple[str, ...]


class Standing(Value, tag="standing"):
    """All states at a supervisor's start, and after records were lost. ``retired``: see ``succeed``."""

    states: dict[str, ServiceState]
    retired: dict[str, Service] = {}


class Happened(Value, tag="happened"):
    """An event, with wall-clock and monotonic seconds."""

    at: float
    now: float
    event: AnyEvent


class Ended(Value, tag="ended"):
    """A supervisor went: ``handover`` when its services run on."""

    wall: float
    handover: bool = False


Record = Began | Known | Wanted | Standing | Happened | Ended


def succeed(
    services: Mapping[str, Service], states: Mapping[str, ServiceState], manifest: Manifest
) -> tuple[dict[str, Service], dict[str, ServiceState]]:
    """The services and states once ``manifest`` counts.

    A retired service, one that is gone from the manifest, is kept while something of it may be running: it must still
    be stopped. Of the others the run number stays, so that late news of them is never taken for a later run's.
    """
    retired = {
        name: service
        for name, service in services.items()
        if name not in manifest.services and name in states and _goes_on(states[name])
    }
    kept = {**retired, **manifest.services}
    return kept, {
        name: state if name in kept else ServiceState(name=name, run=state.run) for name, state in states.items()
    }


def _goes_on(state: ServiceState) -> bool:
    return state.active or state.lingers or state.state is State.BACKOFF or state.setup is Setup.RUNNING
