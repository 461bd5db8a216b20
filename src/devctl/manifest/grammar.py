"""The grammar of services.yaml: every key with its meaning. Shorthands are expanded here, values read by their forms."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from devctl.manifest.forms import (
    ITEM,
    TEXT,
    Command,
    Count,
    Duration,
    Environment,
    Flag,
    Free,
    GitAddress,
    GitName,
    GitNames,
    Globs,
    HttpUrl,
    Names,
    Pattern,
    Ports,
    Positive,
    ProjectName,
    RelationChain,
    Short,
    Size,
    Span,
    Statuses,
    StopSignal,
    TcpAddress,
    Variables,
    Word,
    Words,
    kind,
    one_of,
    some_of,
    wrong,
)

LIST_OF_TEXT = {"type": "array", "items": TEXT}
POLICIES = ("no", "on-failure", "always")


class Group(BaseModel):
    """Keys that belong together. A key without a value counts as left out; an unknown one is a mistake."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _mapping(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise wrong(f"must be a mapping of keys, not {kind(value)}", f"its keys are {', '.join(cls.keys())}")
        return {key: each for key, each in value.items() if each is not None or key not in cls.keys()}

    @classmethod
    def keys(cls) -> dict[str, str]:
        """Keys as they are written → names of their fields."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}


def _step_list(value: Any) -> Any:
    steps = value if isinstance(value, list) else [value]
    return [{"command": step} if isinstance(step, str) else step for step in steps]


class SetupStep(Group):
    """A command that must have run before the service can start. It runs again when an input has changed or an output is gone."""

    command: Command = Field(description="What is run, in the step's folder.", examples=["npm ci"])
    name: Word = Field("", description="What the step is called on the screen; the command when left out.")
    path: Word = Field("", description="The folder it runs in, relative to the service's `path`.")
    inputs: Globs = Field(
        (),
        description="Files or patterns, relative to the step's folder, whose change makes the step run again.",
        examples=[["package.json", "package-lock.json"]],
    )
    outputs: Globs = Field(
        (), description="What the step makes; when one is missing the step runs again.", examples=[["node_modules"]]
    )


Setup = Annotated[list[SetupStep], Short(_step_list, (TEXT, ITEM))]


class Process(Group):
    """A process on this machine."""

    path: Word = Field(
        "", description="The folder of the service, relative to services.yaml.", examples=["examples/controlcore/cc-pap"]
    )
    setup: Setup = Field(
        [], description="What must have run before it can start: a command, a step, or a list of steps, in order."
    )
    environment: Environment = Field(
        {},
        description="Variables beside those it inherits. `${VAR}` is filled in when the process starts, "
        "so that no secret is written down.",
        examples=[{"VITE_API": "${services.cc-pap-api.url}"}],
    )
    env_file: Words = Field(
        (), description="Files of `NAME=value` lines for its environment, relative to services.yaml.", examples=[".env"]
    )
    stop_signal: StopSignal = Field("SIGTERM", description="The signal that asks it to end.")
    stop_grace_period: Duration = Field(10.0, description="How long it may take to end before it is killed.")


class Native(Process):
    """How a service of the Compose file runs without a container: with `devctl up --native NAME`, or when no Docker engine answers."""

    command: Command = Field(description="What is run. A string is run by the shell, a list is not.")


def _health(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if re.match(r"https?://", value):
        return {"http": value}
    if value.startswith("tcp://"):
        return {"tcp": value}
    raise wrong(f"“{value}” is no address", "write http://…, https://… or tcp://HOST:PORT, or the long form")


class Health(Group):
    """When a service counts as healthy. Exactly one of `http`, `tcp`, `exec` and `log`."""

    http: HttpUrl = Field(
        "", description="Healthy when GET of this URL answers with `status`. Redirects are not followed."
    )
    tcp: TcpAddress | None = Field(None, description="Healthy when HOST:PORT accepts a connection.", examples=["localhost:5432"])
    exec: Command = Field("", description="Healthy when the command ends with 0.")
    log: Pattern = Field("", description="Healthy once a line of the log matches this regular expression.")
    status: Statuses = Field(
        ((200, 399),), description="HTTP statuses that count as healthy.", examples=["200-399", [200, 401]]
    )
    period: Span = Field(5.0, description="How often, once healthy. Until then devctl tries as fast as makes sense.")
    timeout: Span = Field(3.0, description="How long one try may take.")
    start_period: Duration = Field(
        60.0, description="How long it may take to become healthy before it counts as failed."
    )
    failure_threshold: Positive = Field(3, description="So many misses in a row make it unhealthy.")

    @model_validator(mode="before")
    @classmethod
    def _one_probe(cls, value: Any) -> Any:
        if isinstance(value, dict):
            given = [key for key in ("http", "tcp", "exec", "log") if value.get(key) is not None]
            if len(given) != 1:
                said = f"has {' and '.join(given)}" if given else "says nothing to look at"
                raise wrong(said, "give exactly one of http, tcp, exec and log")
            if "status" in value and given != ["http"]:
                raise wrong(f"status goes with http, not with {given[0]}")
        return value


HealthCheck = Annotated[
    Health, Short(_health, ({"type": "string", "pattern": r"^(https?|tcp)://|\$\{", "title": "http(s)://… or tcp://…"},))
]


class Dependency(Group):
    """What must be so of another service before this one starts."""

    condition: Annotated[str, one_of("service_healthy", "service_started", "service_completed_successfully")] = Field(
        "service_healthy", description="Compose's conditions."
    )
    because: Word = Field("", description="Why; `devctl why` shows it.")


def _dependencies(value: Any) -> Any:
    if isinstance(value, str):
        raise wrong("must be a list or a mapping of services", f"write [{value}]")
    if isinstance(value, list):
        for each in value:
            if not isinstance(each, str):
                raise wrong(f"names services, not {kind(each)}", "give conditions as a mapping: NAME: {condition: …}")
        value = dict.fromkeys(value)
    if isinstance(value, dict):
        return {name: {} if each is None else each for name, each in value.items()}
    return value


Dependencies = Annotated[dict[str, Dependency], Short(_dependencies, (LIST_OF_TEXT,))]


def _restart(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    policy, _, retries = value.partition(":")
    if policy in {"unless-stopped", "false", "true"}:
        raise wrong(f"“{value}” is not known here", f"write {'always' if policy[0] in 'tu' else 'no'}")
    return {"policy": policy, "max_retries": retries} if policy == "on-failure" and retries else {"policy": value}


class Restart(Group):
    """What happens when the service ends by itself."""

    policy: Annotated[str, one_of(*POLICIES)] = Field(
        "on-failure", description="`on-failure`: after an exit code other than 0."
    )
    max_retries: Count = Field(3, description="So many failures in a row, and it stays failed.")
    initial_delay: Duration = Field(0.5, description="The pause before the first restart; it doubles each time …")
    max_delay: Duration = Field(30.0, description="… up to this.")


RestartPolicy = Annotated[
    Restart, Short(_restart, ({"enum": [*POLICIES]}, {"type": "string", "pattern": r"^on-failure:[0-9]+$|\$\{"}))
]


class Database(Group):
    """What `devctl db` and `devctl predeploy` need to know of a service's database."""

    url: Word = Field(
        description="Its address. `${VAR}` is filled in only when it is used, so that no password is written down.",
        examples=["${DATABASE_URL:-postgresql://app:app@localhost:5432/app}"],
    )
    models: Word = Field(
        "",
        description="MODULE:NAME of a declarative base or a MetaData, imported with the service's own python.",
        examples=["app.models:Base"],
    )
    migrations: Word = Field("", description="Alembic's script folder, relative to the service's `path`.")
    seed: Word = Field("", description="A command that fills a fresh database.", examples=["python seed.py"])
    hold: Annotated[str, one_of("none", "schema")] = Field(
        "none", description="`schema`: dependents wait while the schema is behind its models."
    )

    @model_validator(mode="after")
    def _fits(self) -> Database:
        if self.models and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", self.models):
            raise wrong(f"models: “{self.models}” is no MODULE:NAME", "write app.models:Base")
        if self.hold == "schema" and not self.models:
            raise wrong("hold: schema needs models to compare with", "add models: MODULE:NAME")
        return self


