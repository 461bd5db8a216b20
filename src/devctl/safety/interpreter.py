"""Where a service's own Python is: found from how the service is started."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devctl.command import output
from devctl.core.model import ProcessSpec, Service
from devctl.errors import DevctlError, Exit
from devctl.manifest import envfile
from devctl.manifest.interpolate import TemplateError, fill

LAUNCHERS = frozenset({"uv", "poetry", "pipenv", "pdm", "hatch", "rye"})
"""Tools that run a program in an environment which only they know: ``uv run …``."""
FOLDERS = (".venv", "venv", "env")
PYTHON = re.compile(r"python(3(\.\d+)?)?")
IN_CONTAINER = ("-c", 'exec "$(command -v python || command -v python3 || echo python)" "$@"', "python")
"""Of the container's ``sh``: images call their Python one or the other."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that has a service's packages: ``argv`` are the words before its own arguments, ``folder`` and
    ``environment`` what it is started with. ``where`` says it for people. ``starting``: seconds that may pass before
    and after a program runs."""

    argv: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]
    where: str
    container: bool = False
    starting: float = 5.0


def native(service: Service, environment: Mapping[str, str]) -> Interpreter:
    """The Python that runs ``service`` without a container. ``environment`` is the user's whole one.

    Raises DevctlError: exit 3 where the service has no process or its setup has not run, 2 for a bad env_file.
    """
    spec = service.process or service.native
    if spec is None:
        what = f"{service.name} has no interpreter of its own: it is {_kind(service)}"
        raise DevctlError(what, hint="give it a command: or native:", code=Exit.PRECONDITION)
    if not Path(spec.path).is_dir():
        hint = "correct `path` in services.yaml, or get the sources"
        raise DevctlError("its folder does not exist", where=spec.path, hint=hint, code=Exit.PRECONDITION)
    own = environment_of(spec, environment)
    argv = _python(service.name, spec, own)
    return Interpreter(argv, spec.path, own, _shown(argv, spec.path))


def _kind(service: Service) -> str:
    return {"external": "external", "library": "a library"}.get(service.runtime, "a container")


def environment_of(spec: ProcessSpec, user: Mapping[str, str]) -> dict[str, str]:
    """What its process has: the user's environment, over it the env_files' values, over them the manifest's."""
    files = envfile.read_all(spec.env_file, user)
    try:
        own = {key: fill(template, {**files, **user}) for key, template in spec.environment.items()}
    except TemplateError as error:
        raise DevctlError(error.message, hint=error.hint, code=Exit.USAGE) from error
    return {**os.environ, **user, **files, **own, "PWD": spec.path}


def _python(name: str, spec: ProcessSpec, environment: Mapping[str, str]) -> tuple[str, ...]:
    words = _words(spec.command)
    missing = ""
    for word in words:
        if word in LAUNCHERS and "run" in words:
            return word, "run", "python"
        if "/" in word:
            place = Path(spec.path) / word
            if found := _beside(place):
                return (found,)
            if place.parent.name == "bin" and not place.parent.is_dir():
                missing = missing or str(place.parent.parent)
    if missing:
        why = "the command uses it, and its setup has not run"
        raise DevctlError(f"there is no {missing}", why=why, hint=f"devctl up {name}", code=Exit.PRECONDITION)
    for found in _elsewhere(spec.path, words, environment):
        return (found,)
    hint = "name its python in the command: .venv/bin/python …"
    raise DevctlError(f"no python was found for {name}", spec.path, hint=hint, code=Exit.PRECONDITION)


def _words(command: str | tuple[str, ...]) -> Sequence[str]:
    if not isinstance(command, str):
        return command
    try:
        return shlex.split(command.replace(";", " ; ").replace("&&", " && "))
    except ValueError:
        return command.split()


def _beside(program: Path) -> str | None:
    """The python in the folder of a program, or the program itself when it is one."""
    if PYTHON.fullmatch(program.name) and os.access(program, os.X_OK):
        return str(program)
    for name in ("python", "python3"):
        if program.parent.name == "bin" and os.access(found := program.parent / name, os.X_OK):
            return str(found)
    return None


def _elsewhere(folder: str, words: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Where a python may be that no word of the command leads to: nearest first."""
    search = environment.get("PATH")
    for place in (*(Path(folder) / each for each in FOLDERS), Path(environment.get("VIRTUAL_ENV") or "/nowhere")):
        if os.access(place / "bin" / "python", os.X_OK):
            yield str(place / "bin" / "python")
    for word in words:
        program = shutil.which(word, path=search) if "/" not in word else None
        if program and (found := _of_program(Path(program))):
            yield found
    for name in ("python", "python3"):
        if found := shutil.which(name, path=search):
            yield found


def _of_program(program: Path) -> str | None:
    """The python of a program on the PATH: itself, or the one its first line names."""
    if PYTHON.fullmatch(program.name):
        return str(program)
    try:
        with program.open("rb") as stream:
            first = stream.readline(200).decode(errors="replace")
    except OSError:
        return None
    words = first[2:].split() if first.startswith("#!") else []
    python = words[0] if words else ""
    return python if PYTHON.fullmatch(Path(python).name) and os.access(python, os.X_OK) else None


def _shown(argv: Sequence[str], folder: str) -> str:
    path = Path(argv[0])
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else " ".join(argv)


def container(service: Service, compose: Sequence[str], environment: Mapping[str, str], folder: str) -> Interpreter:
    """The Python in the container of ``service``: in the running one, else in one made for this call and removed.

    ``compose`` are the words of the docker compose command with its options, ``environment`` what it needs, ``folder``
    where it is run. Raises DevctlError where Compose does not answer.
    """
    ask = [*compose, "ps", "-q", "--status", "running", service.compose]
    running = output(ask, cwd=folder, env=environment, timeout=30).out.split()
    if running:
        return inside(running[0], environment)
    once = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh")
    argv: tuple[str, ...] = (*compose, *once, service.compose, *IN_CONTAINER)
    return Interpreter(argv, folder, environment, "a container made for this", container=True, starting=120.0)


def inside(container_id: str, environment: Mapping[str, str]) -> Interpreter:
    """The Python in this running container; ``environment`` is what the docker command needs."""
    argv = ("docker", "exec", "-i", container_id, "sh", *IN_CONTAINER)
    return Interpreter(argv, "/", environment, "its container", container=True, starting=20.0)
