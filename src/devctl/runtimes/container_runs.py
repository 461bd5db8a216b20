"""The runs of containers that are looked after: each ends in exactly one Exited, whatever happens to the engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from devctl.core.state import Adopted, ContainerIdentity, Exited
from devctl.errors import DevctlError
from devctl.runtimes.base import Emit
from devctl.runtimes.containers import Run, epoch
from devctl.runtimes.engine import Engine, EngineGone
from devctl.runtimes.engine_watch import EngineWatch
from devctl.runtimes.policy import exit_note

T = TypeVar("T")
InThread = Callable[[Callable[[], T]], Awaitable[T]]

GONE_AFTER = 10.0
"""Seconds without an engine after which its containers count as ended."""
REMOVED = "its container was removed"


@dataclass(eq=False)
class Watched:
    """One run. ``started`` is the engine's StartedAt, "" until the start call is over; ``died``: an end before that.

    ``since``: where its log begins, in seconds since the epoch. StartedAt doesn't say it: the engine sets that once the
    process runs, so that first lines, and even a quick end, carry an earlier time (seen on engine 26.1).
    """

    service: str
    run: int
    id: str
    emit: Emit
    started: str = ""
    since: float = 0.0
    died: Mapping[str, Any] | None = None


class ContainerRuns:
    """Knows the watched runs by container id. Everything happens on the event loop's thread."""

    def __init__(self, engine: Engine, project: str, in_thread: InThread[Any], gone_after: float = GONE_AFTER) -> None:
        self._engine, self._project, self._in_thread, self._gone_after = engine, project, in_thread, gone_after
        self._runs: dict[str, Watched] = {}
        self._watch: EngineWatch | None = None
        self._silent_since: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, service: str, run: int, container: str, emit: Emit) -> Watched:
        """Look after a container that is about to be started, so that not even a quick end is missed."""
        self.drop(service)
        watched = self._runs[container] = Watched(service, run, container, emit)
        if self._watch is None:
            self._watch = EngineWatch(self._engine, self._project, self._news, self._listening, self._silence)
        await self._watch.ready()
        return watched

    def settle(self, watched: Watched, found: Run, since: float) -> None:
        """The start call is over and ``found`` is what came of it; ``since``: see Watched."""
        watched.since = since
        watched.started = found.started
        if not found.alive:
            self._end(watched, found)
        elif watched.died is not None:
            self._died(watched, watched.died)

    def drop(self, service: str) -> Watched | None:
        """No longer look after a service: its end will be ours."""
        watched = next((watched for watched in self._runs.values() if watched.service == service), None)
        return self._runs.pop(watched.id) if watched else None

    def restore(self, watched: Watched) -> None:
        """Look after it again: it could not be stopped."""
        self._runs[watched.id] = watched
        self._listening()

    def id_of(self, service: str) -> str:
        """The container of a service that is looked after, "" else."""
        return next((watched.id for watched in self._runs.values() if watched.service == service), "")

    async def close(self) -> None:
        """Look after nothing any more; the containers run on."""
        self._runs.clear()
        if self._watch is not None:
            self._watch.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _news(self, event: Mapping[str, Any]) -> None:
        watched = self._runs.get(event["Actor"]["ID"])
        if watched is not None and event.get("Action") == "die":
            self._died(watched, event)

    def _died(self, watched: Watched, event: Mapping[str, Any]) -> None:
        """An end before this run began is an earlier run's."""
        if not watched.started:
            watched.died = event
        elif int(event["timeNano"]) / 1e9 >= epoch(watched.started):
            code = int(event["Actor"]["Attributes"].get("exitCode", 0))
            self._end(watched, None, code)

    def _end(self, watched: Watched, found: Run | None, code: int | None = None, note: str = "") -> None:
        if self._runs.pop(watched.id, None) is watched:
            self._task(self._tell(watched, found, found.code if found else code, note))

    async def _tell(self, watched: Watched, found: Run | None, code: int | None, note: str) -> None:
        def look() -> tuple[Run | None, tuple[str, ...]]:
            try:
                return found or self._engine.inspect(watched.id), self._engine.last_words(watched.id, watched.since)
            except DevctlError:
                return found, ()

        seen, words = (None, ()) if note else await self._in_thread(look)
        same = seen is not None and seen.started == watched.started
        text = note or exit_note(code or 0, bool(seen and same and seen.out_of_memory))
        watched.emit(Exited(service=watched.service, run=watched.run, code=code, words=words, note=text))

    def _listening(self) -> None:
        self._silent_since = None
        self._task(self._look())

    async def _look(self) -> None:
        """What may have happened while nobody listened."""
        for watched in list(self._runs.values()):
            if watched.started:
                try:
                    found = await self._in_thread(partial(self._engine.inspect, watched.id))
                except EngineGone:
                    return
                except DevctlError:
                    self._end(watched, None, None, REMOVED)
                else:
                    self._compare(watched, found)

    def _compare(self, watched: Watched, found: Run) -> None:
        if self._runs.get(watched.id) is not watched or found.state == "restarting":
            return
        if not found.alive:
            self._end(watched, found)
        elif found.started != watched.started:
            watched.started = found.started
            identity = ContainerIdentity(watched.id, found.started)
            watched.emit(Adopted(service=watched.service, run=watched.run, identity=identity))

    def _silence(self, reason: str) -> None:
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since >= self._gone_after:
            for watched in list(self._runs.values()):
                if watched.started:
                    self._end(watched, None, None, f"the Docker engine stopped answering: {reason}")

    def _task(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
