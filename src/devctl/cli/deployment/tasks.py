"""All the checks there are, in the order they are made."""

from __future__ import annotations

import os
from collections.abc import Sequence

from devctl.cli.deployment import commands, database, environment, images, login, repository
from devctl.cli.deployment.case import Case, Known, Task
from devctl.cli.place import Place
from devctl.core.model import Manifest
from devctl.errors import DevctlError, Exit
from devctl.manifest.choose import known_services
from devctl.manifest.load import load
from devctl.safety.target import Target, read

OWN = frozenset({"development", "dev", "local"})
"""Environments that are this machine's: the ``.env`` beside the manifest is theirs."""


def case_of(place: Place, name: str, services: Sequence[str]) -> Case:
    """What is to be deployed: the services named, or all that say something about it. Raises DevctlError."""
    if not name or "/" in name or name.startswith("."):
        raise DevctlError(f"“{name}” is no name of an environment", hint="--env production", code=Exit.USAGE)
    target = read(place.file.parent, name, place.environment if name in OWN else os.environ)
    manifest = _manifest(place, target)
    named = tuple(manifest.services[each] for each in known_services(manifest, services))
    chosen = named or tuple(each for each in manifest.services.values() if each.database or each.predeploy)
    return Case(Known(place.file, manifest), target, chosen, named or tuple(manifest.services.values()))


def _manifest(place: Place, target: Target) -> Manifest:
    """The manifest; what stands nowhere but in the environment to be deployed to does for what it refers to."""
    more = {name: value for name, value in target.values.items() if name not in place.environment}
    return load(place.file, {**more, **os.environ})


def tasks_of(case: Case) -> list[Task]:
    """The services' checks, then those of the whole workspace."""
    found: list[Task] = []
    for service in case.services:
        found += environment.tasks(case, service)
        found += database.tasks(case, service)
    for service in case.services:
        found += login.tasks(case, service)
        found += commands.tasks(case, service)
    return [*found, *repository.tasks(case), *images.tasks(case)]
