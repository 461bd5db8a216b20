"""Services of the central compose stack. Compose creates, the engine starts.

`docker compose ps|logs|down` by hand keeps working on it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from devctl.core.model import ComposeStack, Service
from devctl.core.state import (
    Adopted,
    ContainerIdentity,
    Exited,
    Identity,
    SetupDone,
    SetupFailed,
    SetupStarted,
    Started,
    StartFailed,
    StopFailed,
    StopFor,
    Stopped,
    Stopping,
)
from devctl.errors import DevctlError
from devctl.runtimes.base import Emit
from devctl.runtimes.compose_cli import ComposeCli
from devctl.runtimes.container_runs import GONE_AFTER, ContainerRuns
from devctl.runtimes.containers import Container, Run, epoch
from devctl.runtimes.endpoint import Endpoint
from devctl.runtimes.engine import Engine, EngineRefused
from devctl.runtimes.engine_usage import UsageSampler
from devctl.runtimes.policy import start_problem
from devctl.runtimes.preparation import Pass, Preparation
from devctl.runtimes.volumes import remove_volumes

T = TypeVar("T")
UNWATCHED = "ended while no supervisor was watching"
THREADS = 24
"""Engine calls at once: a stop holds one for as long as the container takes."""
LOG_LEAD, LOG_LAG = 0.1, 0.02
"""Seconds by which a run's first line may be earlier than its StartedAt, and the last one later than its FinishedAt."""


