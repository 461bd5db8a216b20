"""What is wanted: a manifest as frozen values.

Every path is absolute, every duration is in seconds. Words are those of the Compose Specification where it has one.
The values travel as JSON between command and supervisor and into the journal, so unknown fields are ignored and every
later field needs a default: a supervisor of another version must still read them.

Annotations are objects here and in what else travels, not texts (no ``from __future__ import annotations``): msgspec
would evaluate each of them, in every command.
"""

from enum import StrEnum
from typing import dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """An immutable record with a JSON form."""


class Runtime(StrEnum):
    """Who runs a service (the words of ``status --json``)."""

    PROCESS = "process"
    CONTAINER = "container"
    EXTERNAL = "external"
    LIBRARY = "library"


class Condition(StrEnum):
    """What must be so of a dependency (Compose's words)."""

    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


class Dependency(Value):
    """An edge of the start order."""

    service: str
    condition: Condition = Condition.HEALTHY
    because: str = ""


class HttpProbe(Value, tag="http"):
    """Healthy when GET answers with a status in one of the inclusive ranges. Redirects are not followed."""

    url: str
    status: tuple[tuple[int, int], ...] = ((200, 399),)


class TcpProbe(Value, tag="tcp"):
    """Healthy when the port accepts a connection (and, on PostgreSQL's, answers a startup packet)."""

    host: str
    port: int


class ExecProbe(Value, tag="exec"):
    """Healthy when the command ends with 0. A string is run by the shell, a tuple is not."""

    command: str | tuple[str, ...]


class LogProbe(Value, tag="log"):
    """Healthy once a line of this run's log matches the regular expression."""

    pattern: str


Probe = HttpProbe | TcpProbe | ExecProbe | LogProbe


class HealthCheck(Value):
    """A probe and its timings, in seconds (Compose's words).

    ``period`` counts once healthy; until then devctl tries as often as the time already waited allows.
    ``start_period`` is how long a service may take to become healthy before it counts as failed.
    """

    probe: Probe
    period: float = 5.0
    timeout: float = 3.0
    start_period: float = 60.0
    failure_threshold: int = 3


class RestartWhen(StrEnum):
    """Compose's restart words."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class RestartPolicy(Value):
    """When a service that ended is started again: after ``initial_delay`` s, then twice that, up to ``max_delay``."""

    policy: RestartWhen = RestartWhen.ON_FAILURE
    max_retries: int = 3
    initial_delay: float = 0.5
    max_delay: float = 30.0


class OnUnhealthy(StrEnum):
    """What happens to a service that lives and answers nothing."""

    RESTART = "restart"
    REPORT = "report"


class SetupStep(Value):
    """A command that must have run before the service can start; stale when an input changed or an output is gone.

    ``inputs`` and ``outputs`` are paths or globs relative to ``path``.
    """

    command: str | tuple[str, ...]
    path: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    name: str = ""


class ProcessSpec(Value):
    """How a service runs with no container.

    ``environment`` holds templates, not values: ``${VAR}`` is filled in at the start of the process, so that a secret
    is never written to the journal. ``env_file`` entries are read at the same time.
    """

    command: str | tuple[str, ...]
    path: str
    environment: dict[str, str] = {}
    env_file: tuple[str, ...] = ()
    setup: tuple[SetupStep, ...] = ()
    stop_signal: str = "SIGTERM"
    stop_grace_period: float = 10.0


class Port(Value):
    """A TCP port on this machine; ``name`` is empty unless the manifest names it."""

    number: int
    name: str = ""


class Database(Value):
    """What the database commands need to know of a service. ``url`` is a template: it may hold a password."""

    url: str
    models: str = ""
    migrations: str = ""
    seed: str = ""
    hold: str = "none"


class Service(Value):
    """One service, with the runtime it has in this workspace.

    ``runtime`` is what runs it now; for a compose service with a native alternative the choice is made before the
    supervisor sees it, and ``runtime_reason`` says why ("no Docker engine answers"). ``process`` is set when the
    runtime is PROCESS, ``compose`` (a service name of the central compose file) whenever the manifest has it.
    ``oneshot``: it ends with 0 and then counts as completed.
    ``native_on_unhealthy`` becomes ``on_unhealthy`` when a compose service runs by its native alternative.
    ``path`` is the folder its sources live in, "" when unknown.
    """

    name: str
    runtime: Runtime
    runtime_reason: str = ""
    description: str = ""
    compose: str = ""
    process: ProcessSpec | None = None
    native: ProcessSpec | None = None
    path: str = ""
    ports: tuple[Port, ...] = ()
    url: str = ""
    health: HealthCheck | None = None
    depends_on: tuple[Dependency, ...] = ()
    restart: RestartPolicy = RestartPolicy()
    on_unhealthy: OnUnhealthy = OnUnhealthy.RESTART
    oneshot: bool = False
    native_on_unhealthy: OnUnhealthy = OnUnhealthy.RESTART
    profiles: tuple[str, ...] = ()
    database: Database | None = None
    predeploy: dict[str, object] | None = None

    @property
    def holds_schema(self) -> bool:
        """Whether what needs it waits while its database is behind its models."""
        return self.database is not None and self.database.hold == "schema" and not self.oneshot


class Relation(Value):
    """ "When you change one, think of the other": impact, never start order. ``both``: it holds in both directions."""

    source: str
    target: str
    both: bool = False


class ComposeStack(Value):
    """The central stack. ``files`` are merged in order, as ``docker compose -f A -f B``."""

    files: tuple[str, ...]
    project: str
    env_file: str = ""


class GitRepository(Value):
    """A repository of the workspace and what the day's work in it is. ``remotes`` maps a name to a URL or ""."""

    path: str
    branch: str = ""
    pull: str = "ff-only"
    sync_branches: tuple[str, ...] = ()
    promote: dict[str, str] = {}
    remotes: dict[str, str] = {}
    commit: str = "ask"
    max_file_size: int = 10_000_000
    timeout: float = 20.0


class Mirror(Value):
    """A folder carried over one way. ``names``: both ends as services.yaml has them."""

    source: str
    target: str
    include: tuple[str, ...] = ("**",)
    exclude: tuple[str, ...] = ("**/.git", "**/node_modules")
    names: tuple[str, str] = ("", "")


class Clean(Value):
    """What ``devctl clean`` may tidy."""

    artefacts: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    docker: tuple[str, ...] = ()
    on_down: tuple[str, ...] = ()


class Manifest(Value):
    """A whole services.yaml. ``file`` is its path, ``root`` its folder; ``services`` keeps the file's order.

    ``variables`` names every environment variable the file refers to.
    """

    name: str
    file: str
    root: str
    services: dict[str, Service]
    compose: ComposeStack | None = None
    relations: tuple[Relation, ...] = ()
    git: tuple[GitRepository, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    clean: Clean = Clean()
    variables: tuple[str, ...] = ()
