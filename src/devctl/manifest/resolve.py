"""The document with every ``${…}`` filled in, except where a secret may stand: there the variables stay templates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devctl.errors import DevctlError
from devctl.manifest.diagnostics import KeyPath, did_you_mean
from devctl.manifest.interpolate import Reference, Result, TemplateError, interpolate, settle, variables
from devctl.manifest.nodes import Text, text_of
from devctl.manifest.source import Document

SHELL_KEYS = frozenset({"command", "commands", "exec", "seed", "setup"})


def is_template(path: KeyPath) -> bool:
    """Whether the value stays a template: environment values, the database's address, predeploy checks."""
    if len(path) < 4 or path[0] != "services":
        return False
    return path[2] in {"environment", "predeploy"} or path[2:4] in {("native", "environment"), ("database", "url")}


class Resolution:
    """``tree`` is the filled-in document, ``failed`` the paths that couldn't be, ``variables`` all names referred to.

    ``root`` is the folder that the services' env_files are relative to.
    """

    def __init__(self, document: Document, environment: Mapping[str, str], root: Path) -> None:
        self._document, self._environment, self._root = document, environment, root
        self._files: dict[KeyPath, Mapping[str, str]] = {}
        self._open: list[str] = []
        self._names: set[str] = set()
        self.failed: set[KeyPath] = set()
        self.tree = self._walk(document.value, ())
        self.variables = tuple(sorted(self._names))

    def _walk(self, value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {key: self._walk(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self._walk(each, (*path, index)) for index, each in enumerate(value)]
        if not isinstance(value, Text) or "$" not in value or str(*path[:1]).startswith("x-"):
            return value
        return self._filled(value, path)

    def _filled(self, value: Text, path: KeyPath) -> Text:
        names = variables(value)
        self._names.update(names)
        in_command = not SHELL_KEYS.isdisjoint(path[2:])
        result = interpolate(value, self._sources(path, names), self._service_value, in_command=in_command)
        for problem in result.problems:
            self.failed.add(path)
            self._document.add(path, problem.message, problem.hint)
        if result.problems:
            return value
        return text_of(settle(value, self._service_value) if is_template(path) else result.value, plain=False)

    def _sources(self, path: KeyPath, names: tuple[str, ...]) -> Mapping[str, str]:
        """A process's environment is filled in from its env_files too, as it will be at its start."""
        if path[2:3] == ("predeploy",):
            # Its variables are those of the environment that is deployed to; one that is missing is told by the check.
            return {**dict.fromkeys(names, "?"), **self._environment}
        if not is_template(path) or "environment" not in path:
            return self._environment
        owner = path[: path.index("environment")]
        if owner not in self._files:
            self._files[owner] = self._env_files(owner)
        return {**self._files[owner], **self._environment}

    def _env_files(self, owner: KeyPath) -> dict[str, str]:
        found: dict[str, str] = {}
        path = (*owner, "env_file")
        for said in self._listed(path):
            from devctl.manifest import envfile

            file = self._root / self._plain(said)
            try:
                found |= envfile.read(file, self._environment) if file.is_file() else {}
            except DevctlError as error:
                self._document.add(path, str(error), error.hint)
        return found

    def _listed(self, path: KeyPath) -> list[Any]:
        value = self._document.value
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value if isinstance(value, list) else [value] if value else []

    def _service_value(self, reference: Reference) -> str:
        root = self._document.value
        services = root.get("services") if isinstance(root, dict) else None
        name = reference.service
        if not isinstance(services, dict) or not isinstance(services.get(name), dict):
            known = services if isinstance(services, dict) else ()
            raise TemplateError(f"no service is called {name}", did_you_mean(name, known))
        if name in self._open:
            raise TemplateError(f"the value refers to itself: {' -> '.join([*self._open, name])}")
        self._open.append(name)
        try:
            return self._looked_up(reference, services[name])
        finally:
            self._open.pop()

    def _looked_up(self, reference: Reference, service: dict[str, Any]) -> str:
        if reference.value == "port":
            return self._port(reference, service.get("ports"))
        origin = self._origin(service.get("health"))
        if reference.value == "host":
            return origin.hostname or "localhost"
        if origin.scheme not in {"http", "https"} or not origin.hostname:
            hint = "only a service with an http health check has one; use .host and .port"
            raise TemplateError(f"{reference.service} has no URL", hint)
        return f"{origin.scheme}://{origin.netloc.rpartition('@')[2]}"

    def _origin(self, health: Any) -> Any:
        address = health
        if isinstance(health, dict):
            address = health.get("http") or health.get("tcp")
        said = self._plain(address)
        try:
            return urlsplit(said if "://" in said else f"tcp://{said}")
        except ValueError:
            return urlsplit("")

    def _port(self, reference: Reference, ports: Any) -> str:
        if isinstance(ports, dict) and (reference.port in ports or not reference.port):
            ports = ports[reference.port] if reference.port else next(iter(ports.values()), None)
        elif reference.port:
            known = ports if isinstance(ports, dict) else ()
            hint = did_you_mean(reference.port, known) or "name it: ports: {NAME: NUMBER}"
            raise TemplateError(f"{reference.service} has no port called {reference.port}", hint)
        number = self._plain(ports[0] if isinstance(ports, list) and ports else ports)
        if not number:
            raise TemplateError(f"{reference.service} has no port", f"give {reference.service} its ports:")
        return number

    def _plain(self, value: Any) -> str:
        """What a value of the other service comes to; "" when there is none (its own place tells its mistakes)."""
        if not isinstance(value, Text):
            return ""
        result: Result = interpolate(value, self._environment, self._service_value)
        for problem in result.problems:
            if "refers to itself" in problem.message:
                raise problem
        return "" if result.problems else result.value
