"""Watches what runs: probes each service's health, often while it starts and at its period once it is healthy."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from devctl.core.model import HealthCheck, LogProbe, Service
from devctl.core.state import AnyEvent, Health, ProbeFailed, ProbePassed, ServiceState, State
from devctl.supervisor.beat import BEAT, shared
from devctl.supervisor.doors import Doors, port_of

log = logging.getLogger(__name__)

SHARE = 0.03
"""The gap to the next try, as a share of the time already waited: so waiting costs at most that share."""
SHORTEST, LONGEST = 0.005, 0.25
"""Bounds of that gap, in seconds."""
PER_WAITER = 0.00015
"""The gap is at least this many seconds for each service that is waited for, so that a thousand of them starting at
once leave the machine to do the starting."""
SURE, SURE_PER_WAITER = 1.0, 0.003
"""Seconds after which a service whose port seems shut is tried nevertheless: one, or three thousandths for each that is
waited for."""

FEW, CLOSE = 50, BEAT / 5
"""So many services may all be probed at the same moment; moments shared by more are closer together, in seconds."""

ALIVE_FOR = 1.0
"""Seconds a service with no health check must live to count as up (supervisord's startsecs)."""

Check = Callable[[Service, ServiceState], Awaitable[str]]
"""One probe: "" when healthy, else why not."""


def gap(waited: float, waiters: int) -> float:
    """Seconds until the next try of a service that is not healthy yet."""
    return max(min(max(waited * SHARE, SHORTEST), LONGEST), waiters * PER_WAITER)


def rest(period: float, took: float) -> float:
    """Seconds until the next probe of a service that is up, after one that took so long: a period counts from begin to
    begin, so a hung server is noticed no later for each probe that it lets run out; a tenth of it is left free."""
    return max(period - took, period / 10)


def pause(period: float, took: float, now: float, watched: int) -> float:
    """``rest``, cut so that probes of many services wake the machine together; a period that is no multiple of their
    moments' distance would be shortened each time, and stays as it is."""
    left, beat = rest(period, took), BEAT if watched <= FEW else CLOSE
    whole = abs(period / BEAT - round(period / BEAT)) < 1e-6
    return shared(left, now, beat) if whole and left > 2 * BEAT else left


class Observer:
    """One task a running service with a health check."""

    def __init__(self, check: Check, emit: Callable[[AnyEvent], None], doors: Doors | None = None) -> None:
        self._check, self._emit, self._doors = check, emit, doors or Doors()
        self._watches: dict[str, tuple[tuple[int, HealthCheck | None], asyncio.Task[None]]] = {}
        self._waiting = 0

    def changed(self, service: Service, after: ServiceState) -> None:
        """Begin to watch a run that now runs; end to watch one that no longer does, or by a check that is no more."""
        present, what = self._watches.get(service.name), (after.run, service.health)
        alive = service.health is None and not service.oneshot and after.ready_at is None
        wanted = after.state is State.RUNNING and (service.health is not None or alive)
        if present and (not wanted or present[0] != what):
            present[1].cancel()
            del self._watches[service.name]
            present = None
        if wanted and not present:
            watch = self._watch(service, service.health, after) if service.health else self._stays(service, after)
            task = asyncio.ensure_future(watch)
            self._watches[service.name] = (what, task)

    async def close(self) -> None:
        """End every watch."""
        tasks = [task for _, task in self._watches.values()]
        self._watches.clear()
        self._doors.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _stays(self, service: Service, state: ServiceState) -> None:
        """With no check, a service that ends at once must not count as up. What needs it does not wait for this."""
        await asyncio.sleep(ALIVE_FOR)
        self._emit(ProbePassed(service=service.name, run=state.run))

    async def _watch(self, service: Service, health: HealthCheck, state: ServiceState) -> None:
        if state.health is not Health.HEALTHY:
            await self._until_healthy(service, health, state)
        if not isinstance(health.probe, LogProbe):
            await self._while_healthy(service, health, state)

    async def _ask(self, service: Service, state: ServiceState) -> str:
        """A check that cannot be made has failed, and is made again: whoever waits must hear of it."""
        try:
            return await self._check(service, state)
        except Exception as error:
            log.exception("probing %s", service.name)
            return f"devctl could not probe it: {type(error).__name__}: {error}"

    async def _until_healthy(self, service: Service, health: HealthCheck, state: ServiceState) -> None:
        begun = state.started_at if state.started_at is not None else time.monotonic()
        said, overdue = "", False
        port = port_of(service, health)
        self._waiting += 1
        try:
            if port is not None and self._doors.shut(port, self._waiting):
                await self._pause(port, begun, health)
            while reason := await self._ask(service, state):
                late = time.monotonic() - begun >= health.start_period
                if reason != said or (late and not overdue):
                    self._emit(ProbeFailed(service=service.name, run=state.run, reason=reason))
                    said, overdue = reason, late
                await self._pause(port, begun, health)
        finally:
            self._waiting -= 1
        self._emit(ProbePassed(service=service.name, run=state.run))

    async def _pause(self, port: int | None, begun: float, health: HealthCheck) -> None:
        """Until another try makes sense, and at the latest when the start period ends."""
        waited = time.monotonic() - begun
        if port is None or not self._doors.shut(port, self._waiting):
            await asyncio.sleep(gap(waited, self._waiting))
            return
        sure, left = max(SURE, SURE_PER_WAITER * self._waiting), health.start_period - waited
        await self._doors.opened(port, begun, max(SHORTEST, min(sure, left)) if left > 0 else sure)

    async def _while_healthy(self, service: Service, health: HealthCheck, state: ServiceState) -> None:
        missed = state.health is Health.HEALTHY and state.misses > 0
        took = 0.0
        while True:
            await asyncio.sleep(pause(health.period, took, time.monotonic(), len(self._watches)))
            begun = time.monotonic()
            reason = await self._ask(service, state)
            took = time.monotonic() - begun
            if reason:
                self._emit(ProbeFailed(service=service.name, run=state.run, reason=reason))
            elif missed:
                self._emit(ProbePassed(service=service.name, run=state.run))
            missed = bool(reason)