class RequiredEnvironment(Group):
    """What must be so of the environment."""

    required: Variables = Field((), description="Variables that must be set.", examples=[["SECRET_KEY"]])
    not_: dict[str, Words] = Field(
        {},
        alias="not",
        description="Values that may not go to production, by variable.",
        examples=[{"SECRET_KEY": ["dev", "changeme"]}],
    )


class LoginRequest(Group):
    """An HTTP request."""

    method: Annotated[str, one_of("GET", "POST", "PUT", "PATCH")] = Field("POST", description="The request's method.")
    url: Word = Field(description="Its URL; a path alone is relative to the service's URL.", examples=["/auth/login"])
    headers: dict[str, Word] = Field({}, description="Headers beside the usual ones.")
    json_: Free = Field(
        None, alias="json", description="The JSON body.", examples=[{"username": "admin", "password": "${ADMIN_PASSWORD}"}]
    )
    form: dict[str, Word] = Field({}, description="The fields of a form, instead of `json`.")


class Login(Group):
    """A login that must work."""

    request: LoginRequest = Field(description="The request that logs in.")
    status: Statuses = Field(((200, 299),), description="The statuses that count as logged in.", examples=[200])


def _check(value: Any) -> Any:
    return {"command": value} if isinstance(value, str) else value


class Check(Group):
    """A command that must end with 0."""

    command: Command = Field(description="What is run, in the service's folder.", examples=["ruff check"])
    name: Word = Field("", description="What the check is called; the command when left out.")
    level: Annotated[str, one_of("required", "warning")] = Field(
        "required", description="Whether a failure stops the deployment or is only shown."
    )


