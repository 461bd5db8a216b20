"""The single writer: drain the inbox, ``step`` each event, journal, reconcile once, hand the actions to the executor.

Nothing else changes a state, so there is no lock anywhere in the supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from devctl import __version__
from devctl.api.protocol import Down, Handover, Request, Restart, Snapshot, Up
from devctl.core.graph import closure, needed_by, needs, order
from devctl.core.lifecycle import IllegalEvent, step
from devctl.core.model import Manifest, Service
from devctl.core.plan import Action, Hold, Prepare, Start
from devctl.core.reconcile import World, fingerprint, reconcile, reruns
from devctl.core.state import (
    AnyEvent,
    Asked,
    RestartAsked,
    ServiceState,
    Setup,
    SetupStarted,
    Starting,
    State,
    Stopping,
)
from devctl.supervisor.journal import Ended, Happened, Journal, Known, Past, Record, Standing, Wanted, succeed

log = logging.getLogger(__name__)


class Effects(Protocol):
    """What the loop has done for it. Every effect answers, later, with events in the inbox."""

    def prepare(self, services: list[Service]) -> None:
        """Make setup, image and container current."""

    def start(self, service: Service, run: int) -> None:
        """Start this run."""

    def stop(self, service: Service, run: int) -> None:
        """Stop this run and everything it left."""

    def interrupt_setup(self, name: str) -> None:
        """Its setup is no longer wanted."""

    def changed(self, service: Service, after: ServiceState) -> None:
        """A state changed: begin or end to watch it."""

    def asked(self, request: Up) -> None:
        """Remember what only the request knows: the environment, the engine's address."""


def _tell_nobody(snapshot: Snapshot) -> None:
    """Before the server is there."""


