"""A compose project on the real engine, and the events its runtime gave."""

from __future__ import annotations

import asyncio
import os
import subprocess
import textwrap
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from devctl.core.model import ComposeStack, Runtime, Service
from devctl.core.state import AnyEvent, ContainerIdentity, Identity, SetupDone, Started
from devctl.runtimes.compose import ComposeRuntime
from devctl.runtimes.endpoint import Endpoint

T = TypeVar("T", bound=AnyEvent)


class Project:
    """A folder with a compose file, and a runtime for it. ``docker`` is the engine of tests/conftest.py."""

    def __init__(self, root: Path, docker: Any) -> None:
        self.root, self.docker, self.name = root, docker, docker.project
        self.file = root / "compose.yml"
        self.environment = dict(os.environ)
        self.events: list[AnyEvent] = []
        self.lines: list[str] = []
        self.runtime: ComposeRuntime

    @property
    def stack(self) -> ComposeStack:
        return ComposeStack(files=(str(self.file),), project=self.name)

    def write(self, compose: str, **files: str) -> None:
        """The compose file, and files beside it (``__`` in a name stands for a dot)."""
        self.file.write_text(textwrap.dedent(compose))
        for name, text in files.items():
            path = self.root / name.replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def service(self, name: str = "web", compose: str = "") -> Service:
        return Service(name=name, runtime=Runtime.CONTAINER, compose=compose or name)

    def compose(self, *arguments: str, project: str = "") -> str:
        """Docker Compose by hand."""
        argv = ["docker", "compose", "-f", str(self.file), "-p", project or self.name, *arguments]
        return subprocess.run(argv, env=self.environment, check=True, capture_output=True, text=True).stdout

    def run(self, test: Callable[[], Coroutine[Any, Any, None]], **options: Any) -> None:
        """An asynchronous test, with a new runtime (a new supervisor, as it were)."""

        async def whole() -> None:
            self.events.clear()
            endpoint = options.pop("endpoint", None) or Endpoint(self.docker.host)
            self.runtime = ComposeRuntime(self.stack, self.root / ".devctl", endpoint, self.lines.append, **options)
            try:
                await test()
            finally:
                await self.runtime.close()

        asyncio.run(whole())

    async def prepare(
        self, *services: Service, running: dict[str, tuple[int, Identity]] | None = None
    ) -> list[AnyEvent]:
        """The events of one prepare."""
        begin = len(self.events)
        await self.runtime.prepare(services, self.environment, running or {}, self.events.append)
        return self.events[begin:]

    async def changed(self, service: Service, identity: Identity | None = None, run: int = 1) -> str:
        """What one prepare of one service says it changed."""
        running = {service.name: (run, identity)} if identity else {}
        done = (await self.prepare(service, running=running))[-1]
        assert isinstance(done, SetupDone), done
        return done.changed

    async def start(self, service: Service, run: int = 1) -> ContainerIdentity:
        await self.runtime.start(service, run, self.environment, self.events.append)
        started = next(event for event in reversed(self.events) if event.service == service.name)
        assert isinstance(started, Started), started
        assert isinstance(started.identity, ContainerIdentity)
        return started.identity

    async def stop(self, service: Service, identity: Identity | None, run: int = 1) -> AnyEvent:
        await self.runtime.stop(service, run, identity, self.events.append)
        return self.events[-1]

    async def up(self, service: Service, run: int = 1) -> ContainerIdentity:
        """Prepared and started."""
        await self.changed(service)
        return await self.start(service, run)

    async def event(self, kind: type[T], name: str = "web", timeout: float = 60.0) -> T:
        """The first event of that kind, awaited."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for event in self.events:
                if isinstance(event, kind) and event.service == name:
                    return event
            await asyncio.sleep(0.005)
        pytest.fail(f"no {kind.__name__} of {name} in {timeout:g} s: {self.events}")


@pytest.fixture
def project(tmp_path: Path, docker: Any) -> Iterator[Project]:
    """A compose project of this test's own; its containers, networks, volumes and images go at the end."""
    return Project(tmp_path, docker)
