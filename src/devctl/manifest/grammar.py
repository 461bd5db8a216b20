"""The grammar of services.yaml: every key with its meaning. Shorthands are expanded here; forms read the values."""

import re
from typing import Annotated, Any

from devctl.manifest.forms import (
    TEXT,
    Command,
    Count,
    Duration,
    Environment,
    Flag,
    HttpUrl,
    Names,
    Pattern,
    Patterns,
    Ports,
    Positive,
    ProjectName,
    RelationChain,
    Span,
    Statuses,
    StopSignal,
    TcpAddress,
    Word,
    Words,
    one_of,
)
from devctl.manifest.group import Group, field
from devctl.manifest.parsers import NAME, Wrong, kind
from devctl.manifest.release import Database, Predeploy
from devctl.manifest.shapes import ITEM, Short
from devctl.manifest.upkeep import Clean, Compose, Git, Mirror

LIST_OF_TEXT = {"type": "array", "items": TEXT}
POLICIES = ("no", "on-failure", "always")


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _step(value: Any) -> Any:
    return {"command": value} if isinstance(value, str) else value


class SetupStep(Group):
    """A command that must have run before the service can start; again when an input changed or an output is gone."""

    command: Command = field(description="What is run, in the step's folder.", examples=["npm ci"])
    name: Word = field("", description="What the step is called on the screen; the command when left out.")
    path: Word = field("", description="The folder it runs in, relative to the service's `path`.")
    inputs: Patterns = field(
        (),
        description="Files or patterns, relative to the step's folder, whose change makes the step run again.",
        examples=[["package.json", "package-lock.json"]],
    )
    outputs: Patterns = field(
        (), description="What the step makes; when one is missing the step runs again.", examples=[["node_modules"]]
    )


Setup = Annotated[list[Annotated[SetupStep, Short(_step, TEXT)]], Short(_one_or_more, ITEM)]


class Process(Group):
    """A process on this machine."""

    path: Word = field(
        "",
        description="The folder of the service, relative to services.yaml.",
        examples=["examples/controlcore/cc-pap"],
    )
    setup: Setup = field(
        [], description="What must have run before it can start: a command, a step, or a list of steps, in order."
    )
    environment: Environment = field(
        {},
        description="Variables beside those it inherits. `${VAR}` is filled in when the process starts, "
        "so that no secret is written down.",
        examples=[{"VITE_API": "${services.cc-pap-api.url}"}],
    )
    env_file: Words = field(
        (), description="Files of `NAME=value` lines for its environment, relative to services.yaml.", examples=[".env"]
    )
    stop_signal: StopSignal = field("SIGTERM", description="The signal that asks it to end.")
    stop_grace_period: Duration = field(10.0, description="How long it may take to end before it is killed.")


class Native(Process):
    """How a service of the Compose file runs without a container: with `--native NAME`, or when there is no Docker."""

    command: Command = field(description="What is run. A string is run by the shell, a list is not.")


