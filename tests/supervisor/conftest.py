"""A real supervisor in a process of its own, and a client of it."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from devctl.api.client import Client, NoSupervisor
from devctl.api.protocol import Down, Snapshot, Status, Up
from devctl.core.model import HealthCheck, HttpProbe, Manifest, Port, ProcessSpec, Runtime, Service, SetupStep
from devctl.core.state import State
from devctl.workspace import Workspace

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


class Desk:
    """One workspace with its supervisor; ``client`` talks to it."""

    def __init__(self, root: Path, poll: Callable[..., Any]) -> None:
        self.root, self.poll = root, poll
        self.workspace = Workspace(root, "desk")
        self.client = Client(self.workspace)

    def service(self, name: str, command: Any = SLEEPER, setup: str = "", **more: Any) -> Service:
        """A process that needs nothing, with one setup step that is always stale."""
        steps = (SetupStep(command=setup, path=str(self.root), outputs=("never",)),) if setup else ()
        spec = ProcessSpec(command=command, path=str(self.root), setup=steps, stop_grace_period=2.0)
        return msgspec.structs.replace(Service(name=name, runtime=Runtime.PROCESS, process=spec), **more)

    def server(self, name: str, port: int, **more: Any) -> Service:
        """A service that answers HTTP."""
        check = HealthCheck(probe=HttpProbe(url=f"http://127.0.0.1:{port}/"))
        command = (sys.executable, "-c", SERVER, str(port))
        return self.service(name, command, health=check, ports=(Port(number=port),), **more)

    def manifest(self, *services: Service) -> Manifest:
        """All of them."""
        file = str(self.root / "services.yaml")
        return Manifest(name="desk", file=file, root=str(self.root), services={each.name: each for each in services})

    def up(self, *services: Service) -> Up:
        """The request for all of them."""
        return Up(manifest=self.manifest(*services), names=tuple(each.name for each in services))

    def bring_up(self, *services: Service) -> Snapshot:
        """Ask for them and wait until all run, and are healthy where they have a check."""
        self.client.ensure_running()
        for seen in self.client.stream(self.up(*services)):
            if all(self.ready(seen, each) for each in services):
                return seen
        raise AssertionError("the stream ended")

    @staticmethod
    def ready(seen: Snapshot, service: Service) -> bool:
        """Whether it runs, and is healthy where it has a check."""
        state = seen.states.get(service.name)
        return (
            state is not None and state.state is State.RUNNING and (service.health is None or state.health == "healthy")
        )

    def status(self) -> Snapshot:
        """What is so."""
        return self.client.ask(Status(usage=False))

    def pid(self) -> int:
        """The supervisor's."""
        found = self.workspace.holder()
        assert found
        return found

    def kill(self) -> None:
        """SIGKILL to the supervisor, and wait until it is gone."""
        os.kill(self.pid(), signal.SIGKILL)
        self.poll(lambda: self.workspace.holder() is None, what="the supervisor is gone")

    def raw(self) -> socket.socket:
        """A connection of one's own."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(60)
        connection.connect(str(self.workspace.socket))
        return connection

    def of_ours(self) -> list[psutil.Process]:
        """Every process that works in this workspace's folder, the supervisor not counted."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = Path(process.cwd()).is_relative_to(self.root) and process.status() != psutil.STATUS_ZOMBIE
            except (psutil.Error, OSError):
                continue
            if mine and process.pid != self.workspace.holder():
                found.append(process)
        return found

    def down(self) -> None:
        """Everything, the supervisor too."""
        try:
            for _ in self.client.stream(Down(exit=True)):
                pass
        except NoSupervisor:
            pass
        self.client.wait_gone(60)

    def clear(self) -> None:
        """Nothing may be left; what is, is ended."""
        if (pid := self.workspace.holder()) is not None:
            os.kill(pid, signal.SIGCONT)
        self.down()
        try:
            self.poll(lambda: not self.of_ours(), what="nothing of it runs")
        finally:
            for process in self.of_ours():
                process.kill()


@pytest.fixture
def desk(tmp_path: Path, poll: Callable[..., Any]) -> Iterator[Desk]:
    """A workspace without a supervisor yet. At its end nothing of it runs."""
    made = Desk(tmp_path, poll)
    yield made
    made.clear()
