"""The single writer: drain the inbox, ``step`` each event, journal, reconcile once, hand the actions to the executor.

Nothing else changes a state, so there is no lock anywhere in the supervisor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from devctl.api.protocol import Down, Handover, Renew, Request, Restart, Snapshot, Up
from devctl.core.graph import closure, needed_by, needs, order
from devctl.core.lifecycle import IllegalEvent, step
from devctl.core.model import Manifest, Runtime, Service
from devctl.core.plan import Action, Hold, Prepare, Start
from devctl.core.reconcile import World, fingerprint, reconcile, reruns
from devctl.core.state import (
    AnyEvent,
    Asked,
    RestartAsked,
    ServiceState,
    Setup,
    SetupStarted,
    SourcesChanged,
    Starting,
    State,
    Stopping,
)
from devctl.supervisor.contract import Effects
from devctl.supervisor.inbox import Inbox
from devctl.supervisor.journal import Ended, Happened, Journal, Known, Past, Record, Wanted, standing, succeed
from devctl.supervisor.telling import News, Standpoint, whole

log = logging.getLogger(__name__)


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
        self._inbox = Inbox()
        self._records: list[Record] = []
        self._dirty: dict[str, None] = dict.fromkeys(self.services)
        self._due: dict[str, float] = {}
        self._news = News(self.manifest, self.wanted)
        self._leaving = False
        self._handover = False
        self._renewals = 0
        self._rewire()

    # -- inbox

    def post(self, item: AnyEvent | Request) -> None:
        """Put news or a request into the inbox. To be called on the loop's thread."""
        self._inbox.post(item)

    async def submit(self, request: Request) -> None:
        """Post a request and wait until it has been taken in and acted upon."""
        await self._inbox.submit(request)

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
        until = min(self._due.values(), default=None)
        delay = None if until is None else max(0.0, until - self._clock())
        await self._inbox.wait(delay)

    def _over(self) -> bool:
        if self._handover or not self._leaving or self.wanted or self._inbox or self._dirty:
            return self._handover
        return not any(state.active or state.state is State.BACKOFF for state in self.states.values())

    # -- one turn

    def turn(self) -> None:
        """Take in everything that came, decide, act, tell."""
        now = self._clock()
        for item in self._inbox.drain():
            self._take(item, now) if isinstance(item, Request) else self._apply(item, now)
        self._look_at(name for name, until in self._due.items() if until <= now)
        self._decide(now)
        self._tell()
        self._inbox.acted()

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
            case Renew():
                self._renew(request, now)
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

    def _renew(self, request: Renew, now: float) -> None:
        """What was taken down since the ``up`` stays down."""
        self._renewals += 1
        if not self.wanted.intersection(request.up.names):
            return
        known = frozenset(self.services)
        self._know(request.up.manifest)
        if self.effects:
            self.effects.asked(request.up)
        self._want(self.wanted.union(name for name in request.up.names if name not in known), now)
        for name, service in self.services.items():
            if name in self.wanted and service.runtime in {Runtime.PROCESS, Runtime.CONTAINER}:
                self._apply(SourcesChanged(service=name, because=request.changed.get(name, "")), now)

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
            self._due.pop(name, None)
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
        self._news.happened(event)
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
            self._due.pop(name, None)
            if new is None:
                del self.holds[name]
                self._news.released(name)
            else:
                self.holds[name] = new
                if new.until is not None:
                    self._due[name] = new.until
                self._news.held(name)

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
        return standing(self.manifest, self.services, self.wanted, self.states)

    def settle(self) -> None:
        """Put on record what came after the end, when the last effects have ended: nothing is begun any more."""
        self.effects, now = None, self._clock()
        for item in self._inbox.drain():
            if not isinstance(item, Request):
                self._apply(item, now)
        self._journal_now()

    # -- tell

    def _tell(self) -> None:
        if (news := self._news.take(self._known())) is not None:
            self.publish(news)

    def snapshot(self) -> Snapshot:
        """Everything."""
        return whole(self._known())

    def _known(self) -> Standpoint:
        return Standpoint(
            manifest=self.manifest,
            services=self.services,
            wanted=self.wanted,
            states=self.states,
            holds=self.holds,
            started=self.started,
            clock=(self._clock(), self._wall()),
            problem=self._journal.problem,
            renewals=self._renewals,
        )
