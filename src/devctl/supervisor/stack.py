"""The central compose stack as a runtime that comes to life only when a container is wanted.

Until then the Docker libraries, which cost 17 MB and 200 ms, are not even imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from devctl.core.model import ComposeStack, Service
from devctl.core.state import ContainerIdentity, Exited, Identity, StartFailed, StopFailed
from devctl.errors import DevctlError, Exit
from devctl.runtimes.base import Emit
from devctl.workspace import Workspace

if TYPE_CHECKING:
    from devctl.runtimes.compose import ComposeRuntime
    from devctl.runtimes.endpoint import Endpoint


class Stack:
    """Hands everything on to runtimes.compose once an ``up`` has said which stack and which engine."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._compose: ComposeStack | None = None
        self._docker = ""
        self._runtime: ComposeRuntime | None = None
        self._made_for: tuple[ComposeStack, str] | None = None
        self._retired: list[ComposeRuntime | None] = []
        self._importing: asyncio.Future[object] | None = None

    def use(self, compose: ComposeStack | None, docker: str) -> None:
        """The stack of the present manifest, on the engine at this address ("" for the usual one)."""
        self._compose = compose or self._compose
        self._docker = docker or self._docker
        if docker and self._importing is None:  # meanwhile Compose is asked for its configuration
            run = asyncio.get_running_loop().run_in_executor
            self._importing = run(None, importlib.import_module, "devctl.runtimes.engine_transport")

    def endpoint(self) -> Endpoint:
        """The engine in use. Raises DevctlError."""
        from devctl.runtimes.endpoint import at, locate

        return at(self._docker, os.environ) if self._docker else locate(os.environ)

    def _get(self) -> ComposeRuntime:
        """The runtime; made anew when the compose files or the engine changed. Raises DevctlError."""
        if self._compose is None:
            raise DevctlError("there is no compose stack", hint="add compose: to services.yaml", code=Exit.USAGE)
        wanted = (self._compose, self._docker)
        if self._runtime is None or self._made_for != wanted:
            from devctl.runtimes.compose import ComposeRuntime

            endpoint = self.endpoint()
            self._retired.append(self._runtime)
            self._runtime = ComposeRuntime(self._compose, self._workspace.folder, endpoint, self._note)
            self._made_for = wanted
        return self._runtime

    async def prepare(
        self,
        services: list[Service],
        environment: Mapping[str, str],
        running: Mapping[str, tuple[int, Identity]],
        emit: Emit,
    ) -> None:
        """Build and create; ends in SetupDone or SetupFailed for each. Raises DevctlError where there is no engine."""
        await self._get().prepare(services, environment, running, emit)

    async def start(self, service: Service, run: int, environment: Mapping[str, str], emit: Emit) -> None:
        """Start its container."""
        try:
            await self._get().start(service, run, environment, emit)
        except DevctlError as error:
            emit(StartFailed(service=service.name, run=run, reason=str(error), hint=error.hint, final=True))

    async def stop(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        """Stop its container."""
        try:
            await self._get().stop(service, run, identity, emit)
        except DevctlError as error:
            emit(StopFailed(service=service.name, run=run, reason=str(error)))

    async def adopt(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        """Look whether its container still runs."""
        try:
            await self._get().adopt(service, run, identity, emit)
        except DevctlError as error:
            emit(Exited(service=service.name, run=run, code=None, note=str(error)))

    async def execute(self, service: Service, command: str | tuple[str, ...], timeout: float) -> tuple[int, str]:
        """Run a health check's command inside its container."""
        return await self._get().run_exec(service, command, timeout)

    def holder_of_port(self, port: int) -> tuple[str, str, str] | None:
        """The container that publishes a port (name, Compose project, service), where an engine is in use. Blocks."""
        try:
            return self._runtime.engine.holder_of_port(port) if self._runtime else None
        except DevctlError:
            return None

    def usage(self, identities: Mapping[str, Identity]) -> dict[str, tuple[float, int]]:
        """CPU and memory of containers; nothing while none was ever wanted."""
        containers = {name: who for name, who in identities.items() if isinstance(who, ContainerIdentity)}
        return self._runtime.usage(containers) if self._runtime and containers else {}

    def _note(self, line: str) -> None:
        """What builds and creates say, in ``logs/compose.log``; a full disk costs only these lines."""
        with contextlib.suppress(OSError), (self._workspace.logs / "compose.log").open("a") as file:
            file.write(f"{line}\n")

    async def close(self) -> None:
        """Listen to the engine no more."""
        for runtime in (*self._retired, self._runtime):
            if runtime is not None:
                await runtime.close()
