"""Fixtures every room's tests may use: waiting with a deadline, free ports, a real Docker engine with a clean end."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")
CHANCE = random.SystemRandom()
"""Not the seeded one: another test run beside this one would choose the same ports."""
PROJECT_LABEL = "com.docker.compose.project"
TEST_IMAGES = {name: f"devctl-test/{name}" for name in ("postgres:15", "redis:7", "python:3.11", "busybox")}


# A shell that starts something in the background lets it ignore Ctrl-C, and so does whatever that starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the engine carries the marker, whether or not its author wrote it."""
    for item in items:
        if "docker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of workspaces that every supervisor adds itself to is not the user's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))


@pytest.fixture
def poll() -> Callable[..., Any]:
    """``poll(condition, timeout=30.0, what="")`` → the first true value of ``condition()``, or the test fails."""

    def wait(condition: Callable[[], T], timeout: float = 30.0, what: str = "") -> T:
        deadline, pause = time.monotonic() + timeout, 0.002
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout:g} s: {what or condition}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)
        return value

    return wait


@pytest.fixture
def apoll() -> Callable[..., Awaitable[Any]]:
    """The same inside an event loop: ``await apoll(condition, timeout=30.0, what="")``; ``condition`` is plain."""

    async def wait(condition: Callable[[], T], timeout: float = 30.0, what: str = "") -> T:
        deadline, pause = time.monotonic() + timeout, 0.002
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout:g} s: {what or condition}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.1)
        return value

    return wait


@pytest.fixture
def free_port() -> Callable[[], int]:
    """``free_port()`` → a TCP port nobody has, another one at every call of the same test. It lies below those that the
    kernel gives to connections, so that none of these takes it before the test does."""
    given: set[int] = set()

    def find() -> int:
        for _ in range(200):
            port = CHANCE.randrange(20_000, 32_000)
            if port not in given and _is_free(port):
                given.add(port)
                return port
        raise AssertionError("no free port in 200 tries")

    return find


def _is_free(port: int) -> bool:
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
    return True


class Docker:
    """The real engine, for one test: ``host`` its address, ``api`` the SDK's client, ``project`` this test's own name.

    What carries the label or the prefix of one of its projects is removed at the end, volumes too.
    """

    images = TEST_IMAGES

    def __init__(self, host: str, api: APIClient) -> None:
        self.host, self.api = host, api
        self.projects: list[str] = []
        self.project = self.new_project()

    def new_project(self) -> str:
        """Another Compose project name, removed at the end too."""
        self.projects.append(f"devctl-t{uuid.uuid4().hex[:10]}")
        return self.projects[-1]

    def containers(self, project: str = "") -> list[dict[str, Any]]:
        """The engine's list entries of all containers of the project, stopped ones too."""
        label = f"{PROJECT_LABEL}={project or self.project}"
        found: list[dict[str, Any]] = self.api.containers(all=True, filters={"label": label})
        return found

    def container(self, service: str, project: str = "") -> dict[str, Any]:
        """``docker inspect`` of the one container of a service."""
        (found,) = [c for c in self.containers(project) if c["Labels"].get("com.docker.compose.service") == service]
        inspected: dict[str, Any] = self.api.inspect_container(found["Id"])
        return inspected

    def clear(self) -> None:
        """Remove everything of this test's projects."""
        for project in self.projects:
            self._clear(project)

    def _clear(self, project: str) -> None:
        label: dict[str, Any] = {"label": f"{PROJECT_LABEL}={project}"}
        for container in self.containers(project):
            self._gone(self.api.remove_container, container["Id"], v=True, force=True)
        for network in self.api.networks(filters=label):
            self._gone(self.api.remove_network, network["Id"])
        for volume in self.api.volumes(filters=label)["Volumes"] or []:
            self._gone(self.api.remove_volume, volume["Name"])
        for image in self.api.images(filters={"reference": f"{project}*"}):
            for tag in image["RepoTags"] or ():
                if tag.startswith(project):  # by its tag: the image may have another that isn't ours
                    self._gone(self.api.remove_image, tag)
        for image in self.api.images(filters={**label, "dangling": True}):
            self._gone(self.api.remove_image, image["Id"])

    @staticmethod
    def _gone(remove: Callable[..., Any], name: str, **options: bool) -> None:
        from docker.errors import APIError

        for attempt in range(5):
            try:
                remove(name, **options)
                return
            except APIError as error:
                if error.status_code == 404:
                    return
                if error.status_code != 409 or attempt == 4:
                    raise
                time.sleep(0.2 * (attempt + 1))


@pytest.fixture
def docker() -> Iterator[Docker]:
    """A real engine and a Compose project of this test's own, of which nothing remains. No engine: the test is skipped,
    or fails where DEVCTL_REQUIRE_DOCKER=1."""
    host = os.environ.get("DOCKER_HOST") or _default_socket()
    try:
        from docker import APIClient

        api = APIClient(base_url=host, version="auto", timeout=120)
        api.ping()
    except Exception as error:
        if os.environ.get("DEVCTL_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"no Docker engine answers at {host}: {type(error).__name__}")
    engine = Docker(host, api)
    try:
        yield engine
    finally:
        engine.clear()
        api.close()


def _default_socket() -> str:
    own = Path.home() / ".docker/run/docker.sock"
    return f"unix://{own}" if own.exists() else "unix:///var/run/docker.sock"
