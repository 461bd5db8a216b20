"""Action → effect. Every effect ends, sooner or later, in an event; none raises."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import msgspec

from devctl.api.protocol import Up
from devctl.core.model import Runtime, Service
from devctl.core.state import (
    Adopted,
    AnyEvent,
    ContainerIdentity,
    Exited,
    Identity,
    ServiceState,
    SetupDone,
    SetupFailed,
    Started,
    StartFailed,
    State,
    StopFailed,
    Stopped,
)
from devctl.errors import DevctlError
from devctl.runtimes.base import Emit, RuntimeAdapter

log = logging.getLogger(__name__)

RunSetup = Callable[[Service, Mapping[str, str]], Awaitable[str]]
"""Runs a process's stale setup steps; returns what was redone, "" for nothing. Raises DevctlError."""

Running = Mapping[str, tuple[int, Identity]]
"""The run and identity of each service that runs."""

PrepareStack = Callable[[list[Service], Mapping[str, str], Running, Emit], Awaitable[None]]
"""Builds and creates containers; ends in SetupDone or SetupFailed for each service."""

HeldPort = Callable[[Service], Awaitable[StartFailed | None]]
"""Looks whether somebody else holds one of its ports."""


class External:
    """Runs nothing: somebody else does."""

    async def start(self, service: Service, run: int, _environment: Mapping[str, str], emit: Emit) -> None:
        """It counts as running at once; its health check says the rest."""
        emit(Started(service=service.name, run=run))

    async def stop(self, service: Service, run: int, _identity: Identity | None, emit: Emit) -> None:
        """No longer looked at."""
        emit(Stopped(service=service.name, run=run))

    async def adopt(self, service: Service, run: int, _identity: Identity | None, emit: Emit) -> None:
        """Nothing to find."""
        emit(Adopted(service=service.name, run=run))

    def usage(self, _identities: Mapping[str, Identity]) -> dict[str, tuple[float, int]]:
        """Unknown."""
        return {}


