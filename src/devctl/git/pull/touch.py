"""Which services a pull touched, and how many of its commits did."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from devctl.command import CommandError
from devctl.core.graph import order
from devctl.core.model import Runtime, Service, Value
from devctl.git.pull.fetch import Landed
from devctl.git.pull.policy import counted
from devctl.git.repository import GitFailed, Repository


class Touched(Value):
    """``commits``: service → how many commits touched it. ``outdated``: service → why its run must begin anew."""

    commits: dict[str, int] = {}
    outdated: dict[str, str] = {}


def touched(services: Mapping[str, Service], landed: Landed) -> Touched:
    """What ``landed`` means for the services. One git command for each that it touched."""
    root = os.path.realpath(landed.path)
    inside = {name: _inside(root, service) for name, service in services.items()}
    hit = {name: places for name, places in inside.items() if _hit(places, landed.files)}
    commits = {name: _commits(landed, places) for name, places in hit.items()}
    return Touched(commits=commits, outdated=outdated(services, commits))


def outdated(services: Mapping[str, Service], commits: Mapping[str, int]) -> dict[str, str]:
    """A touched process is, and a one-shot; and whatever needs a one-shot that runs again. A container is made from its
    image, which is looked at anyway."""
    found: dict[str, str] = {}
    for name, number in commits.items():
        service = services[name]
        if service.runtime is Runtime.PROCESS or (service.oneshot and service.runtime is Runtime.CONTAINER):
            found[name] = f"{counted(number)} pulled"
    for name in order(services, services):
        service = services[name]
        again = [edge.service for edge in service.depends_on if edge.service in found]
        because = next((each for each in again if services[each].oneshot), "")
        if because and service.runtime in {Runtime.PROCESS, Runtime.CONTAINER}:
            found.setdefault(name, f"{because} runs again")
    return found


def _inside(root: str, service: Service) -> tuple[str, ...]:
    """Where a service's sources lie in the repository: folders, and files it reads; "." for all of it."""
    places = [service.path]
    if service.process:
        places += [service.process.path, *(step.path for step in service.process.setup), *service.process.env_file]
    found: dict[str, None] = {}
    for place in places:
        path = Path(os.path.realpath(place)) if place else None
        if path is not None and path.is_relative_to(root):
            found[path.relative_to(root).as_posix()] = None
    return tuple(found)


def _hit(places: tuple[str, ...], files: tuple[str, ...]) -> bool:
    return any(place in {".", file} or file.startswith(f"{place}/") for place in places for file in files)


def _commits(landed: Landed, places: tuple[str, ...]) -> int:
    """At least 1: a merge may bring what no single commit shows."""
    count = ("rev-list", "--count", f"{landed.before}..{landed.after}", "--", *places)
    try:
        return max(1, int(Repository(landed.path).do("--literal-pathspecs", *count)))
    except (CommandError, GitFailed, ValueError):
        return landed.number
