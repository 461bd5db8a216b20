"""What ``devctl check`` looks at, finding by finding. Starts nothing but ``docker compose config``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from devctl.cli.engine import ask_engine
from devctl.cli.place import Place
from devctl.command import output, which
from devctl.core.model import ComposeStack, Manifest, ProcessSpec, Runtime, Service, SetupStep
from devctl.errors import DevctlError
from devctl.ui.checklist import Finding, Level
from devctl.ui.words import count, listing

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")
SHELL = frozenset({
    "cd", "exec", "if", "for", "while", "until", "case", "export", "set", "unset", "source", "eval", "test", "true",
    "false", "echo", "printf", "umask", "ulimit", "trap", ":", ".", "[",
})  # fmt: skip
"""Words of the shell itself, before which no program can be looked for."""


def inspect(place: Place) -> list[Finding]:
    """All findings. Raises DevctlError for a manifest with mistakes, which names them all."""
    manifest = place.manifest
    return [
        _overview(manifest),
        *_stack(manifest),
        *_engine(place, manifest),
        *(finding for service in manifest.services.values() for finding in _service(manifest, service)),
        *_repositories(manifest),
        *_mirrors(manifest),
    ]


def _overview(manifest: Manifest) -> Finding:
    ports = sum(len(service.ports) for service in manifest.services.values())
    counted = (
        count(len(manifest.services), "service"),
        count(ports, "port"),
        count(len(manifest.relations), "relation"),
    )
    return Finding(Level.GOOD, Path(manifest.file).name, ", ".join(counted))


def _stack(manifest: Manifest) -> Iterator[Finding]:
    stack = manifest.compose
    if stack is None:
        return
    missing = [path for path in stack.files if not Path(path).is_file()]
    for path in missing:
        yield Finding(Level.WRONG, "compose", f"there is no {_shown(manifest, path)}", "correct compose.file")
    if missing:
        return
    wanted = {service.compose: name for name, service in manifest.services.items() if service.compose}
    try:
        known = _compose_services(stack)
    except DevctlError as error:
        yield Finding(
            Level.WRONG, "compose", error.why or error.what, error.details[-1] if error.details else error.hint
        )
        return
    unknown = [name for name in wanted if name not in known]
    for name in unknown:
        text = f"the compose file has no service {name!r}"
        yield Finding(Level.WRONG, wanted[name], text, f"it has {listing(sorted(known), 12)}")
    if not unknown:
        yield Finding(Level.GOOD, "compose", f"all {count(len(wanted), 'service')} are in the compose file")


def _compose_services(stack: ComposeStack) -> frozenset[str]:
    """The names of the stack's services: asked of Compose, or, where it isn't installed, read from the files."""
    if which("docker"):
        options = [option for path in stack.files for option in ("--file", path)]
        argv = ["docker", "compose", *options, "--profile", "*", "config", "--services", "--no-interpolate"]
        return frozenset(output(argv, cwd=Path(stack.files[0]).parent).out.split())
    from devctl.manifest import source

    found: set[str] = set()
    for path in stack.files:
        value = source.parse(source.read(Path(path), path), path).value
        services = value.get("services") if isinstance(value, dict) else None
        found |= set(services) if isinstance(services, dict) else set()
    return frozenset(found)


def _engine(place: Place, manifest: Manifest) -> Iterator[Finding]:
    composed = [service for service in manifest.services.values() if service.compose]
    if not composed:
        return
    asked = ask_engine(place.environment)
    if not asked.problem and asked.endpoint:
        yield Finding(Level.GOOD, "docker", f"an engine answers at {asked.endpoint.host}")
        return
    stuck = [service.name for service in composed if service.native is None]
    if stuck:
        yield Finding(
            Level.WRONG, "docker", f"{asked.problem}, and {listing(stuck, 6)} cannot run without", "start Docker"
        )
    else:
        text = f"{asked.problem}; {count(len(composed), 'service')} would run without a container"
        yield Finding(Level.NOTE, "docker", text)


def _service(manifest: Manifest, service: Service) -> Iterator[Finding]:
    """A process must be able to run; an alternative that isn't needed today is only worth a note."""
    spec = service.process or service.native
    if spec is None:
        if service.path and not Path(service.path).is_dir():
            yield _no_folder(manifest, service.name, service.path, Level.NOTE)
        return
    level = Level.WRONG if service.runtime is Runtime.PROCESS else Level.NOTE
    faults = list(_process(manifest, service.name, spec, level))
    yield from faults
    if not faults:
        yield Finding(Level.GOOD, service.name, _shown(manifest, spec.path))


