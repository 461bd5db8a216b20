"""A service's database as a health of its own: compared with its models while it starts, again and again while it is
behind, and once more whenever somebody asks for the service."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from devctl.core.model import Service
from devctl.core.state import AnyEvent, Health, Schema, SchemaChecked, SchemaVerdict, ServiceState, State
from devctl.errors import DevctlError

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds a database may leave unanswered before its schema counts as one that can't be checked."""
SHORTEST, LONGEST = 1.0, 15.0
"""Bounds of the gap to the next look, in seconds; it is four times what a look costs, and grows."""
GROWTH = 1.5

Check = Callable[[Service, ServiceState], Awaitable[Schema]]
"""One look: CURRENT or BEHIND. Raises DevctlError where it can't be made."""


class SchemaWatch:
    """One task a running service whose dependents wait for its schema."""

    def __init__(self, check: Check, emit: Callable[[AnyEvent], None]) -> None:
        self._check, self._emit = check, emit
        self._watches: dict[str, _Watch] = {}

    def changed(self, service: Service, after: ServiceState) -> None:
        """Begin to watch a run whose schema isn't known to be current; end when it is, or the run is over."""
        present = self._watches.get(service.name)
        settled = after.schema.verdict in {SchemaVerdict.CURRENT, SchemaVerdict.NONE}
        wanted = service.holds_schema and after.state is State.RUNNING and not settled
        if present and (not wanted or present.state.run != after.run):
            present.task.cancel()
            del self._watches[service.name]
            present = None
        if not wanted:
            return
        if present:
            present.now_is(service, after)
        else:
            self._watches[service.name] = _Watch(service, after, self._check, self._emit)

    async def close(self) -> None:
        """End every watch."""
        tasks = [watch.task for watch in self._watches.values()]
        self._watches.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Watch:
    def __init__(self, service: Service, state: ServiceState, check: Check, emit: Callable[[AnyEvent], None]) -> None:
        self._service, self.state, self._check, self._emit = service, state, check, emit
        self._began = time.monotonic()
        self._up, self._asked = asyncio.Event(), asyncio.Event()
        self.now_is(service, state)
        self.task = asyncio.ensure_future(self._run())

    def now_is(self, service: Service, state: ServiceState) -> None:
        """The news of its service, which another manifest may have changed."""
        if state.schema.verdict is SchemaVerdict.PENDING and self.state.schema.verdict is not SchemaVerdict.PENDING:
            self._asked.set()
        self._service, self.state = service, state
        if self._service.health is None or state.health is Health.HEALTHY:
            self._up.set()

    async def _run(self) -> None:
        """What is behind while its service starts may be brought forward by the service itself: it is told only of one
        that is up."""
        gap = SHORTEST
        while True:
            begun = time.monotonic()
            self._asked.clear()
            found = await self._look()
            if found is None:
                await asyncio.sleep(SHORTEST / 2)
            if found is None or self._asked.is_set():  # who asks may just have mended it
                continue
            if found.verdict is not SchemaVerdict.CURRENT and not self._up.is_set():
                await self._up.wait()
                continue
            self._emit(SchemaChecked(service=self._service.name, run=self.state.run, found=found))
            if found.verdict is SchemaVerdict.CURRENT:
                return
            gap = min(max(gap, 4 * (time.monotonic() - begun)), LONGEST)
            gap = SHORTEST if await self._asked_within(gap) else gap * GROWTH

    async def _look(self) -> Schema | None:
        """None: not yet; it is to be tried again."""
        from devctl.safety.schema.check import Unreachable  # a workspace without databases needs none of it

        try:
            return await self._check(self._service, self.state)
        except Unreachable as error:
            if time.monotonic() - self._began < PATIENCE:
                return None
            return _unchecked(error)
        except DevctlError as error:
            return _unchecked(error)
        except Exception as error:
            log.exception("the schema of %s", self._service.name)
            return Schema(SchemaVerdict.UNCHECKED, f"devctl itself failed: {type(error).__name__}: {error}")

    async def _asked_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        return True


def _unchecked(error: DevctlError) -> Schema:
    why = f"{error.what}: {error.why}" if error.why else error.what
    return Schema(SchemaVerdict.UNCHECKED, " ".join(why.split()), error.hint, error.details)