def _health(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if re.match(r"https?://", value):
        return {"http": value}
    if value.startswith("tcp://"):
        return {"tcp": value}
    raise Wrong(f"“{value}” is no address", "write http://…, https://… or tcp://HOST:PORT, or the long form")


class Health(Group):
    """When a service counts as healthy. Exactly one of `http`, `tcp`, `exec` and `log`."""

    exactly_one = ("http", "tcp", "exec", "log")

    http: HttpUrl = field(
        "", description="Healthy when GET of this URL answers with `status`. Redirects are not followed."
    )
    tcp: TcpAddress | None = field(None, description="Healthy when HOST:PORT accepts a connection.")
    exec: Command = field("", description="Healthy when the command ends with 0.")
    log: Pattern = field("", description="Healthy once a line of the log matches this regular expression.")
    status: Statuses = field(((200, 399),), description="HTTP statuses that count as healthy.")
    period: Span = field(5.0, description="How often, once healthy. Until then devctl tries as fast as makes sense.")
    timeout: Span = field(3.0, description="How long one try may take.")
    start_period: Duration = field(
        60.0, description="How long it may take to become healthy before it counts as failed."
    )
    failure_threshold: Positive = field(3, description="So many misses in a row make it unhealthy.")

    @classmethod
    def written(cls, value: Any) -> None:
        """As Group."""
        super().written(value)
        given = [key for key in cls.exactly_one if value.get(key) is not None]
        if len(given) != 1:
            said = f"has {' and '.join(given)}" if given else "says nothing to look at"
            raise Wrong(said, "give exactly one of http, tcp, exec and log")
        if "status" in value and given != ["http"]:
            raise Wrong(f"status goes with http, not with {given[0]}")


HealthCheck = Annotated[Health, Short(_health, "address")]


class Dependency(Group):
    """What must be so of another service before this one starts."""

    condition: Annotated[str, one_of("service_healthy", "service_started", "service_completed_successfully")] = field(
        "service_healthy", description="Compose's conditions."
    )
    because: Word = field("", description="Why; `devctl why` shows it.")


def _dependencies(value: Any) -> Any:
    if isinstance(value, str):
        raise Wrong("must be a list or a mapping of services", f"write [{value}]")
    if isinstance(value, list):
        for each in value:
            if not isinstance(each, str):
                raise Wrong(f"names services, not {kind(each)}", "give conditions as a mapping: NAME: {condition: …}")
        value = dict.fromkeys(value)
    if isinstance(value, dict):
        return {name: {} if each is None else each for name, each in value.items()}
    return value


Dependencies = Annotated[dict[str, Dependency], Short(_dependencies, LIST_OF_TEXT)]


def _restart(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    policy, _, retries = value.partition(":")
    if policy in {"unless-stopped", "false", "true"}:
        raise Wrong(f"“{value}” is not known here", f"write {'always' if policy[0] in 'tu' else 'no'}")
    return {"policy": policy, "max_retries": retries} if policy == "on-failure" and retries else {"policy": value}


class Restart(Group):
    """What happens when the service ends by itself."""

    policy: Annotated[str, one_of(*POLICIES)] = field(
        "on-failure", description="`on-failure`: after an exit code other than 0."
    )
    max_retries: Count = field(3, description="So many failures in a row, and it stays failed.")
    initial_delay: Duration = field(0.5, description="The pause before the first restart; it doubles each time …")
    max_delay: Duration = field(30.0, description="… up to this.")


RETRIES = {"type": "string", "pattern": r"^on-failure:[0-9]+$|\$\{"}
RestartPolicy = Annotated[Restart, Short(_restart, {"enum": [*POLICIES]}, RETRIES)]


class Runner(Group):
    """What a service is and who runs it."""

    description: Word = field("", description="What it is, in a few words; shown by `status` and `why`.")
    compose: Word = field("", description="Runtime 1: this service of the central Compose file.", examples=["postgres"])
    command: Command = field(
        "",
        description="Runtime 2: a process. A string is run by the shell, a list is not.",
        examples=["npm run dev", ["npm", "run", "dev"]],
    )
    external: Flag = field(False, description="Runtime 3: somebody else runs it; it is only probed.")
    library: Flag = field(False, description="Runtime 4: it runs nothing, but takes part in relations and mirrors.")
    native: Native | None = field(None, description="Beside `compose`: how it runs without a container.")


class Service(Process, Runner):
    """One service. Exactly one of `compose`, `command`, `external` and `library` says who runs it."""

    exactly_one = ("compose", "command", "external", "library")

    ports: Ports = field(
        (), description="The ports of this machine it listens on.", examples=[[8000], {"http": 8000, "debug": 9229}]
    )
    health: HealthCheck | None = field(None, description="When it counts as healthy: an address, or the long form.")
    depends_on: Dependencies = field(
        {},
        description="What must be so before it starts: the start order, never a cycle. "
        "A list means `condition: service_healthy`.",
        examples=[["postgres"], {"postgres": {"condition": "service_healthy", "because": "users live there"}}],
    )
    restart: RestartPolicy = field(
        Restart(),
        description="What happens when it ends by itself: a word, or the long form.",
        more={"default": "on-failure"},
    )
    on_unhealthy: Annotated[str, one_of("restart", "report")] = field(
        "",
        description="What happens when it lives and no longer answers. Default: `restart` for processes, "
        "`report` for containers.",
    )
    profiles: Names = field(
        (), description="It is started only when one of these is asked for. No profiles: always.", examples=[["ui"]]
    )
    database: Database | None = field(None, description="Its database.")
    predeploy: Predeploy | None = field(None, description="More checks of its own before production.")


class File(Group):
    """services.yaml: everything that belongs to a workspace, and how it starts, stops and stays in step."""

    name: ProjectName = field(description="The workspace's name.", examples=["controlcore"])
    compose: Compose | None = field(None, description="The central Compose stack.")
    services: dict[str, Service] = field(
        description="The services, libraries and outside services, by name.",
        more={"propertyNames": {"pattern": f"^{NAME.pattern}$"}, "minProperties": 1},
    )
    relations: list[RelationChain] = field(
        [],
        description="“When you change one, think of the other”: impact, never start order. Cycles are normal.",
        examples=[["cc-pap <-> cc-pap-api <-> cc-pap-core", "cc-pap-core -> cc-pap-pro-tenant"]],
    )
    git: Annotated[list[Git], Short(_one_or_more, ITEM)] = field(
        [], description="A repository of the workspace, or a list of them."
    )
    mirrors: list[Mirror] = field([], description="Folders carried over one way.")
    clean: Clean = field(Clean(), description="What `devctl clean` may tidy.")