class ComposeRuntime:
    """A RuntimeAdapter for the containers of one stack; made on the event loop's thread. ``folder`` is ``.devctl``,
    ``on_line`` gets what builds and creates say, line by line."""

    def __init__(
        self,
        stack: ComposeStack,
        folder: Path,
        endpoint: Endpoint,
        on_line: Callable[[str], None] | None = None,
        gone_after: float = GONE_AFTER,
    ) -> None:
        self.stack, self.endpoint, self.engine, self._on_line = stack, endpoint, Engine(endpoint), on_line
        self._pool = ThreadPoolExecutor(THREADS, "docker")
        self._runs = ContainerRuns(self.engine, stack.project, self._in_thread, gone_after)
        self._usage = UsageSampler(self.engine, self._pool)
        self._preparation = Preparation(stack, folder, self.engine)
        self._preparing = asyncio.Lock()

    async def close(self) -> None:
        """Look after nothing any more; the containers run on."""
        await self._runs.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.engine.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _cli(self, environment: Mapping[str, str]) -> ComposeCli:
        return ComposeCli(self.stack, whole(environment), self.endpoint, self._on_line)

    # -- images and containers

    async def prepare(
        self,
        services: Sequence[Service],
        environment: Mapping[str, str],
        running: Mapping[str, tuple[int, Identity]],
        emit: Emit,
    ) -> None:
        """Make images and containers current: SetupStarted, then SetupDone or SetupFailed for each service; before a
        container of ``running`` (service → its run) is replaced, Stopping and Stopped."""
        for service in services:
            emit(SetupStarted(service=service.name))
        async with self._preparing:
            await self._prepare(services, environment, running, emit)

    async def _prepare(
        self,
        services: Sequence[Service],
        environment: Mapping[str, str],
        running: Mapping[str, tuple[int, Identity]],
        emit: Emit,
    ) -> None:
        told: set[str] = set()

        def failed(service: Service, error: DevctlError) -> None:
            told.add(service.name)
            emit(SetupFailed(service=service.name, reason=error.what, words=error.details, hint=error.hint))

        async def replace(service: Service, reason: str) -> None:
            if service.name in running:
                await self._replace(service, *running[service.name], reason, emit)

        try:
            work = Pass(self._preparation, self._cli(environment), self._in_thread, failed)
            changed = await work.run(services, replace)
        except DevctlError as error:
            for service in services:
                if service.name not in told:
                    failed(service, error)
            return
        for name, what in changed.items():
            emit(SetupDone(service=name, changed=what))

    async def _replace(self, service: Service, run: int, identity: Identity, reason: str, emit: Emit) -> None:
        if not self._runs.id_of(service.name):
            return
        emit(Stopping(service=service.name, run=run, why=StopFor.REPLACE, reason=reason))
        await self.stop(service, run, identity, emit)

    # -- start, stop, adopt

    async def start(self, service: Service, run: int, environment: Mapping[str, str], emit: Emit) -> None:
        """Start its container: Started or StartFailed, later Exited. One that runs already counts as started."""
        try:
            await self._start(service, run, environment, emit)
        except EngineRefused as error:
            self._runs.drop(service.name)
            emit(await self._in_thread(partial(self._refused, service, run, error)))
        except DevctlError as error:
            self._runs.drop(service.name)
            emit(StartFailed(service=service.name, run=run, reason=error.what, words=error.details, hint=error.hint))

    async def _start(self, service: Service, run: int, environment: Mapping[str, str], emit: Emit) -> None:
        container = await self._container(service, environment)
        watched = await self._runs.begin(service.name, run, container.id, emit)
        try:
            found, since = await self._in_thread(partial(self._start_now, container))
        except EngineRefused as error:
            if not start_problem(error.what).network:
                raise
            await self._cli(environment).create([service.compose], force=True)
            container = await self._container(service, environment)
            watched = await self._runs.begin(service.name, run, container.id, emit)
            found, since = await self._in_thread(partial(self._start_now, container))
        emit(Started(service=service.name, run=run, identity=ContainerIdentity(found.id, found.started)))
        self._runs.settle(watched, found, since)

    def _start_now(self, container: Container) -> tuple[Run, float]:
        """The run, and where its log begins."""
        if container.state == "restarting":
            self.engine.stop(container.id, 0)
        before = self.engine.inspect(container.id)
        if before.alive:
            return before, epoch(before.started) - LOG_LEAD
        self.engine.start(container.id)
        return self.engine.inspect(container.id), epoch(before.finished) + LOG_LAG

    async def _container(self, service: Service, environment: Mapping[str, str]) -> Container:
        """The service's container; one that somebody removed meanwhile is created again."""
        look = partial(self.engine.containers, self.stack.project, service.compose)
        found = await self._in_thread(look)
        if not found:
            async with self._preparing:
                await self._cli(environment).create([service.compose])
            found = await self._in_thread(look)
        if not found:
            raise DevctlError("Compose created no container for it", hint="docker compose ps -a")
        return min(found, key=lambda container: container.number)

    def _refused(self, service: Service, run: int, error: EngineRefused) -> StartFailed:
        problem = start_problem(error.what)
        if not problem.port:
            return StartFailed(service=service.name, run=run, reason=problem.reason, final=problem.final)
        try:
            holder = self.engine.holder_of_port(problem.port)
        except DevctlError:
            holder = None
        whose = f" by container {holder[0]}" if holder else " by another program"
        whose += f" of the Compose project {holder[1]}" if holder and holder[1] else ""
        hint = f"devctl ports --free {problem.port}"
        return StartFailed(service=service.name, run=run, reason=problem.reason + whose, hint=hint, final=True)

    async def stop(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        """Stop its container, which is kept, within the compose file's stop_grace_period: Stopped or StopFailed."""
        watched = self._runs.drop(service.name)
        try:
            code = await self._in_thread(partial(self._stop_now, service, identity))
        except DevctlError as error:
            if watched:
                self._runs.restore(watched)
            emit(StopFailed(service=service.name, run=run, reason=error.what))
        else:
            emit(Stopped(service=service.name, run=run, code=code))

    def _stop_now(self, service: Service, identity: Identity | None) -> int | None:
        ids = {identity.id} if isinstance(identity, ContainerIdentity) else set()
        if service.compose:
            found = self.engine.containers(self.stack.project, service.compose)
            ids |= {container.id for container in found if container.active}
        codes = [self._stop_one(id_) for id_ in sorted(ids)]
        return codes[0] if len(codes) == 1 else None

    def _stop_one(self, container: str) -> int | None:
        try:
            self.engine.stop(container, self.engine.inspect(container).grace)
            return self.engine.inspect(container).code
        except EngineRefused as error:
            if error.status != 404:
                raise
            return None

    async def adopt(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        """Look after a container again: Adopted when it, or another of the same service, runs; Exited else."""
        try:
            found = await self._in_thread(partial(self._find, service, identity))
            if found is None or not found.alive:
                emit(await self._in_thread(partial(self._ended, service, run, identity, found)))
                return
            watched = await self._runs.begin(service.name, run, found.id, emit)
        except DevctlError as error:
            emit(Exited(service=service.name, run=run, code=None, note=error.what))
            return
        emit(Adopted(service=service.name, run=run, identity=ContainerIdentity(found.id, found.started)))
        self._runs.settle(watched, found, epoch(found.started) - LOG_LEAD)

    def _find(self, service: Service, identity: Identity | None) -> Run | None:
        known = None
        if isinstance(identity, ContainerIdentity):
            try:
                known = self.engine.inspect(identity.id)
            except EngineRefused:
                known = None
        if known and known.alive:
            return known
        others = self.engine.containers(self.stack.project, service.compose) if service.compose else []
        return next((self.engine.inspect(other.id) for other in others if other.state == "running"), known)

    def _ended(self, service: Service, run: int, identity: Identity | None, found: Run | None) -> Exited:
        same = found is not None and isinstance(identity, ContainerIdentity) and found.started == identity.started
        if found is None or not same:
            return Exited(service=service.name, run=run, code=None, note=UNWATCHED)
        words = self.engine.last_words(found.id, epoch(found.started) - LOG_LEAD)
        return Exited(service=service.name, run=run, code=found.code, words=words, note=UNWATCHED)

    # -- looking

    def usage(self, identities: Mapping[str, Identity]) -> dict[str, tuple[float, int]]:
        """The last sample, at most a few seconds old; never waits."""
        return self._usage.usage({name: it.id for name, it in identities.items() if isinstance(it, ContainerIdentity)})

    async def run_exec(self, service: Service, command: str | Sequence[str], timeout: float) -> tuple[int, str]:
        """Run a command in the service's running container: (exit code, output). Raises DevctlError."""
        return await self._in_thread(lambda: self.engine.execute(self._running_id(service), command, timeout))

    def logs(
        self, service: Service, tail: int | None = None, since: float | None = None, follow: bool = False
    ) -> Iterator[tuple[float, str]]:
        """(seconds since the epoch, line) of the service's container. Blocks between lines. Raises DevctlError."""
        for container in self.engine.containers(self.stack.project, service.compose)[:1]:
            yield from self.engine.logs(container.id, tail, since, follow)

    def _running_id(self, service: Service) -> str:
        known = self._runs.id_of(service.name)
        found = [] if known else self.engine.containers(self.stack.project, service.compose)
        if not known and not found:
            raise DevctlError(f"{service.name} has no container")
        return known or found[0].id

    async def orphans(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Containers of the project whose service the compose file no longer has; they are left alone."""
        config = await self._preparation.config(self._cli(environment))
        found = await self._in_thread(partial(self.engine.containers, self.stack.project))
        return tuple(sorted(container.name for container in found if container.service not in config.services))

    async def remove_volumes(self, names: Sequence[str]) -> tuple[str, ...]:
        """Remove these volumes of the compose file, given by their names in it, and no other."""
        return await self._in_thread(partial(remove_volumes, self.engine, self.stack.project, names))


def whole(environment: Mapping[str, str]) -> dict[str, str]:
    """The user's environment; one without a PATH is only part of it, and this process's stands in for the rest."""
    return dict(environment) if "PATH" in environment else {**os.environ, **environment}
