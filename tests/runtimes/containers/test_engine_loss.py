"""The engine stops answering and comes back: nothing false is said of containers that live on.

The engine itself is shared with other tests, so it is the wire to it that is cut.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl.core.state import Adopted, Exited
from devctl.runtimes.endpoint import Endpoint
from devctl.runtimes.engine_watch import OVERLAP


class Wire:
    """A socket that leads to the engine's, until it is cut."""

    def __init__(self, path: Path, engine: str) -> None:
        self.path, self._engine = path, engine.removeprefix("unix://")
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.mend()

    def mend(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._thread(self._accept, self._listener)

    def cut(self) -> None:
        self.path.unlink()
        self._end(self._listener)
        while self._open:
            self._end(self._open.pop())
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _thread(self, work: Any, *arguments: Any) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments))
        self._threads[-1].start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                far.connect(self._engine)
                self._open += [near, far]
                self._thread(self._pump, near, far)
                self._thread(self._pump, far, near)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _end(end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@pytest.fixture
def wire(docker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    if not docker.host.startswith("unix://"):
        pytest.fail("these tests need the engine's Unix socket")
    wire = Wire(tmp_path_factory.mktemp("w") / "s", docker.host)
    yield wire
    if wire.path.exists():
        wire.cut()


SLEEPER = """
services:
  web:
    image: devctl-test/busybox
    command: ["sh", "-c", "trap 'exit 4' TERM; echo hello; while :; do sleep 0.1; done"]
    stop_grace_period: 20s
"""


def lost(project: Any, wire: Wire) -> Any:
    """True once the runtime knows that its engine is gone."""
    return lambda: project.runtime._runs._silent_since is not None


def back(project: Any) -> Any:
    return lambda: project.runtime._runs._silent_since is None


def exits(project: Any) -> list[Exited]:
    return [event for event in project.events if isinstance(event, Exited)]


def test_a_container_that_lives_through_the_loss_is_said_nothing_of(project: Any, wire: Wire, apoll: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        for _ in range(2):
            wire.cut()
            await apoll(lost(project, wire))
            wire.mend()
            await apoll(back(project))
        assert project.events[-1].identity == identity
        project.docker.api.kill(identity.id, "TERM")
        assert (await project.event(Exited)).code == 4

    project.run(test, endpoint=Endpoint(f"unix://{wire.path}"))
    assert len(exits(project)) == 1


def test_an_end_during_the_loss_is_told_when_the_engine_is_back(project: Any, wire: Wire, apoll: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        wire.cut()
        await apoll(lost(project, wire))
        project.docker.api.kill(identity.id, "TERM")
        project.docker.api.wait(identity.id)
        assert not exits(project)
        wire.mend()
        exited = await project.event(Exited)
        assert (exited.code, exited.words) == (4, ("hello",))

    project.run(test, endpoint=Endpoint(f"unix://{wire.path}"))
    assert len(exits(project)) == 1


def test_a_container_restarted_during_the_loss_is_known_by_its_new_start(project: Any, wire: Wire, apoll: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        wire.cut()
        await apoll(lost(project, wire))
        project.docker.api.restart(identity.id)
        # What is older than the overlap of two streams is known only by looking.
        begin = time.monotonic()
        await apoll(lambda: time.monotonic() > begin + OVERLAP + 1)
        wire.mend()
        adopted = await project.event(Adopted)
        assert adopted.identity.started == project.docker.container("web")["State"]["StartedAt"]

    project.run(test, endpoint=Endpoint(f"unix://{wire.path}"))
    assert not exits(project)


def test_a_removed_container_is_known_when_the_engine_is_back(project: Any, wire: Wire, apoll: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        wire.cut()
        await apoll(lost(project, wire))
        project.docker.api.remove_container(identity.id, force=True)
        wire.mend()
        await project.event(Exited)

    project.run(test, endpoint=Endpoint(f"unix://{wire.path}"))
    assert len(exits(project)) == 1


def test_an_engine_that_stays_away_ends_its_runs_and_they_are_found_again(project: Any, wire: Wire) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        wire.cut()
        exited = await project.event(Exited)
        assert exited.code is None
        assert exited.note.startswith("the Docker engine stopped answering: no Docker engine answers at unix://")
        wire.mend()
        assert await project.start(web, run=2) == identity

    project.run(test, endpoint=Endpoint(f"unix://{wire.path}"), gone_after=0.3)
    assert len(exits(project)) == 1


def test_a_stop_that_fails_for_want_of_an_engine_forgets_nothing(project: Any, wire: Wire, apoll: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        wire.cut()
        stopped = await project.stop(web, identity)
        assert type(stopped).__name__ == "StopFailed"
        assert "no Docker engine answers" in stopped.reason
        wire.mend()
        project.docker.api.kill(identity.id, "TERM")
        assert (await project.event(Exited)).code == 4

    project.run(test, endpoint=Endpoint(f"unix://{wire.path}"))
