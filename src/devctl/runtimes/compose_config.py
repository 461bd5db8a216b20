"""A stack as Compose resolves it, remembered in ``.devctl/compose.json`` for as long as nothing it depends on changes.

What is remembered holds no value of any variable: only digests.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from devctl.core.model import ComposeStack, Value
from devctl.errors import DevctlError
from devctl.runtimes.compose_cli import ComposeCli
from devctl.runtimes.compose_inputs import Inputs, inputs_of
from devctl.workspace import write_atomic


class Build(Value):
    """How a service's image is built. ``settings`` are digests of its arguments, target and so on; ``contexts`` are the
    additional ones that are folders."""

    context: str
    dockerfile: str
    settings: dict[str, str] = {}
    contexts: dict[str, str] = {}


class ComposeService(Value):
    """A service of the compose file. ``hash`` is what a current container carries as its config-hash label.

    ``scaled``: the file asks for several containers, of which devctl runs one. ``binds`` are files and folders of this
    machine that are mounted into it.
    """

    hash: str
    image: str
    build: Build | None = None
    ports: tuple[int, ...] = ()
    scaled: bool = False
    network_mode: str = ""
    binds: tuple[str, ...] = ()


class StackConfig(Value):
    """The whole stack. ``volumes`` maps the compose file's names to the engine's."""

    services: dict[str, ComposeService] = {}
    volumes: dict[str, str] = {}


class _Remembered(Value):
    stack: ComposeStack
    inputs: Inputs
    config: StackConfig


class ConfigCache:
    """Answers from the file while it is current, asks Compose else."""

    def __init__(self, folder: Path, stack: ComposeStack) -> None:
        self._file, self._stack = folder / "compose.json", stack

    def remembered(self, environment: Mapping[str, str]) -> StackConfig | None:
        """The configuration, when nothing it depends on has changed since Compose was asked."""
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=_Remembered)
        except (OSError, msgspec.DecodeError):
            return None
        return found.config if found.stack == self._stack and found.inputs.current(environment) else None

    async def ask(self, cli: ComposeCli, environment: Mapping[str, str]) -> StackConfig:
        """The configuration from Compose itself. Raises DevctlError with Compose's words."""
        inputs = inputs_of(self._stack, environment)
        config = parse(*await cli.config(), self._stack.project)
        if inputs is not None:
            self._write(_Remembered(self._stack, inputs, config))
        return config

    def _write(self, remembered: _Remembered) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._file, msgspec.json.encode(remembered))


def binds_of(folder: Path) -> dict[str, tuple[str, ...]]:
    """Compose service → what of this machine is mounted into it, as Compose was last told; {} when it never was."""
    try:
        found = msgspec.json.decode((folder / "compose.json").read_bytes(), type=_Remembered)
    except (OSError, msgspec.DecodeError):
        return {}
    return {name: service.binds for name, service in found.config.services.items()}


def parse(config: str, hashes: str, project: str) -> StackConfig:
    """What `config --format json` and `config --hash '*'` say."""
    tree = _tree(config)
    labels = dict(re.findall(r"^(\S+) ([0-9a-f]{64})$", hashes, re.MULTILINE))
    services = {
        name: _service(project, name, entry, labels.get(name, ""))
        for name, entry in (tree.get("services") or {}).items()
    }
    volumes = {key: str((volume or {}).get("name") or f"{project}_{key}") for key, volume in _own(tree.get("volumes"))}
    return StackConfig(services, volumes)


def _tree(config: str) -> dict[str, Any]:
    """The JSON that follows Compose's warnings."""
    begin = re.search(r"^\{", config, re.MULTILINE)
    try:
        found, _ = json.JSONDecoder().raw_decode(config, begin.start() if begin else 0)
    except ValueError as error:
        why = config[:200]
        raise DevctlError("Docker Compose gave no configuration", why=why, hint="docker compose version") from error
    return dict(found)


def _own(volumes: Any) -> list[tuple[str, Any]]:
    return [(key, volume) for key, volume in (volumes or {}).items() if not (volume or {}).get("external")]


def _service(project: str, name: str, entry: Mapping[str, Any], label: str) -> ComposeService:
    build = entry.get("build")
    return ComposeService(
        hash=label,
        image=entry.get("image") or f"{project}-{name}",
        build=_build(build) if build else None,
        ports=tuple(int(port["published"]) for port in entry.get("ports") or () if _single(port)),
        network_mode=str(entry.get("network_mode") or ""),
        binds=tuple(str(each["source"]) for each in entry.get("volumes") or () if each.get("type") == "bind"),
        scaled=(entry.get("scale") or (entry.get("deploy") or {}).get("replicas") or 1) != 1,
    )


def _single(port: Mapping[str, Any]) -> bool:
    return str(port.get("published", "")).isdigit() and port.get("protocol", "tcp") == "tcp"


def _build(entry: Mapping[str, Any]) -> Build:
    context = str(entry.get("context") or ".")
    local = "://" not in context and not context.startswith("git@")
    dockerfile = Path(entry.get("dockerfile") or "Dockerfile")
    others = {name: str(at) for name, at in (entry.get("additional_contexts") or {}).items() if str(at).startswith("/")}
    settings = {f"build argument {name}": _digest(value) for name, value in (entry.get("args") or {}).items()}
    rest = {key: value for key, value in entry.items() if key not in {"args", "context", "dockerfile"}}
    settings |= {f"build setting {key}": _digest(value) for key, value in rest.items()}
    return Build(
        context=context if local else "",
        dockerfile="" if entry.get("dockerfile_inline") or not local else str(Path(context) / dockerfile),
        settings=settings | {"build context": _digest(context), "build dockerfile": _digest(str(dockerfile))},
        contexts=others,
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
