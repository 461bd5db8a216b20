"""What the loop has done for it, put together: the executor for actions, the observer for watching."""

from __future__ import annotations

from collections.abc import Mapping

from devctl.api.protocol import Up
from devctl.core.model import Manifest, Service
from devctl.core.state import ServiceState
from devctl.supervisor.executor import Executor
from devctl.supervisor.observe import Observer
from devctl.supervisor.schema_watch import SchemaWatch
from devctl.supervisor.stack import Stack


class Effects:
    """Implements loop.Effects."""

    def __init__(self, executor: Executor, observer: Observer, schemas: SchemaWatch, stack: Stack) -> None:
        self._executor, self._observer, self._schemas, self._stack = executor, observer, schemas, stack

    def prepare(self, services: list[Service]) -> None:
        """Make setup, image and container current."""
        self._executor.prepare(services)

    def start(self, service: Service, run: int) -> None:
        """Start this run."""
        self._executor.start(service, run)

    def stop(self, service: Service, run: int) -> None:
        """Stop this run and everything it left."""
        self._executor.stop(service, run)

    def interrupt_setup(self, name: str) -> None:
        """Its setup is no longer wanted."""
        self._executor.interrupt_setup(name)

    def changed(self, service: Service, after: ServiceState) -> None:
        """A state changed: begin or end to watch it."""
        self._observer.changed(service, after)
        self._schemas.changed(service, after)

    def asked(self, request: Up) -> None:
        """Take over the environment, the engine's address and the compose files."""
        self._executor.asked(request)
        self._stack.use(request.manifest.compose, request.docker)

    def adopt(
        self, services: Mapping[str, Service], states: Mapping[str, ServiceState], manifest: Manifest | None
    ) -> None:
        """Look after everything an earlier supervisor had running."""
        if manifest is not None:
            self._stack.use(manifest.compose, "")
        for name, state in states.items():
            if state.active and name in services:
                self._executor.adopt(services[name], state)
                self.changed(services[name], state)

    async def close(self) -> None:
        """Stop watching; let what has begun end."""
        await self._observer.close()
        await self._schemas.close()
        await self._executor.close()
