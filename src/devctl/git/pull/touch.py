"""Which services a pull touched, and how many of its commits did."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
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


def touched(services: Mapping[str, Service], landed: Landed, binds: Mapping[str, tuple[str, ...]] = {}) -> Touched:
    """What ``landed`` means for the services. ``binds``: compose service → what is mounted into its container. One git
    command for each service that it touched."""
    root = os.path.realpath(landed.path)
    mounts = {name: _relative(root, binds.get(each.compose, ())) for name, each in services.items() if each.compose}
    inside = {name: (*_inside(root, each), *mounts.get(name, ())) for name, each in services.items()}
    hit = {name: places for name, places in inside.items() if _hit(places, landed.files)}
    commits = {name: _commits(landed, places) for name, places in hit.items()}
    mounted = {name for name, places in mounts.items() if _hit(places, landed.files)}
    return Touched(commits=commits, outdated=outdated(services, commits, mounted))


def outdated(
    services: Mapping[str, Service], commits: Mapping[str, int], mounted: Collection[str] = ()
) -> dict[str, str]:
    """A touched process is, a one-shot, and a container into which it is mounted; and whatever needs a one-shot that
    runs again. Any other container is made from its image, which is looked at anyway."""
    found: dict[str, str] = {}
    for name, number in commits.items():
        service = services[name]
        container = service.runtime is Runtime.CONTAINER and (service.oneshot or name in mounted)
        if service.runtime is Runtime.PROCESS or container:
            found[name] = f"{counted(number)} pulled"
    for name in order(services, services):
        service = services[name]
        again = [edge.service for edge in service.depends_on if edge.service in found]
        because = next((each for each in again if services[each].oneshot), "")
        if because and service.runtime in {Runtime.PROCESS, Runtime.CONTAINER}:
            found.setdefault(name, f"{because} runs again")
    return found


def _inside(root: str, service: Service) -> tuple[str, ...]:
    """Where a service's sources lie in the repository: folders, and files it reads."""
    places = [service.path] if service.path else []
    if service.process:
        places += [service.process.path, *(step.path for step in service.process.setup), *service.process.env_file]
    return _relative(root, places)


def _relative(root: str, places: Iterable[str]) -> tuple[str, ...]:
    """Those that lie in the repository, relative to its root; "." for all of it."""
    paths = [Path(os.path.realpath(place)) for place in places]
    return tuple(dict.fromkeys(path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)))


def _hit(places: tuple[str, ...], files: tuple[str, ...]) -> bool:
    return any(place in {".", file} or file.startswith(f"{place}/") for place in places for file in files)


def _commits(landed: Landed, places: tuple[str, ...]) -> int:
    """At least 1: a merge may bring what no single commit shows."""
    count = ("rev-list", "--count", f"{landed.before}..{landed.after}", "--", *places)
    try:
        return max(1, int(Repository(landed.path).do("--literal-pathspecs", *count)))
    except (CommandError, GitFailed, ValueError):
        return landed.number
