"""What a stack's resolved configuration depends on: files and variables, each as a digest.

A call of Compose costs 0.2 s: it is asked again only when one of them changed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from devctl.core.model import ComposeStack, Value

_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")
_PASSED_ON = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*$", re.MULTILINE)
_BRACED = re.compile(r"\$\{(\w+)(?::?-([^{}]*))?\}|\$(\w+)")
_ALWAYS = ("HOME", "DOCKER_DEFAULT_PLATFORM", "COMPOSE_ENV_FILES", "COMPOSE_DISABLE_ENV_FILE", "COMPOSE_COMPATIBILITY")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Inputs(Value):
    """Path → digest of its content ("" when there is no such file), variable → digest of its value ("" when unset)."""

    files: dict[str, str] = {}
    variables: dict[str, str] = {}

    def current(self, environment: Mapping[str, str]) -> bool:
        """Whether nothing of it has changed."""
        same = all(digest_of_file(path) == digest for path, digest in self.files.items())
        return same and all(_digest_of_value(environment, name) == value for name, value in self.variables.items())


def inputs_of(stack: ComposeStack, environment: Mapping[str, str]) -> Inputs | None:
    """Everything the stack's configuration depends on; None when that can't be told (a remote ``include``, say)."""
    reader = _Reader(stack, environment)
    reader.read()
    if not reader.complete:
        return None
    variables = {name: _digest_of_value(environment, name) for name in sorted(reader.variables)}
    return Inputs({path: digest_of_file(path) for path in sorted(reader.files)}, variables)


def env_file(stack: ComposeStack) -> str:
    """The file Compose reads variables from: the stack's own, else ``.env`` beside the first file."""
    return stack.env_file or str(Path(stack.files[0]).parent / ".env")


def digest_of_file(path: str) -> str:
    """SHA-256 of a file's content, "" when it can't be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def _digest_of_value(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    return "" if value is None else hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()


class _Reader:
    def __init__(self, stack: ComposeStack, environment: Mapping[str, str]) -> None:
        self.files: set[str] = set()
        self.variables: set[str] = set(_ALWAYS)
        self.complete = True
        self._stack = stack
        self._values = dict(environment)
        self._project = Path(stack.files[0]).parent

    def read(self) -> None:
        for path in {env_file(self._stack), str(self._project / ".env")}:
            self._env_file(path)
        for path in self._stack.files:
            self._compose_file(path)

    def _env_file(self, path: str) -> None:
        text = self._text(path)
        self.variables |= set(_PASSED_ON.findall(text))
        for name, value in re.findall(r"^\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE):
            self._values.setdefault(name, value.strip("'\""))

    def _text(self, path: str) -> str:
        if path in self.files:
            return ""
        self.files.add(path)
        try:
            text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            return ""
        self.variables |= set(_VARIABLE.findall(text))
        return text

    def _compose_file(self, path: str) -> None:
        text = self._text(path)
        if not text:
            return
        try:
            tree = _plain(yaml.compose(text, Loader=_LOADER))
        except yaml.YAMLError:
            self.complete = False
            return
        if isinstance(tree, dict):
            self._includes(Path(path).parent, tree.get("include"))
            for service in _values(tree.get("services")):
                self._service(Path(path).parent, service)

    def _includes(self, folder: Path, entries: Any) -> None:
        for entry in entries if isinstance(entries, list) else []:
            given = entry if isinstance(entry, dict) else {"path": entry}
            for path in _listed(given.get("path")):
                for found in self._places(folder, path):
                    self._env_file(str(Path(found).parent / ".env"))
                    self._compose_file(found)
            for path in _listed(given.get("env_file")):
                for found in self._places(folder, path):
                    self._env_file(found)

    def _service(self, folder: Path, service: Any) -> None:
        if not isinstance(service, dict):
            return
        extends = service.get("extends")
        if isinstance(extends, dict) and extends.get("file"):
            for found in self._places(folder, str(extends["file"])):
                self._compose_file(found)
        for entry in [*_listed(service.get("env_file")), *_listed(service.get("label_file"))]:
            path = entry.get("path") if isinstance(entry, dict) else entry
            for found in self._places(folder, str(path)):
                self._env_file(found)
        build = service.get("build")
        self._passed_on(service.get("environment"))
        self._passed_on(build.get("args") if isinstance(build, dict) else None)

    def _passed_on(self, entries: Any) -> None:
        """Variables named without a value are handed through from the environment."""
        if isinstance(entries, dict):
            self.variables |= {str(name) for name, value in entries.items() if value in {None, ""}}
        elif isinstance(entries, list):
            self.variables |= {str(entry) for entry in entries if "=" not in str(entry)}

    def _places(self, folder: Path, path: str) -> Iterator[str]:
        """Compose takes relative paths from the project's folder or the file's own, depending on where they stand."""
        filled = _BRACED.sub(lambda found: self._values.get(found[1] or found[3]) or found[2] or "", path)
        if "$" in filled or "://" in filled or filled.startswith(("oci:", "git@")):
            self.complete = False
            return
        for base in dict.fromkeys((folder, self._project)):
            yield os.path.normpath(base / Path(filled).expanduser())


def _plain(node: Any) -> Any:
    """A YAML tree as plain values, whatever its tags (``!reset``, ``!override``) and merge keys."""
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key, value in node.value:
            name, plain = _plain(key), _plain(value)
            merged = plain if isinstance(plain, list) else [plain]
            if name == "<<":
                found = {k: v for part in reversed(merged) if isinstance(part, dict) for k, v in part.items()} | found
            else:
                found[name] = plain
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return None if node is None or node.tag == "tag:yaml.org,2002:null" else node.value


def _values(mapping: Any) -> Iterable[Any]:
    return mapping.values() if isinstance(mapping, dict) else ()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