class Loop:
    """All the supervisor knows. Public attributes are for reading."""

    def __init__(
        self,
        journal: Journal,
        past: Past,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.manifest = past.manifest
        self.wanted = frozenset(past.wanted)
        self.states = dict(past.states)
        self.holds: dict[str, Hold] = {}
        self.services: dict[str, Service] = {**past.retired, **(past.manifest.services if past.manifest else {})}
        self.started = clock()
        self.effects: Effects | None = None
        self.publish: Callable[[Snapshot], None] = _tell_nobody
        self._journal, self._clock, self._wall = journal, clock, wall
        self._inbox: deque[AnyEvent | Request] = deque()
        self._taken: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._records: list[Record] = []
        self._events: list[AnyEvent] = []
        self._touched: set[str] = set()
        self._dirty: dict[str, None] = dict.fromkeys(self.services)
        self._released: set[str] = set()
        self._held: set[str] = set()
        self._told = (self.manifest, self.wanted)
        self._leaving = False
        self._handover = False
        self._rewire()

    # -- inbox

    def post(self, item: AnyEvent | Request) -> None:
        """Put news or a request into the inbox. To be called on the loop's thread."""
        self._inbox.append(item)
        self._wake.set()

    async def submit(self, request: Request) -> None:
        """Post a request and wait until it has been taken in and acted upon."""
        taken = asyncio.get_running_loop().create_future()
        self._taken.append(taken)
        self.post(request)
        await taken

    async def run(self) -> bool:
        """Work until a Down(exit) is done or a Handover comes. True when it was a handover."""
        while not self._over():
            self.turn()
            if self._over():
                break
            await self._sleep()
        self._journal.write([Ended(wall=self._wall(), handover=self._handover)])
        return self._handover

    async def _sleep(self) -> None:
        until = min((hold.until for hold in self.holds.values() if hold.until is not None), default=None)
        delay = None if until is None else max(0.0, until - self._clock())
        if self._inbox:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay)
        self._wake.clear()

    def _over(self) -> bool:
        if self._handover:
            return True
        busy = any(state.active or state.state is State.BACKOFF for state in self.states.values())
        return self._leaving and not self.wanted and not busy and not self._inbox and not self._dirty

    # -- one turn

    def turn(self) -> None:
        """Take in everything that came, decide, act, tell."""
        now = self._clock()
        while self._inbox:
            item = self._inbox.popleft()
            self._take(item, now) if isinstance(item, Request) else self._apply(item, now)
        self._look_at(name for name, hold in self.holds.items() if hold.until is not None and hold.until <= now)
        self._decide(now)
        self._tell()
        for taken in self._taken:
            if not taken.done():
                taken.set_result(None)
        self._taken.clear()

    def _take(self, request: Request, now: float) -> None:
        match request:
            case Up():
                self._up(request, now)
            case Down():
                self._down(request, now)
            case Restart():
                for name in request.names:
                    self._apply(RestartAsked(service=name), now)
                self._want(self.wanted.union(request.names), now)
            case Handover():
                self._handover = True
            case _:
                return

    def _up(self, request: Up, now: float) -> None:
        self._leaving = False
        self._know(request.manifest)
        if self.effects:
            self.effects.asked(request)
        self._want(self.wanted.union(request.names), now, request.names)

    def _know(self, manifest: Manifest) -> None:
        """Take over a manifest, if it is another one. A setup that is no longer the same is broken off."""
        if manifest == self.manifest:
            return
        before = self.services
        self._records.append(Known(manifest=manifest))
        self.manifest = manifest
        self.services, self.states = succeed(before, self.states, manifest)
        for name in before:
            if before[name] != manifest.services.get(name):
                self._interrupt(name)
                self._watch(name)
        for name in self.holds.keys() - self.services.keys():
            del self.holds[name]
        self._rewire()
        self._look_at(self.services)

    def _down(self, request: Down, now: float) -> None:
        gone = closure(self._needed_by, request.names) if request.names else frozenset(self.services)
        self._leaving = request.exit or not (self.wanted - gone)
        for name in (name for name in self.services if name in gone):
            self._interrupt(name)
            if name in self.states and self.states[name].lingers:
                self._apply(RestartAsked(service=name), now)
        self._want(self.wanted - gone, now)
        self._look_at(self.services)

    def _watch(self, name: str) -> None:
        """It may have another health check now."""
        if self.effects and name in self.services and name in self.states:
            self.effects.changed(self.services[name], self.states[name])

    def _interrupt(self, name: str) -> None:
        state = self.states.get(name)
        if self.effects and state and state.setup is Setup.RUNNING:
            self.effects.interrupt_setup(name)

    def _want(self, names: Iterable[str], now: float, asked: Iterable[str] = ()) -> None:
        """What is wanted is always closed over what it needs; what is new in it has been asked for, as ``asked``."""
        known = self.manifest.services if self.manifest else {}
        wanted = closure(self._needs, names).intersection(known)
        fresh = order(known, {*asked, *(wanted - self.wanted)})
        if wanted != self.wanted:
            self.wanted = wanted
            self._records.append(Wanted(names=tuple(sorted(wanted))))
            self._look_at(self.services)
        world = self._world()
        for name in fresh:
            self._apply(Asked(service=name, rerun=reruns(world, name)), now)

    def _rewire(self) -> None:
        self._needs, self._needed_by = needs(self.services), needed_by(self.services)

    def _apply(self, event: AnyEvent, now: float) -> None:
        service = self.services.get(event.service)
        if service is None:
            return
        before = self.states.get(event.service) or ServiceState(name=event.service)
        try:
            after = step(service, before, event, now)
        except IllegalEvent:
            log.exception("an event that cannot be")
            return
        if after == before:
            return
        self.states[event.service] = after
        self._records.append(Happened(at=self._wall(), now=now, event=event))
        self._events.append(event)
        self._touched.add(event.service)
        self._dirty[event.service] = None
        if self.effects:
            self.effects.changed(service, after)

    # -- decide and act

    def _world(self) -> World:
        return World(services=self.services, wanted=self.wanted, states=self.states, edges=self._needed_by)

    def _decide(self, now: float) -> None:
        while self._dirty:
            look = [name for name in self._neighbours() if name in self.services]
            self._dirty.clear()
            plan = reconcile(self._world(), now, look)
            self._hold(look, plan.holds)
            self._journal_now()
            self._act(plan.actions, now)
        self._journal_now()

    def _look_at(self, names: Iterable[str]) -> None:
        self._dirty.update(dict.fromkeys(names))

    def _neighbours(self) -> dict[str, None]:
        """What a change may concern: itself, what needs it, and, for stopping in order, what it needs."""
        found: dict[str, None] = {}
        for name in self._dirty:
            found[name] = None
            found.update(dict.fromkeys(self._needed_by.get(name, ())))
            found.update(dict.fromkeys(self._needs.get(name, ())))
        return found

    def _hold(self, look: Iterable[str], holds: Iterable[Hold]) -> None:
        fresh = {hold.service: hold for hold in holds}
        for name in look:
            old, new = self.holds.get(name), fresh.get(name)
            if old == new:
                continue
            if new is None:
                del self.holds[name]
                self._released.add(name)
                self._held.discard(name)
            else:
                self.holds[name] = new
                self._held.add(name)
                self._released.discard(name)

    def _act(self, actions: Iterable[Action], now: float) -> None:
        preparing: list[Service] = []
        for action in actions:
            service = self.services[action.service]
            state = self.states.get(action.service) or ServiceState(name=action.service)
            match action:
                case Prepare():
                    self._apply(SetupStarted(service=service.name), now)
                    preparing.append(service)
                case Start():
                    self._apply(Starting(service=service.name, run=state.run + 1, spec=fingerprint(service)), now)
                    self._journal_now()
                    self._effect(lambda effects, s=service, r=state.run + 1: effects.start(s, r))  # type: ignore[misc]
                case _:
                    stopping = Stopping(service=service.name, run=state.run, why=action.why, reason=action.because)
                    fresh = state.state is not State.STOPPING
                    self._apply(stopping, now)
                    if fresh:
                        self._effect(lambda effects, s=service, r=state.run: effects.stop(s, r))  # type: ignore[misc]
        if preparing:
            self._effect(lambda effects: effects.prepare(preparing))

    def _effect(self, call: Callable[[Effects], None]) -> None:
        if self.effects:
            call(self.effects)

    def _journal_now(self) -> None:
        """Before an effect begins, its event is on record: what a killed supervisor started can be found again.
        Where records were lost, all that is known is said again."""
        if self._records:
            self._journal.write(self.standing() if self._journal.problem else self._records)
            self._records = []

    def standing(self) -> list[Record]:
        """All that a later supervisor must know."""
        known: list[Record] = [Known(manifest=self.manifest)] if self.manifest else []
        of_manifest = self.manifest.services if self.manifest else {}
        retired = {name: service for name, service in self.services.items() if name not in of_manifest}
        return [*known, Wanted(names=tuple(sorted(self.wanted))), Standing(states=self.states, retired=retired)]

    def settle(self) -> None:
        """Put on record what came after the end, when the last effects have ended: nothing is begun any more."""
        self.effects, now = None, self._clock()
        while self._inbox:
            item = self._inbox.popleft()
            if not isinstance(item, Request):
                self._apply(item, now)
        self._journal_now()

    # -- tell

    def _tell(self) -> None:
        told = (self.manifest, self.wanted)
        if not (self._touched or self._held or self._released or told != self._told):
            return
        events = tuple(self._events)
        if self.manifest is not self._told[0]:
            self.publish(msgspec.structs.replace(self.snapshot(), events=events))
        else:
            self.publish(
                self._snapshot(
                    states={name: self.states[name] for name in self._touched if name in self.services},
                    holds=tuple(self.holds[name] for name in self._held),
                    events=events,
                    released=tuple(self._released),
                )
            )
        self._told = told
        self._touched, self._held, self._released, self._events = set(), set(), set(), []

    def snapshot(self) -> Snapshot:
        """Everything."""
        known = {name: self.states.get(name) or ServiceState(name=name) for name in self.services}
        whole = self._snapshot(states=known, holds=tuple(self.holds.values()), events=(), released=())
        return msgspec.structs.replace(whole, manifest=self.manifest)

    def _snapshot(
        self,
        *,
        states: dict[str, ServiceState],
        holds: tuple[Hold, ...],
        events: tuple[AnyEvent, ...],
        released: tuple[str, ...],
    ) -> Snapshot:
        return Snapshot(
            version=__version__,
            pid=os.getpid(),
            started=self.started,
            clock=(self._clock(), self._wall()),
            states=states,
            holds=holds,
            events=events,
            released=released,
            wanted=tuple(name for name in self.services if name in self.wanted),
            warnings=(self._journal.problem,) if self._journal.problem else (),
        )
