"""The manifest's own checks: commands that must end with 0."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from devctl.cli.deployment.case import Case, Task
from devctl.command import CommandError, output
from devctl.core.model import Service
from devctl.errors import DevctlError
from devctl.manifest.interpolate import Bare, Part, TemplateError, Variable, fill, parse
from devctl.safety.verdict import Level, Outcome, failed, passed

PATIENCE = 900.0
"""Seconds a command may take."""


def tasks(case: Case, service: Service) -> Iterator[Task]:
    """A task a command."""
    commands: Any = (service.predeploy or {}).get("commands", ())
    for each in commands:
        run = _runner(case, service, each["command"])
        yield Task(f"{service.name}/{each['name']}", Level(each["level"]), run)


def _runner(case: Case, service: Service, command: str | list[str]) -> Any:
    return lambda: _run(case, service, command)


def _run(case: Case, service: Service, command: str | list[str]) -> Outcome:
    environment = {**os.environ, **case.target.values}
    try:
        argv = prepared(command, environment)
    except TemplateError as error:
        raise DevctlError(error.message, service.name, hint=error.hint) from error
    folder = service.path or str(case.root)
    try:
        output(argv, cwd=folder, env=environment, timeout=PATIENCE)
    except CommandError as error:
        lines = " | ".join(error.details[-3:])
        hint = error.hint or f"cd {folder} && {command if isinstance(command, str) else ' '.join(command)}"
        return failed(case.blotted(f"{error.why}{': ' + lines if lines else ''}"), case.blotted(hint))
    return passed("ended with 0")


def prepared(command: str | list[str], environment: Mapping[str, str]) -> str | list[str]:
    """What is run. In a string the shell fills in ``${VAR}``: a secret so never stands in the list of processes.

    Raises TemplateError for a variable that is missing.
    """
    if not isinstance(command, str):
        return [fill(word, environment) for word in command]
    fill(command, environment)
    return _for_shell(parse(command))


def _for_shell(parts: tuple[Part, ...]) -> str:
    words = []
    for part in parts:
        if isinstance(part, Variable):
            words.append(f"${{{part.name}{part.operator}{_for_shell(part.word)}}}")
        elif isinstance(part, Bare):
            words.append(f"${part.name}")
        elif isinstance(part, str):
            words.append(part)
    return "".join(words)
