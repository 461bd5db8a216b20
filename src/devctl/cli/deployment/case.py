"""What is to be deployed, as the checks share it, and how a check is carried out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from devctl.cli.place import Place
from devctl.core.model import Manifest, Service
from devctl.errors import DevctlError, Exit
from devctl.manifest.interpolate import TemplateError, fill, variables
from devctl.safety.environment import is_strict
from devctl.safety.secrets import redacted
from devctl.safety.target import Target, development, hidden
from devctl.safety.verdict import Check, Level, Outcome, Result, meant, skipped

_LONG = 12
"""Characters from which a secret is looked for in every text; a shorter one may be a word of the language."""


class Task(NamedTuple):
    """A check that is still to be made."""

    name: str
    level: Level
    run: Callable[[], Outcome]


class Known(Place):
    """A place whose manifest is known already."""

    def __init__(self, file: Path, manifest: Manifest) -> None:
        super().__init__(file)
        self._manifest = manifest

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest."""
        return self._manifest


@dataclass(frozen=True)
class Case:
    """What is to be deployed: these services, with the values of ``target``."""

    place: Known
    target: Target
    services: tuple[Service, ...]
    all_services: tuple[Service, ...] = ()
    """Those that were named, or else every one of the manifest."""

    @property
    def manifest(self) -> Manifest:
        """The manifest, with what stands nowhere but in the environment to be deployed to."""
        return self.place.manifest

    @property
    def root(self) -> Path:
        """The workspace's folder."""
        return Path(self.manifest.root)

    @property
    def strict(self) -> bool:
        """Whether outsiders reach what is deployed."""
        return is_strict(self.target.name)

    @cached_property
    def development(self) -> Mapping[str, frozenset[str]]:
        """The values that variables have on developers' machines."""
        stack = self.manifest.compose
        files = [Path(self.manifest.file), *(Path(file) for file in (stack.files if stack else ()))]
        return development(self.root, files, os.environ)

    @cached_property
    def words(self) -> frozenset[str]:
        """This project's own words, of which a secret must not be made."""
        names = {self.manifest.name, *self.manifest.services}
        return frozenset(names | {part for name in names for part in name.split("-") if len(part) > 2})

    @cached_property
    def hidden(self) -> frozenset[str]:
        """All that must never be printed. What is a word of the project can't be hidden, and is found to be weak."""
        found = hidden(self.target.values) | hidden(self.place.environment)
        return (found | hidden({each.name: self.address(each) for each in self.services})) - self.words

    def blotted(self, text: str) -> str:
        """Text of another program's making, without any secret."""
        return redacted(text, self.hidden)

    def named(self, service: Service) -> tuple[str, ...]:
        """The variables that this service's checks are about."""
        asked = asked_of(service)
        listed = [*asked.get("required", ()), *asked.get("not", {})]
        url = variables(service.database.url) if service.database else ()
        return tuple(dict.fromkeys([*listed, *url, *_mentioned(service.predeploy)]))

    def values(self, service: Service) -> dict[str, str]:
        """The variables to be judged for this service, and the address of its database as it would be filled in."""
        found = self.target.of(self.named(service))
        if service.database and not set(variables(service.database.url)) & set(found):
            found["database.url"] = self.address(service)
        return found

    def address(self, service: Service) -> str:
        """The database's address in the environment to be deployed to, "" when a variable is missing for it."""
        if service.database is None:
            return ""
        try:
            return fill(service.database.url, self.target.values)
        except TemplateError:
            return ""


def asked_of(service: Service) -> dict[str, dict[str, list[str]] | list[str]]:
    """The ``predeploy.environment`` of a service."""
    found = (service.predeploy or {}).get("environment") or {}
    return found if isinstance(found, dict) else {}


def _mentioned(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from variables(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _mentioned(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _mentioned(each)


def carry_out(case: Case, tasks: Iterable[Task], only: Iterable[str], begin: Callable[[str], None]) -> list[Check]:
    """Make every check, one after the other; ``begin`` is told its name. One that breaks down holds up no other.

    Raises DevctlError when ``only`` names what is no check.
    """
    wanted = list(only)
    chosen = [task for task in tasks if not wanted or meant(task.name, wanted)]
    if wanted and (unknown := [word for word in wanted if not any(meant(task.name, [word]) for task in chosen)]):
        raise DevctlError(f"there is no check {unknown[0]!r}", hint="devctl predeploy --list", code=Exit.USAGE)
    checks = []
    for task in chosen:
        begin(task.name)
        outcome = _outcome(case, task)
        checks.append(Check(task.name, task.level, outcome.result, *(_safe(case, each) for each in outcome[1:])))
    return checks


def _outcome(case: Case, task: Task) -> Outcome:
    try:
        return task.run()
    except DevctlError as error:
        return of_error(case, error)
    except Exception as error:
        if os.environ.get("DEVCTL_DEBUG") == "1":
            raise
        return skipped(f"devctl broke down: {type(error).__name__}", "DEVCTL_DEBUG=1 devctl predeploy, and report it")


def of_error(case: Case, error: DevctlError) -> Outcome:
    """A check that ended in an error: it failed, or, for lack of a precondition, could not be carried out."""
    last = f": {error.details[-1].strip()}" if error.details else ""
    text = case.blotted(f"{error}{last}")
    result = Result.SKIP if error.code is Exit.PRECONDITION else Result.FAIL
    return Outcome(result, text, case.blotted(error.hint))


def _safe(case: Case, text: str) -> str:
    """The last net: what is long enough to be no ordinary word is looked for in our own texts too."""
    return redacted(text, [each for each in case.hidden if len(each) >= _LONG])