class Predeploy(Group):
    """More checks before production, beside those every service gets. `${VAR}` is filled in when they run."""

    environment: RequiredEnvironment | None = Field(None, description="What must be so of the environment.")
    login: Login | None = Field(None, description="A login that must work.")
    commands: list[Annotated[Check, Short(_check, (TEXT,))]] = Field([], description="Commands that must end with 0.")


class Service(Process):
    """One service. Exactly one of `compose`, `command`, `external` and `library` says who runs it."""

    description: Word = Field("", description="What it is, in a few words; shown by `status` and `why`.")
    compose: Word = Field("", description="Runtime 1: this service of the central Compose file.", examples=["postgres"])
    command: Command = Field(
        "",
        description="Runtime 2: a process. A string is run by the shell, a list is not.",
        examples=["npm run dev", ["npm", "run", "dev"]],
    )
    external: Flag = Field(False, description="Runtime 3: somebody else runs it; it is only probed.")
    library: Flag = Field(False, description="Runtime 4: it runs nothing, but takes part in relations and mirrors.")
    native: Native | None = Field(None, description="Beside `compose`: how it runs without a container.")
    ports: Ports = Field(
        (), description="The ports of this machine it listens on.", examples=[[8000], {"http": 8000, "debug": 9229}]
    )
    health: HealthCheck | None = Field(None, description="When it counts as healthy: an address, or the long form.")
    depends_on: Dependencies = Field(
        {},
        description="What must be so before it starts: the start order, never a cycle. "
        "A list means `condition: service_healthy`.",
        examples=[["postgres"], {"postgres": {"condition": "service_healthy", "because": "users live there"}}],
    )
    restart: RestartPolicy = Field(
        Restart.model_construct(), description="What happens when it ends by itself: a word, or the long form."
    )
    on_unhealthy: Annotated[str, one_of("restart", "report")] = Field(
        "",
        description="What happens when it lives and no longer answers. Default: `restart` for processes, "
        "`report` for containers.",
    )
    profiles: Names = Field(
        (), description="It is started only when one of these is asked for. No profiles: always.", examples=[["ui"]]
    )
    database: Database | None = Field(None, description="Its database.")
    predeploy: Predeploy | None = Field(None, description="More checks of its own before production.")


