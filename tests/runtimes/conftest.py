"""A workspace of its own for each test of native processes, and the proof that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from devctl.core.model import ProcessSpec, Runtime, Service
from devctl.core.state import AnyEvent, ProcessIdentity
from devctl.logs import Logs
from devctl.runtimes.process import ProcessRuntime

T = TypeVar("T", bound=AnyEvent)


class Bench:
    """A workspace, its runtime and the events that came. ``run`` gives an asynchronous test its event loop."""

    def __init__(self, root: Path) -> None:
        self.root, self.workspace = root, f"ws{uuid.uuid4().hex[:12]}"
        self.logs = Logs(root)
        self.events: list[AnyEvent] = []
        self.runtime = ProcessRuntime(root, self.workspace, self.logs)

    def run(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            self.runtime = ProcessRuntime(self.root, self.workspace, self.logs)
            try:
                await test()
            finally:
                await self.runtime.close()

        asyncio.run(whole())

    def service(self, command: str | tuple[str, ...], name: str = "it", **spec: Any) -> Service:
        spec = {"path": str(self.root), "stop_grace_period": 20.0, **spec}
        return Service(name=name, runtime=Runtime.PROCESS, process=ProcessSpec(command=command, **spec))

    def python(self, code: str, name: str = "it", **spec: Any) -> Service:
        """A service that runs this Python program."""
        return self.service((sys.executable, "-S", "-E", "-u", "-c", code), name, **spec)

    async def start(self, service: Service, run: int = 1) -> ProcessIdentity:
        await self.runtime.start(service, run, os.environ, self.events.append)
        started = self.events[-1]
        assert isinstance(getattr(started, "identity", None), ProcessIdentity), started
        return started.identity  # type: ignore[union-attr,return-value]

    async def stop(self, service: Service, identity: ProcessIdentity | None, run: int = 1) -> AnyEvent:
        await self.runtime.stop(service, run, identity, self.events.append)
        return self.events[-1]

    async def event(self, kind: type[T], name: str = "it", timeout: float = 60.0) -> T:
        """The first event of that kind about ``name``, awaited."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for event in self.events:
                if isinstance(event, kind) and event.service == name:
                    return event
            await asyncio.sleep(0.002)
        pytest.fail(f"no {kind.__name__} of {name} in {timeout:g} s: {self.events}")

    async def said(self, text: str, name: str = "it", timeout: float = 60.0) -> str:
        """The log, once it holds ``text``."""
        deadline = time.monotonic() + timeout
        while text not in (found := self.log(name)):
            assert time.monotonic() < deadline, f"{text!r} not in {found[-500:]!r}"
            await asyncio.sleep(0.002)
        return found

    def log(self, name: str = "it") -> str:
        path = self.logs.path(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def marked(self) -> list[int]:
        """Who carries this workspace's mark, by a look of this test's own."""
        mark, found = f"DEVCTL_SERVICE={self.workspace}/".encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found


def living(pid: int) -> bool:
    """Whether that process exists and is no zombie, by a look of this test's own."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """``alive(pid)``: it exists and is no zombie."""
    return living


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A workspace for native processes; fails when something carries its mark after the test."""
    bench = Bench(tmp_path)
    yield bench
    left = bench.marked()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"left behind: {left}"


@pytest.fixture
def gone(apoll: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """``await gone(pid…)``: all of them have ended."""

    async def wait(*pids: int) -> None:
        await apoll(lambda: not any(living(pid) for pid in pids), what=f"the end of {pids}")

    return wait
