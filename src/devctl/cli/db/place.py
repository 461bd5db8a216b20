"""Which database is meant, and whether it is a developer's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from devctl.cli.place import Place
from devctl.core.model import Service
from devctl.errors import DevctlError, Exit
from devctl.manifest.choose import known_services
from devctl.safety.policy import Kind, Listener, Standing, drop_switch, is_loopback, judge, refused
from devctl.safety.url import DatabaseUrl, Dialect, database_url


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
        """Who listens at its TCP port on this machine, None where there is no such port."""
        server = self.url.server
        if self.url.dialect is Dialect.SQLITE or server.is_socket or not is_loopback(server):
            return None
        return who_listens(self.place, server.port)

    @cached_property
    def standing(self) -> Standing:
        """Whether it may be changed, dropped and written over."""
        return judge(self.url, self.listener, root=str(self.place.workspace.root))

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
    return _worst(seen, names)


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