def _process(manifest: Manifest, name: str, spec: ProcessSpec, level: Level) -> Iterator[Finding]:
    if not Path(spec.path).is_dir():
        yield _no_folder(manifest, name, spec.path, level)
        return
    made = {output_ for step in spec.setup for output_ in step.outputs}
    commands: list[tuple[str, str | Sequence[str]]] = [(spec.path, spec.command)]
    commands += [(step.path, step.command) for step in spec.setup]
    for folder, command in commands:
        program = program_of(command)
        if program and not _found(program, folder, made):
            yield Finding(level, name, f"{program} is not installed", f"install {program}, or look at PATH")
    for step in spec.setup:
        yield from _inputs(manifest, name, step, level)
    for path in spec.env_file:
        if not Path(path).is_file():
            yield Finding(level, name, f"there is no {_shown(manifest, path)}", "create it, or correct env_file")


def _no_folder(manifest: Manifest, name: str, path: str, level: Level) -> Finding:
    return Finding(level, name, f"there is no folder {_shown(manifest, path)}", "get the sources, or correct path")


def _inputs(manifest: Manifest, name: str, step: SetupStep, level: Level) -> Iterator[Finding]:
    for pattern in step.inputs:
        plain = not any(character in pattern for character in "*?[")
        if plain and not (Path(step.path) / pattern).exists():
            where = _shown(manifest, str(Path(step.path) / pattern))
            yield Finding(level, name, f"its setup needs {where}, which is not there", "correct setup.inputs")


def program_of(command: str | Sequence[str]) -> str:
    """The program a command begins with; "" where only a shell could tell."""
    try:
        words = shlex.split(command, comments=True) if isinstance(command, str) else list(command)
    except ValueError:
        return ""
    while words and (words[0] == "exec" or ASSIGNMENT.fullmatch(words[0])):
        words.pop(0)
    first = words[0] if words else ""
    return "" if first in SHELL or any(character in first for character in "$`(){};&|<>*") else first


def _found(program: str, folder: str, made: set[str]) -> bool:
    """Whether it is there, or setup steps will put it there."""
    if "/" not in program:
        return which(program) is not None
    first = program.removeprefix("./").split("/")[0]
    return (Path(folder) / program).exists() or any(path.split("/")[0] == first for path in made)


def _repositories(manifest: Manifest) -> Iterator[Finding]:
    for repository in manifest.git:
        where = _shown(manifest, repository.path)
        if not which("git"):
            yield Finding(Level.WRONG, "git", "git is not installed", "install git")
            return
        if (Path(repository.path) / ".git").exists():
            yield Finding(Level.GOOD, "git", f"{where} is a repository")
        else:
            yield Finding(Level.NOTE, "git", f"{where} is not the root of a repository: sync skips it")


def _mirrors(manifest: Manifest) -> Iterator[Finding]:
    """A target is made where the folder above it is there."""
    for mirror in manifest.mirrors:
        missing = [] if Path(mirror.source).is_dir() else [mirror.source]
        missing += [] if Path(mirror.target).parent.is_dir() else [mirror.target]
        for path in missing:
            text = f"there is no folder {_shown(manifest, path)}: nothing can be carried over"
            yield Finding(Level.NOTE, "mirrors", text, "get the sources, or correct mirrors")


def _shown(manifest: Manifest, path: str) -> str:
    """The path as it reads from the manifest's folder."""
    full, root = Path(path), Path(manifest.root)
    return str(full.relative_to(root)) if full.is_relative_to(root) and full != root else str(full)
