"""Fabricated workspaces: every screen is drawn from values, so tests need nothing that runs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from devctl.api.protocol import Snapshot, Usage
from devctl.core.model import (
    Dependency,
    HealthCheck,
    Manifest,
    Port,
    ProcessSpec,
    Relation,
    Runtime,
    Service,
    TcpProbe,
)
from devctl.core.plan import Hold
from devctl.core.state import ContainerIdentity, Health, ProcessIdentity, ServiceState, State
from devctl.ui.text import Text


def service(name: str, runtime: Runtime = Runtime.CONTAINER, port: int = 0, **fields: Any) -> Service:
    """A service with a health check and, where it has a port, a URL."""
    ports = (Port(number=port),) if port else ()
    fields.setdefault("url", f"http://localhost:{port}/" if port else "")
    fields.setdefault("health", HealthCheck(probe=TcpProbe(host="localhost", port=port or 1)))
    needs = tuple(Dependency(service=other) for other in fields.pop("needs", ()))
    return Service(name=name, runtime=runtime, ports=ports, depends_on=needs, **fields)


def manifest(*services: Service, relations: Sequence[Relation] = ()) -> Manifest:
    """A manifest of these services."""
    return Manifest(
        name="controlcore",
        file="/workspace/services.yaml",
        root="/workspace",
        services={each.name: each for each in services},
        relations=tuple(relations),
    )


def healthy(name: str, since: float = 1000.0, **fields: Any) -> ServiceState:
    """A service that was started at ``since`` and was healthy two seconds later."""
    fields = {"run": 1, "started_at": since, "ready_at": since + 2, **fields}
    return ServiceState(name=name, state=State.RUNNING, health=Health.HEALTHY, since=since, **fields)


def control_core() -> SimpleNamespace:
    """A workspace in which everything that can be so is so."""
    native = ProcessSpec(command="redis", path="/workspace/redis")
    described = manifest(
        service("postgres", port=5432, url=""),
        service(
            "redis", Runtime.PROCESS, 6379, url="", compose="redis", native=native, process=native,
            runtime_reason="no Docker engine answers",
        ),
        service("cc-pap-api", port=8000, needs=["postgres", "redis"]),
        service("cc-pap", Runtime.PROCESS, 5173, needs=["cc-pap-api"]),
        service("cc-language-server", Runtime.PROCESS, 3030),
        service("cc-docs", Runtime.PROCESS, 3001),
        service("db-init", oneshot=True, health=None, needs=["postgres"]),
        service("auth0", Runtime.EXTERNAL, url="https://controlcore.eu.auth0.com/"),
        service("cc-pap-core", Runtime.LIBRARY, health=None),
        service("opal", port=7002, profiles=("opal",)),
        relations=[Relation(source="cc-pap", target="cc-pap-core", both=True)],
    )  # fmt: skip
    states = [
        healthy("postgres", 100.0, identity=ContainerIdentity(id="f00d" * 16)),
        ServiceState(
            name="redis", state=State.RUNNING, health=Health.UNHEALTHY, run=1, since=7000.0, started_at=7000.0,
            identity=ProcessIdentity(pid=901, start=5), reason="connection refused on port 6379",
        ),
        ServiceState(
            name="cc-pap-api", state=State.RUNNING, health=Health.STARTING, run=3, since=7990.0, started_at=7990.0,
            restarts=2, reason="answers with status 503",
        ),
        ServiceState(
            name="cc-language-server", state=State.BACKOFF, run=2, since=7999.0, started_at=7998.0, restarts=1,
            reason="ended with exit code 1",
        ),
        ServiceState(
            name="cc-docs", state=State.FATAL, run=4, since=7995.0, started_at=7994.0, restarts=3, exit_code=1,
            reason="ended with exit code 1, 4 times in a row",
            words=("Error: Cannot find module 'next'", "    at Module._load (loader.js:1:1)"),
        ),
        ServiceState(
            name="db-init", state=State.EXITED, completed=True, run=1, since=110.0, started_at=105.0, ready_at=110.0,
            exit_code=0,
        ),
        healthy("auth0", 7500.0),
    ]  # fmt: skip
    snapshot = Snapshot(
        version="0.1.0",
        pid=812,
        started=50.0,
        clock=(8000.0, 1_795_252_800.0),
        states={state.name: state for state in states},
        holds=(Hold(service="cc-pap", reason="waits for cc-pap-api to be healthy", on=("cc-pap-api",)),),
        wanted=tuple(name for name in described.services if name not in {"opal", "cc-pap-core"}),
        usage={
            "postgres": Usage(cpu_percent=0.4, memory_bytes=91_234_304),
            "redis": Usage(cpu_percent=12.44, memory_bytes=9_123_430),
            "cc-pap-api": Usage(cpu_percent=100.2, memory_bytes=1_423_430_000),
        },
    )
    return SimpleNamespace(manifest=described, snapshot=snapshot)


@pytest.fixture
def world() -> SimpleNamespace:
    """``manifest`` and ``snapshot`` of a workspace in which everything that can be so is so."""
    return control_core()


@pytest.fixture
def make() -> SimpleNamespace:
    """``make.service``, ``make.manifest``, ``make.healthy``."""
    return SimpleNamespace(service=service, manifest=manifest, healthy=healthy)


@pytest.fixture
def shown() -> Callable[[Sequence[Text]], str]:
    """Lines as one text, with an empty line at its beginning so that tests can write them as they look."""

    def join(lines: Sequence[Text]) -> str:
        return "\n" + "\n".join(line.plain.rstrip() for line in lines) + "\n"

    return join


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``terminal(columns, lines)`` → a stream that is a terminal of that size."""

    def make_one(columns: int = 80, lines: int = 24) -> FakeTerminal:
        for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(lines))
        monkeypatch.setenv("TERM", "xterm-256color")
        return FakeTerminal()

    return make_one
