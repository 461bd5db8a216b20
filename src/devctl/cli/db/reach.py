"""How the database of a service is reached: from here, and from the interpreter of the service."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from devctl.cli.db.place import Target
from devctl.errors import DevctlError, Exit
from devctl.manifest.interpolate import Variable, parse
from devctl.safety.migrations import Migrations, Reach, scripts_of
from devctl.safety.policy import Kind, Listener, judge
from devctl.safety.url import DatabaseUrl, Dialect, Server

if TYPE_CHECKING:
    from devctl.runtimes.containers import Publisher
    from devctl.safety.interpreter import Interpreter


def migrations_of(target: Target) -> Migrations:
    """The service's migrations, on its database. Raises DevctlError (exit 3: no connection, no interpreter)."""
    service = target.service
    database = service.database
    scripts = scripts_of(database.migrations if database else "", service.path, service.name)
    return Migrations(reach_of(target), scripts)


def reach_of(target: Target) -> Reach:
    """The database as the service's own interpreter reaches it. Raises DevctlError (exit 3)."""
    from devctl.cli.inside import interpreter_of

    identity = identity_of(target.url)
    interpreter = interpreter_of(target.place, target.service.name, target.place.snapshot())
    address = seen_from(target, interpreter).text()
    own = judge(target.url, Listener(Kind.NOBODY), root=str(target.place.workspace.root)).local
    return Reach(
        interpreter,
        address,
        target.url.name,
        identity,
        holders_of_address(target),
        [target.url],
        read_only=not own,  # what isn't a developer's own is only ever looked at
    )


def identity_of(url: DatabaseUrl) -> list[str]:
    """What tells this database from every other. Raises DevctlError (exit 3)."""
    if url.dialect is Dialect.SQLITE:
        if not url.name:
            what = "a database in memory is gone with the process that has it"
            raise DevctlError(what, hint="name a file: sqlite:///app.db", code=Exit.USAGE)
        return [os.path.realpath(url.name)]
    from devctl.safety.server import identity

    return identity(url)


def holders_of_address(target: Target) -> Sequence[str]:
    """The variable that holds the whole address for the service's own code: that of ``${DATABASE_URL:-…}``."""
    match parse(target.service.database.url) if target.service.database else ():
        case (Variable(name=name),):
            return (name,)
    return ()


def seen_from(target: Target, interpreter: Interpreter) -> DatabaseUrl:
    """The address as the service's interpreter reaches it. In a container, what this machine publishes for a service of
    the same stack has that service's name and the port inside."""
    url = target.url
    if not interpreter.container or url.dialect is Dialect.SQLITE:
        return url
    found = publisher(target)
    if found is None or not found.service:
        return url
    return replace(url, servers=(Server(found.service, found.port),))


def publisher(target: Target) -> Publisher | None:
    """The container that serves the database, None where it isn't one."""
    from devctl.cli.engine import ask_engine
    from devctl.runtimes.engine import Engine

    asked = ask_engine(target.place.environment)
    if target.listener is None or target.listener.kind is not Kind.CONTAINER:
        return None
    if asked.endpoint is None or asked.problem:
        return None
    return Engine(asked.endpoint).publisher(target.url.server.port)
