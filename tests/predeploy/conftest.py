"""A workspace with real git, and the real command in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

GIT = '[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = dev\n[protocol "file"]\nallow = always\n'
STRONG = {"SECRET_KEY": "xH4v-Kp2Wm9QzR7sT1uYb3Nc6Ed8Fg0J", "ADMIN_PASSWORD": "Tq7-vhR2mXw9Lp"}


class Workspace:
    """A workspace's folder, a repository on branch dev with a bare remote, and the command in it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home
        own = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "GITHUB_", "PG"))}
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "DEVCTL_DEBUG", "SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
            own.pop(name, None)
        (home / "gitconfig").write_text(GIT)
        self.environment = own | {
            "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "GIT_CONFIG_SYSTEM": "/dev/null", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def git(self, *words: str) -> str:
        """Run git in the workspace → its output."""
        done = subprocess.run(
            ["git", "-C", self.root, *words], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def repository(self) -> None:
        """A repository on dev, all committed, and pushed to the bare remote origin."""
        (self.root / ".gitignore").write_text(".devctl/\n.env*\n*.out\n__pycache__/\n")
        subprocess.run(["git", "init", "-q", "--bare", self.home / "origin.git"], env=self.environment, check=True)
        self.git("init", "-q", "-b", "dev")
        self.commit("first")
        self.git("remote", "add", "origin", str(self.home / "origin.git"))
        self.git("push", "-q", "origin", "dev")

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def write(self, services: Mapping[str, Any], **rest: Any) -> None:
        """services.yaml anew."""
        parts = {**rest, "services": services}
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in parts.items())
        (self.root / "services.yaml").write_text(f"name: shop\n{text}")  # JSON is YAML

    def env(self, name: str = "production", **values: str) -> None:
        """``.env.NAME`` with these values."""
        (self.root / f".env.{name}").write_text("".join(f"{key}='{value}'\n" for key, value in values.items()))

    def run(self, *words: str, timeout: float = 100, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command, without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "devctl", *words], cwd=self.root, env={**self.environment, **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def checks(self, *words: str, **environment: str) -> dict[str, dict[str, str]]:
        """``devctl predeploy --json`` → its checks by name."""
        done = self.run("predeploy", "--json", *words, **environment)
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        assert (done.returncode == 0) is (found["verdict"] == "pass"), found
        return {each["name"]: each for each in found["checks"]}


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """A workspace without a manifest yet."""
    (tmp_path / "home").mkdir()
    (tmp_path / "shop").mkdir()
    return Workspace(tmp_path / "shop", tmp_path / "home")


@pytest.fixture
def strong() -> dict[str, str]:
    """Values that are fit for production."""
    return dict(STRONG)


IMAGES = {"postgres": "POSTGRES_IMAGE", "redis": "REDIS_IMAGE"}


class Port(int):
    """A port of this machine, and the address of the container it leads to."""

    inside = ""


class Server:
    """A PostgreSQL for the whole session, in a container whose own address is ``inside``: that one isn't loopback."""

    user, password = "shop", "Ys4-localOnly-9"

    def __init__(self, port: int, inside: str) -> None:
        self.port, self.inside = port, inside

    def url(self, name: str, password: str = "") -> str:
        """The address of a database."""
        return f"postgresql://{self.user}:{password or self.password}@127.0.0.1:{self.port}/{name}"

    def ask(self, query: str, name: str = "postgres") -> list[tuple[Any, ...]]:
        """Carry out a statement; its rows."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            done = connection.execute(query)  # type: ignore[call-overload]
            return list(done.fetchall()) if done.description else []

    def scratches(self) -> list[str]:
        """The scratch databases that there are."""
        return [row[0] for row in self.ask("select datname from pg_database where datname like 'devctl_scratch%'")]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """PostgreSQL; without an engine the test is skipped, or fails where DEVCTL_REQUIRE_DOCKER=1."""
    variables = {"POSTGRES_USER": Server.user, "POSTGRES_PASSWORD": Server.password}
    with container("postgres", 5432, variables) as port:
        made = Server(port, port.inside)
        deadline = time.monotonic() + 60
        while True:
            try:
                made.ask("select 1")
                break
            except psycopg.Error:
                assert time.monotonic() < deadline, "PostgreSQL did not start in 60 s"
                time.sleep(0.1)
        yield made


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The name of a database of this test's own, whose name says that it is for development."""
    name = f"shop_dev_{uuid.uuid4().hex[:10]}"
    server.ask(f"create database {name}")
    yield name
    server.ask(f"drop database {name} with (force)")


@contextmanager
def container(kind: str, port: int, variables: Mapping[str, str]) -> Iterator[Port]:
    """A container of a test image; the port of this machine that leads to its ``port``."""
    from docker import APIClient

    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    try:
        api = APIClient(base_url=host, version="auto", timeout=120)
        api.ping()
    except Exception as error:
        if os.environ.get("DEVCTL_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"no Docker engine answers at {host}: {type(error).__name__}")
    image = os.environ.get(IMAGES[kind], f"devctl-test/{kind}:{'15' if kind == 'postgres' else '7'}")
    settings = api.create_host_config(port_bindings={port: ("127.0.0.1", None)})
    made = api.create_container(image, environment=dict(variables), host_config=settings, ports=[port])
    try:
        api.start(made["Id"])
        network = api.inspect_container(made["Id"])["NetworkSettings"]
        found = Port(network["Ports"][f"{port}/tcp"][0]["HostPort"])
        found.inside = next(iter(network["Networks"].values()))["IPAddress"]
        yield found
    finally:
        api.remove_container(made["Id"], force=True, v=True)
        api.close()


@pytest.fixture(scope="session")
def containers() -> Any:
    """``with containers("redis", 6379, {}) as port``: see ``container``."""
    return container
