"""From the grammar's values to the manifest everything else works with: absolute paths, defaults decided."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from os.path import normpath
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devctl.core import model
from devctl.core.model import OnUnhealthy, Runtime
from devctl.manifest import grammar, release, upkeep
from devctl.manifest.checks import runtime_of
from devctl.manifest.group import Group


class Builder:
    """Builds for a manifest file in ``root``; ``home`` is what ``~/`` stands for."""

    def __init__(self, file: Path, home: str, variables: tuple[str, ...]) -> None:
        self._file, self._root, self._home, self._variables = file, file.parent, home, variables

    def manifest(self, file: grammar.File) -> model.Manifest:
        """The manifest of a file without mistakes."""
        completed = {name for each in file.services.values() for name in _completed(each)}
        services = {name: self.service(name, each, name in completed) for name, each in file.services.items()}
        return model.Manifest(
            name=file.name,
            file=str(self._file),
            root=str(self._root),
            services=services,
            compose=self.compose(file.compose, file.name),
            relations=tuple(dict.fromkeys(each for chain in file.relations for each in chain)),
            git=tuple(self.repository(each) for each in file.git),
            mirrors=tuple(self.mirror(each, services) for each in file.mirrors),
            clean=model.Clean(**file.clean.given()),
            variables=self._variables,
        )

    def path(self, said: str, base: Path | None = None) -> str:
        """An absolute path: relative ones start at ``base``, or where services.yaml is."""
        if said == "~" or (said.startswith("~/") and self._home):
            said = self._home + said[1:]
        return normpath((base or self._root) / said)

    def service(self, name: str, said: grammar.Service, completed: bool) -> model.Service:
        """One service with the runtime the file gives it; the choice between native and container comes later."""
        runtime = runtime_of(said)
        native = self.process(said.native, said.native.path or said.path) if said.native else None
        process = self.process(said, said.path) if runtime is Runtime.PROCESS else None
        folder = process.path if process else self._folder(said)
        return model.Service(
            name=name,
            runtime=runtime,
            description=said.description,
            compose=said.compose,
            process=process,
            native=native,
            path=folder,
            ports=tuple(model.Port(number, label) for number, label in said.ports),
            url=_url(said.health),
            health=_health(said.health),
            depends_on=tuple(
                model.Dependency(target, model.Condition(each.condition), each.because)
                for target, each in said.depends_on.items()
            ),
            restart=_restart(said, runtime),
            on_unhealthy=_on_unhealthy(said, runtime),
            native_on_unhealthy=OnUnhealthy(said.on_unhealthy or "restart"),
            oneshot=completed or (_runs(runtime) and _ends_by_itself(said)),
            profiles=said.profiles,
            database=self._database(said.database, folder),
            predeploy=_predeploy(said.predeploy) if said.predeploy else None,
        )

    def _folder(self, said: grammar.Service) -> str:
        path = said.path or (said.native.path if said.native else "")
        return self.path(path) if path else str(self._root) if said.native else ""

    def process(self, said: grammar.Native | grammar.Service, path: str) -> model.ProcessSpec:
        """How it runs as a process in ``path``."""
        folder = self.path(path)
        return model.ProcessSpec(
            command=said.command,
            path=folder,
            environment={name: value for name, value in said.environment.items() if value is not None},
            env_file=tuple(self.path(each) for each in said.env_file),
            setup=tuple(self._step(each, Path(folder)) for each in said.setup),
            stop_signal=said.stop_signal,
            stop_grace_period=said.stop_grace_period,
        )

    def _step(self, said: grammar.SetupStep, folder: Path) -> model.SetupStep:
        name = said.name or (said.command if isinstance(said.command, str) else " ".join(said.command))
        return model.SetupStep(said.command, self.path(said.path, folder), said.inputs, said.outputs, name)

    def _database(self, said: release.Database | None, folder: str) -> model.Database | None:
        if not said:
            return None
        base = Path(folder) if folder else None
        migrations = self.path(said.migrations, base) if said.migrations else ""
        return model.Database(said.url, said.models, migrations, said.seed, said.hold)

    def compose(self, said: upkeep.Compose | None, name: str) -> model.ComposeStack | None:
        """The central stack."""
        if not said:
            return None
        files = tuple(self.path(each) for each in said.file)
        return model.ComposeStack(files, said.project or name, self.path(said.env_file) if said.env_file else "")

    def repository(self, said: upkeep.Git) -> model.GitRepository:
        """A repository and its end-of-day work."""
        sync = said.sync or upkeep.Sync()
        return model.GitRepository(
            path=self.path(said.path),
            branch=said.branch,
            pull=said.pull,
            sync_branches=sync.branches,
            promote=sync.promote,
            remotes=sync.remotes,
            commit=sync.commit,
            max_file_size=sync.max_file_size,
            timeout=sync.timeout,
        )

    def mirror(self, said: upkeep.Mirror, services: Mapping[str, model.Service]) -> model.Mirror:
        """A folder carried over, its ends as folders."""
        source, target = (
            services[end].path if end in services else self.path(end) for end in (said.source, said.target)
        )
        return model.Mirror(source, target, said.include, said.exclude, (said.source, said.target))


def _completed(service: grammar.Service) -> list[str]:
    return [name for name, each in service.depends_on.items() if each.condition == model.Condition.COMPLETED]


def _ends_by_itself(said: grammar.Service) -> bool:
    return said.restart.policy == "no" and not said.health and not said.ports


def _runs(runtime: Runtime) -> bool:
    return runtime in {Runtime.PROCESS, Runtime.CONTAINER}


def _url(health: grammar.Health | None) -> str:
    if not health or not health.http:
        return ""
    parts = urlsplit(health.http)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"


def _health(said: grammar.Health | None) -> model.HealthCheck | None:
    if not said:
        return None
    return model.HealthCheck(_probe(said), said.period, said.timeout, said.start_period, said.failure_threshold)


def _probe(said: grammar.Health) -> model.Probe:
    if said.http:
        return model.HttpProbe(said.http, said.status)
    if said.tcp:
        return model.TcpProbe(*said.tcp)
    return model.ExecProbe(said.exec) if said.exec else model.LogProbe(said.log)


def _restart(said: grammar.Service, runtime: Runtime) -> model.RestartPolicy:
    if not _runs(runtime):
        return model.RestartPolicy(model.RestartWhen.NO)
    how = said.restart
    longest = max(how.max_delay, how.initial_delay)
    return model.RestartPolicy(model.RestartWhen(how.policy), how.max_retries, how.initial_delay, longest)


def _on_unhealthy(said: grammar.Service, runtime: Runtime) -> OnUnhealthy:
    default = OnUnhealthy.RESTART if runtime is Runtime.PROCESS else OnUnhealthy.REPORT
    return OnUnhealthy(said.on_unhealthy) if said.on_unhealthy else default


def _predeploy(said: release.Predeploy) -> dict[str, Any]:
    """The keys that were given, every shorthand in its long form, texts still templates (``interpolate.fill_all``):
    ``environment: {required: [NAME], not: {NAME: [VALUE]}}``, ``login: {request: {method, url, headers, json, form},
    status: [[low, high]]}``, ``commands: [{command, name, level}]``."""
    found: dict[str, Any] = _said(said)
    for check in found.get("commands", ()):
        command = check["command"]
        check.setdefault("name", command if isinstance(command, str) else " ".join(command))
        check.setdefault("level", "required")
    if login := found.get("login"):
        login["request"].setdefault("method", "POST")
        login.setdefault("status", [[200, 299]])
    return found


def _said(value: Any) -> Any:
    """As JSON has it: groups with the keys that were given, lists, and no number that is beyond all measure."""
    if isinstance(value, Group):
        return {key: _said(each) for key, each in value.given().items()}
    if isinstance(value, dict):
        return {key: _said(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_said(each) for each in value]
    return None if value in {inf, -inf} else value
