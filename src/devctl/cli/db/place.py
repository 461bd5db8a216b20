"""Which database is meant, and whether it is a developer's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from devctl.cli.place import Place
from devctl.core.model import Service
from devctl.errors import DevctlError, Exit
from devctl.manifest.choose import known_services
from devctl.safety.policy import Kind, Listener, Standing, drop_switch, is_loopback, judge, refused
from devctl.safety.url import DatabaseUrl, Dialect, Server, database_url


@dataclass(frozen=True)
class Target:
    """A service's database, looked at as little as the command needs."""

    place: Place
    service: Service

    @cached_property
    def files(self) -> Mapping[str, str]:
        """The values of the service's env_files. Raises DevctlError."""
        from devctl.manifest import envfile

        spec = self.service.process or self.service.native
        return envfile.read_all(spec.env_file, self.place.environment) if spec else {}

    @cached_property
    def folder(self) -> Path:
        """The service's folder, from which SQLite's relative file names count."""
        return Path(self.service.path or self.place.workspace.root)

    @cached_property
    def url(self) -> DatabaseUrl:
        """Its address; SQLite's file is absolute. Raises DevctlError (exit 2)."""
        found = database_url(self.service, self.place.environment, self.files)
        if found.dialect is Dialect.SQLITE and found.name:
            return replace(found, name=str(self.folder / found.name))
        return found

    @cached_property
    def listener(self) -> Listener | None:
        """Who listens at its port or socket on this machine, None where there is neither, or nobody can be seen."""
        server = self.url.server
        if self.url.dialect is Dialect.SQLITE or not is_loopback(server):
            return None
        return tunnel_behind(server) if server.is_socket else who_listens(self.place, server.port)

    @cached_property
    def standing(self) -> Standing:
        """Whether it may be changed, dropped and written over."""
        root = str(self.place.workspace.root)
        found = judge(self.url, self.listener, root=root)
        if self.url.dialect is Dialect.SQLITE and found.local:  # its name may be a link to another file
            real = self.url.named(os.path.realpath(self.url.name))
            return judge(real, root=os.path.realpath(root)) if self.url.name else found
        return found

    def must_be_local(self, verb: str) -> None:
        """Raises DevctlError (exit 3) unless it is a developer's own by address and by name."""
        if self.standing.local:
            return
        switch = drop_switch({**self.place.environment, **self.files})
        what, why = refused(verb, self.url, self.standing, switch)
        raise DevctlError(what, self.service.name, why, self.standing.hint, Exit.PRECONDITION)


def target_of(place: Place, name: str | None) -> Target:
    """The named service's database, or that of the only service that has one. Raises DevctlError (exit 2)."""
    if name is not None:
        (known,) = known_services(place.manifest, [name])
        service = place.manifest.services[known]
        if service.database is None:
            hint = f"add services.{known}.database.url to services.yaml"
            raise DevctlError(f"{known} has no database", place.manifest.file, hint=hint, code=Exit.USAGE)
        return Target(place, service)
    having = [service for service in place.manifest.services.values() if service.database]
    if len(having) == 1:
        return Target(place, having[0])
    if not having:
        hint = "add services.NAME.database.url to services.yaml"
        raise DevctlError("no service has a database", place.manifest.file, hint=hint, code=Exit.USAGE)
    names = ", ".join(service.name for service in having)
    raise DevctlError(f"name the service: {names} have a database each", place.manifest.file, code=Exit.USAGE)


def who_listens(place: Place, port: int) -> Listener:
    """Who holds a port of this machine, as far as it can be seen."""
    from devctl.cli.engine import ask_engine
    from devctl.ports import listeners, processes
    from devctl.ports.holders import holders
    from devctl.ports.policy import describe

    found = holders([port], engine_lookup=ask_engine(place.environment).holder_of_port)[port]
    seen = _listener(found, describe(found), place.workspace.id, _project(place))
    held = listeners.held([port]).get(port)
    names = {facts.name for pid in (held.pids if held else ()) if (facts := processes.here().facts(pid))}
    return _worst(_with_image(place, port, seen), names)


def _with_image(place: Place, port: int, seen: Listener) -> Listener:
    """What a container is called is not what runs in it."""
    from devctl.cli.engine import ask_engine
    from devctl.runtimes.engine import Engine

    endpoint = ask_engine(place.environment).endpoint if seen.kind is Kind.CONTAINER else None
    found = Engine(endpoint).publisher(port) if endpoint else None
    return replace(seen, image=found.image) if found else seen


def tunnel_behind(server: Server) -> Listener | None:
    """The program that serves a Unix socket and is known to hand everything on, None for none that can be seen."""
    import psutil

    from devctl.ports import processes
    from devctl.safety.policy import is_tunnel

    socket = os.path.realpath(f"{server.host}/.s.PGSQL.{server.port}")
    try:
        pids = {each.pid for each in psutil.net_connections("unix") if os.path.realpath(str(each.laddr)) == socket}
    except psutil.Error:  # macOS lets root alone look
        return None
    for facts in (processes.here().facts(pid) for pid in pids if pid):
        if facts and is_tunnel(facts.name):
            return Listener(Kind.PROCESS, facts.name, f"{facts.name} (pid {facts.pid})")
    return None


def _project(place: Place) -> str:
    return place.manifest.compose.project if place.manifest.compose else ""


def _listener(holder: object, said: str, workspace: str, project: str) -> Listener:
    from devctl.ports.policy import Container, Devctl, Process, Unknown

    match holder:
        case Devctl(workspace=found, process=process):
            return Listener(Kind.OURS if found == workspace else Kind.PROCESS, process.name, said)
        case Container(name=name, project=found, service=service):
            return Listener(Kind.CONTAINER, service if project and found == project else name, said)
        case Process(name=name):
            return Listener(Kind.PROCESS, name, said)
        case Unknown(user=user):
            return Listener(Kind.HIDDEN, user, said)
    return Listener(Kind.NOBODY)


def _worst(seen: Listener, names: set[str]) -> Listener:
    """Of several that listen at one port (one at 127.0.0.1, one at ::1), the one that speaks most against it."""
    from devctl.safety.policy import is_tunnel

    if seen.kind is Kind.CONTAINER:  # its proxy holds the port for it; on macOS that may be Colima's ssh
        names -= {"ssh"} if _macos() else set()
    tunnel = next((name for name in sorted(names) if is_tunnel(name)), "")
    return Listener(Kind.PROCESS, tunnel, f"{seen.said} and {tunnel}") if tunnel and tunnel != seen.name else seen


def _macos() -> bool:
    import sys

    return sys.platform == "darwin"
