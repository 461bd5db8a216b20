"""What listeners are told: what changed since they last were, or everything."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from devctl import __version__
from devctl.api.protocol import Snapshot
from devctl.core.model import Manifest, Service
from devctl.core.plan import Hold
from devctl.core.state import AnyEvent, ServiceState


class Standpoint(msgspec.Struct, frozen=True):
    """What the loop knows at one moment. ``clock``: (monotonic, wall) seconds. ``problem``: the journal's."""

    manifest: Manifest | None
    services: Mapping[str, Service]
    wanted: frozenset[str]
    states: Mapping[str, ServiceState]
    holds: Mapping[str, Hold]
    started: float
    clock: tuple[float, float]
    problem: str
    renewals: int = 0


class News:
    """Gathers what changed until it is told."""

    def __init__(self, manifest: Manifest | None, wanted: frozenset[str]) -> None:
        self._told = (manifest, wanted, 0)
        self._events: list[AnyEvent] = []
        self._touched: set[str] = set()
        self._held: set[str] = set()
        self._released: set[str] = set()

    def happened(self, event: AnyEvent) -> None:
        """It changed its service's state."""
        self._events.append(event)
        self._touched.add(event.service)

    def held(self, name: str) -> None:
        """It waits, or now for another reason."""
        self._held.add(name)
        self._released.discard(name)

    def released(self, name: str) -> None:
        """It no longer waits."""
        self._released.add(name)
        self._held.discard(name)

    def take(self, known: Standpoint) -> Snapshot | None:
        """What changed, which is now told; None when nothing did. When other services are wanted it is everything."""
        manifest, wanted, renewals = self._told
        same = known.manifest is manifest and (known.wanted is wanted or known.wanted == wanted)
        if same and known.renewals == renewals and not (self._touched or self._held or self._released):
            return None
        events = tuple(self._events)
        if not same:
            news = msgspec.structs.replace(whole(known), events=events)
        else:
            news = _snapshot(
                known,
                states={name: known.states[name] for name in self._touched if name in known.services},
                holds=tuple(known.holds[name] for name in self._held),
                events=events,
                released=tuple(self._released),
            )
        self._told = (known.manifest, known.wanted, known.renewals)
        self._touched, self._held, self._released, self._events = set(), set(), set(), []
        return news


def whole(known: Standpoint) -> Snapshot:
    """Everything."""
    states = {name: known.states.get(name) or ServiceState(name=name) for name in known.services}
    everything = _snapshot(known, states=states, holds=tuple(known.holds.values()), events=(), released=())
    wanted = tuple(name for name in known.services if name in known.wanted)
    return msgspec.structs.replace(everything, whole=True, manifest=known.manifest, wanted=wanted)


def _snapshot(
    known: Standpoint,
    *,
    states: dict[str, ServiceState],
    holds: tuple[Hold, ...],
    events: tuple[AnyEvent, ...],
    released: tuple[str, ...],
) -> Snapshot:
    return Snapshot(
        version=__version__,
        pid=os.getpid(),
        started=known.started,
        clock=known.clock,
        states=states,
        holds=holds,
        events=events,
        released=released,
        warnings=(known.problem,) if known.problem else (),
        renewals=known.renewals,
    )