class Compose(Group):
    """The central Compose stack."""

    file: Words = Field(
        description="The Compose file, relative to services.yaml; several are merged as `docker compose -f A -f B`.",
        examples=["compose/controlcore-local-dev.yml"],
    )
    project: ProjectName = Field("", description="The Compose project's name; the workspace's `name` when left out.")
    env_file: Word = Field("", description="The file of variables Compose reads (`--env-file`).", examples=[".env"])


def _remotes(value: Any) -> Any:
    value = [value] if isinstance(value, str) else value
    return {name: None for name in value if isinstance(name, str)} if isinstance(value, list) else value


class Sync(Group):
    """The end-of-day work in a repository."""

    branches: GitNames = Field((), description="The branches that are pushed.", examples=[["dev", "master"]])
    promote: dict[str, GitName] = Field(
        {},
        description="Branches that are brought forward to another, fast-forward only.",
        examples=[{"master": "dev"}],
    )
    remotes: Annotated[dict[str, GitAddress], Short(_remotes, (LIST_OF_TEXT,))] = Field(
        {}, description="The remotes pushed to: a name alone, or `name: URL`, set up when missing."
    )
    commit: Annotated[str, one_of("ask", "always", "never")] = Field(
        "ask", description="Whether uncommitted work is committed."
    )
    max_file_size: Size = Field(
        10_000_000, description="A larger new file is not committed; the sync says so.", examples=["10MB"]
    )
    timeout: Span = Field(20.0, description="How long one remote may take.")


class Git(Group):
    """A repository of the workspace."""

    path: Word = Field("", description="Its root, relative to services.yaml; the folder of services.yaml when left out.")
    branch: GitName = Field("", description="The day's branch.", examples=["dev"])
    pull: Annotated[str, one_of("ff-only", "never")] = Field("ff-only", description="How the day begins.")
    sync: Sync | None = Field(None, description="The end-of-day work.")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Mirror(Group):
    """A folder carried over one way."""

    source: Word = Field(alias="from", description="A service or library, or a folder (with a / in it).")
    target: Word = Field(alias="to", description="A service or library, or a folder (with a / in it).")
    include: Globs = Field(("**",), description="What is carried over.")
    exclude: Globs = Field((".git", "node_modules"), description="What isn't.")


class Clean(Group):
    """What `devctl clean` may tidy. Nothing else is ever removed."""

    artefacts: Globs = Field((), description="Patterns of files and folders.", examples=[["**/.next", "**/dist"]])
    caches: Annotated[tuple[str, ...], some_of("npm", "pnpm", "yarn", "pip", "uv")] = Field(
        (), description="Caches of tools."
    )
    docker: Annotated[tuple[str, ...], some_of("containers", "images", "build-cache", "networks", "volumes")] = Field(
        (), description="What of this workspace's Docker project. Volumes go only when they are named here."
    )
    on_down: Annotated[tuple[str, ...], some_of("artefacts", "caches", "docker")] = Field(
        (), description="Which of these `devctl down` does by itself."
    )


class File(Group):
    """services.yaml: everything that belongs to a workspace, and how it starts, stops and stays in step."""

    name: ProjectName = Field(description="The workspace's name.", examples=["controlcore"])
    compose: Compose | None = Field(None, description="The central Compose stack.")
    services: dict[str, Service] = Field(description="The services, libraries and outside services, by name.")
    relations: list[RelationChain] = Field(
        [],
        description="“When you change one, think of the other”: impact, never start order. Cycles are normal.",
        examples=[["cc-pap <-> cc-pap-api <-> cc-pap-core", "cc-pap-core -> cc-pap-pro-tenant"]],
    )
    git: Annotated[list[Git], Short(_listed, (ITEM,))] = Field(
        [], description="A repository of the workspace, or a list of them."
    )
    mirrors: list[Mirror] = Field([], description="Folders carried over one way.")
    clean: Clean = Field(Clean.model_construct(), description="What `devctl clean` may tidy.")