class Executor:
    """Carries actions out; what concerns one service is done one after the other, different services at once."""

    def __init__(
        self,
        runtimes: Mapping[Runtime, RuntimeAdapter],
        state_of: Callable[[str], ServiceState],
        emit: Emit,
        *,
        run_setup: RunSetup,
        prepare_stack: PrepareStack,
        held_port: HeldPort,
        environment: Mapping[str, str],
    ) -> None:
        self._runtimes, self._state_of, self._emit = runtimes, state_of, emit
        self._run_setup, self._prepare_stack, self._held_port = run_setup, prepare_stack, held_port
        self.environment = environment
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._setups: dict[str, asyncio.Task[None]] = {}
        self._stack: asyncio.Task[None] | None = None
        self._stacks: set[asyncio.Task[None]] = set()

    def asked(self, request: Up) -> None:
        """Services are started with the environment of whoever asked last."""
        if request.environment:
            self.environment = request.environment

    # -- setup

    def prepare(self, services: list[Service]) -> None:
        """Make setup, image and container current."""
        containers = [service for service in services if service.runtime is Runtime.CONTAINER]
        for service in services:
            if service.runtime is Runtime.CONTAINER:
                continue
            if service.process and service.process.setup:
                self._setups[service.name] = task = self._task(self._setup(service))
                task.add_done_callback(partial(self._interrupted, service.name))
            else:
                self._emit(SetupDone(service=service.name))
        if containers:
            self._stack = self._task(self._prepare_containers(containers, self._stack))
            self._stacks.add(self._stack)
            self._stack.add_done_callback(self._stacks.discard)

    async def _setup(self, service: Service) -> None:
        try:
            changed = await self._run_setup(service, self.environment)
        except DevctlError as error:
            failed = SetupFailed(service=service.name, reason=str(error.what), words=error.details, hint=error.hint)
            self._emit(failed)
        except Exception as error:  # noqa: BLE001 - an effect always ends in an event
            self._emit(SetupFailed(service=service.name, reason=_bug(error)))
        else:
            self._emit(SetupDone(service=service.name, changed=changed))

    def _interrupted(self, name: str, task: asyncio.Task[None]) -> None:
        """Also one that was called off before it could begin has ended."""
        if task.cancelled():
            self._emit(SetupFailed(service=name))

    async def _prepare_containers(self, services: list[Service], before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            states = {service.name: self._state_of(service.name) for service in services}
            running = {
                name: (state.run, state.identity)
                for name, state in states.items()
                if state.active and isinstance(state.identity, ContainerIdentity)
            }
            await self._prepare_stack(services, self.environment, running, self._emit)
        except asyncio.CancelledError:
            self._fail_setups(services, "", "")
            raise
        except DevctlError as error:
            self._fail_setups(services, str(error), error.hint)
        except Exception as error:  # noqa: BLE001 - an effect always ends in an event
            self._fail_setups(services, _bug(error), "")

    def _fail_setups(self, services: list[Service], reason: str, hint: str) -> None:
        for service in services:
            self._emit(SetupFailed(service=service.name, reason=reason, hint=hint))

    def interrupt_setup(self, name: str) -> None:
        """Its setup is no longer wanted. A stack that is being created is shared, so it goes on to its end."""
        if (task := self._setups.pop(name, None)) is not None:
            task.cancel()

    # -- start, stop, adopt

    def start(self, service: Service, run: int) -> None:
        """Start this run."""
        self._queue(service, self._start(service, run), lambda why: _start_failed(service, run, why))

    async def _start(self, service: Service, run: int) -> None:
        held = await self._held_port(service) if service.runtime is Runtime.PROCESS else None
        if held is not None:
            self._emit(_numbered(held, run))
            return
        await self._runtimes[service.runtime].start(service, run, self.environment, self._emit)

    def stop(self, service: Service, run: int) -> None:
        """Stop this run and everything it left."""
        self._queue(service, self._stop(service, run), lambda why: _stop_failed(service, run, why))

    async def _stop(self, service: Service, run: int) -> None:
        identity = self._state_of(service.name).identity
        await self._runtime_of(service, identity).stop(service, run, identity, self._emit)

    def adopt(self, service: Service, state: ServiceState) -> None:
        """Look whether what an earlier supervisor started is still there; what it was stopping is stopped."""
        if state.state is State.STOPPING:
            self.stop(service, state.run)
            return
        work = self._runtime_of(service, state.identity).adopt(service, state.run, state.identity, self._emit)
        self._queue(service, work, lambda why: Exited(service=service.name, run=state.run, code=None, note=why))

    def _runtime_of(self, service: Service, identity: Identity | None) -> RuntimeAdapter:
        """What runs it now, which after a change of the manifest may be another runtime than it will have."""
        if service.runtime is Runtime.EXTERNAL or identity is None:
            return self._runtimes[service.runtime]
        container = isinstance(identity, ContainerIdentity)
        return self._runtimes[Runtime.CONTAINER if container else Runtime.PROCESS]

    def _queue(self, service: Service, work: Coroutine[Any, Any, None], failure: Callable[[str], AnyEvent]) -> None:
        before = self._tasks.get(service.name)
        self._tasks[service.name] = self._task(self._after(before, work, failure))

    async def _after(
        self,
        before: asyncio.Task[None] | None,
        work: Coroutine[Any, Any, None],
        failure: Callable[[str], AnyEvent],
    ) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - an effect always ends in an event
            self._emit(failure(_bug(error)))

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    async def close(self) -> None:
        """Let starts and stops that have begun end, and interrupt setups."""
        setups = [task for task in (*self._setups.values(), *self._stacks) if not task.done()]
        for task in setups:
            task.cancel()
        pending = [task for task in self._tasks.values() if not task.done()]
        if setups or pending:
            await asyncio.wait([*setups, *pending], timeout=5)


def _start_failed(service: Service, run: int, why: str) -> AnyEvent:
    return StartFailed(service=service.name, run=run, reason=why)


def _stop_failed(service: Service, run: int, why: str) -> AnyEvent:
    return StopFailed(service=service.name, run=run, reason=why)


def _bug(error: Exception) -> str:
    log.error("an effect failed", exc_info=error)
    return f"devctl itself failed: {type(error).__name__}: {error}"


def _numbered(event: StartFailed, run: int) -> AnyEvent:
    return msgspec.structs.replace(event, run=run)
