"""Which runtime each service has today, and which services are meant. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

import msgspec

from devctl.core.model import Manifest, Runtime, Service
from devctl.errors import DevctlError, Exit
from devctl.manifest.diagnostics import did_you_mean, listing

ASKED = "asked for by --native"
NO_DOCKER = "no Docker engine answers"


def choose(
    manifest: Manifest,
    *,
    docker: bool,
    docker_reason: str = NO_DOCKER,
    native: Collection[str] | Literal["all"] = (),
    only: Collection[str] | None = None,
) -> Manifest:
    """The manifest with every service's runtime decided.

    A compose service stays CONTAINER while a Docker engine answers (``docker``; ``docker_reason`` says why none does)
    and becomes a PROCESS, as its ``native:`` says, when it is named in ``native`` or there is no engine. DevctlError
    exit 3 names those that have no ``native:`` and no engine; with ``only``, of these services alone. Exit 2 when
    ``native`` names what can't run natively.
    """
    if native != "all":
        _refuse_impossible(manifest, native)
    reason = docker_reason or NO_DOCKER
    chosen = {name: _chosen(each, docker, reason, native) for name, each in manifest.services.items()}
    if docker:
        _follow(manifest, chosen)
    stuck = [
        name
        for name, each in chosen.items()
        if each.runtime is Runtime.CONTAINER and not docker and (only is None or name in only)
    ]
    if stuck:
        raise DevctlError(
            f"{listing(stuck)} {'needs' if len(stuck) == 1 else 'need'} Docker",
            why=reason,
            hint="start Docker, or say below native: how to run without it",
            code=Exit.PRECONDITION,
        )
    return msgspec.structs.replace(manifest, services=chosen)


def _refuse_impossible(manifest: Manifest, names: Collection[str]) -> None:
    known_services(manifest, names)
    without = [name for name in names if manifest.services[name].compose and not manifest.services[name].native]
    if without:
        what = f"{listing(without)} {'has' if len(without) == 1 else 'have'} no native: to run by"
        raise DevctlError(what, manifest.file, hint="add native: {command: …}", code=Exit.USAGE)


def _chosen(service: Service, docker: bool, reason: str, native: Collection[str] | str) -> Service:
    if not service.compose:
        return service
    asked = native == "all" or service.name in native
    if service.native and (asked or not docker):
        return msgspec.structs.replace(
            service,
            runtime=Runtime.PROCESS,
            runtime_reason=ASKED if asked else reason,
            process=service.native,
            on_unhealthy=service.native_on_unhealthy,
        )
    return service if docker else msgspec.structs.replace(service, runtime_reason=reason)


def _follow(manifest: Manifest, chosen: dict[str, Service]) -> None:
    """A container cannot reach what runs outside by its Compose name, so it follows what it needs, where it can."""
    waiting = list(chosen)
    while waiting:
        name = waiting.pop()
        service = chosen[name]
        if service.runtime is not Runtime.CONTAINER or service.native is None:
            continue
        outside = [
            edge.service
            for edge in service.depends_on
            if manifest.services[edge.service].compose and chosen[edge.service].runtime is Runtime.PROCESS
        ]
        if outside:
            because = f"needs {outside[0]}, which runs without a container"
            chosen[name] = _chosen(service, docker=False, reason=because, native=())
            waiting += [other for other, each in chosen.items() if any(e.service == name for e in each.depends_on)]


def select(manifest: Manifest, names: Iterable[str] = (), profiles: Collection[str] = ()) -> tuple[str, ...]:
    """The services meant, in the file's order: those named, or else all without profiles and those of the enabled
    ``profiles`` (``*``: all); and everything they depend on. Libraries are never among them. DevctlError exit 2 for
    names and profiles that are not known."""
    named = known_services(manifest, names)
    if libraries := [name for name in named if manifest.services[name].runtime is Runtime.LIBRARY]:
        verb = "is a library and runs" if len(libraries) == 1 else "are libraries and run"
        raise DevctlError(f"{listing(libraries)} {verb} nothing", manifest.file, code=Exit.USAGE)
    _known_profiles(manifest, profiles)
    return _closure(manifest, named or [name for name, each in manifest.services.items() if _meant(each, profiles)])


def _meant(service: Service, profiles: Collection[str]) -> bool:
    if service.runtime is Runtime.LIBRARY:
        return False
    return not service.profiles or "*" in profiles or any(each in profiles for each in service.profiles)


def _closure(manifest: Manifest, names: Iterable[str]) -> tuple[str, ...]:
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += [each.service for each in manifest.services[name].depends_on]
    return tuple(name for name in manifest.services if name in wanted)


def known_services(manifest: Manifest, names: Iterable[str]) -> list[str]:
    """The names, each once; DevctlError exit 2 when one is no service."""
    named = list(dict.fromkeys(names))
    unknown = [name for name in named if name not in manifest.services]
    if unknown:
        hint = did_you_mean(unknown[0], manifest.services) if len(unknown) == 1 else ""
        raise DevctlError(
            f"no service is called {' or '.join(unknown)}",
            manifest.file,
            hint=hint or f"services are {listing(manifest.services)}",
            code=Exit.USAGE,
        )
    return named


def _known_profiles(manifest: Manifest, profiles: Collection[str]) -> None:
    known = dict.fromkeys(each for service in manifest.services.values() for each in service.profiles)
    for name in profiles:
        if name != "*" and name not in known:
            hint = did_you_mean(name, known) or (f"profiles are {listing(known)}" if known else "no service has one")
            raise DevctlError(f"no profile is called {name}", manifest.file, hint=hint, code=Exit.USAGE)
