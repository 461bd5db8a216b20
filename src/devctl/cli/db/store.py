"""The database of a service as a whole: with the tools that fit it, and for one command at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from devctl.cli.db.place import Target
from devctl.cli.db.reach import publisher
from devctl.errors import DevctlError, Exit
from devctl.safety.policy import Kind
from devctl.safety.store import Store
from devctl.safety.url import Dialect, Server

if TYPE_CHECKING:
    from devctl.safety.dump import Tools


def store_of(target: Target) -> Store:
    """The database as a whole. Raises DevctlError (exit 2) for one in memory."""
    if target.url.dialect is Dialect.SQLITE:
        from devctl.safety.sqlite import SqliteStore

        if not target.url.name:
            what = "a database in memory is gone with the process that has it"
            raise DevctlError(what, hint="name a file: sqlite:///app.db", code=Exit.USAGE)
        return SqliteStore(target.url)
    from devctl.cli.db.clients import others
    from devctl.safety.postgres import PostgresStore

    return PostgresStore(target.url, lambda major: tools_of(target, major), lambda found: others(target, found))


def tools_of(target: Target, major: int) -> Tools:
    """pg_dump and pg_restore for the server: in its container, beside its own program, or installed. Raises DevctlError
    (exit 3) where there are none."""
    from dataclasses import replace

    from devctl.safety import dump

    environment = dict(target.place.environment)
    if found := publisher(target):
        from devctl.runtimes.endpoint import locate

        inside = replace(target.url, servers=(Server("127.0.0.1", found.port),), service="")
        docker = {**environment, **locate(environment).environment(), "DOCKER_CLI_HINTS": "false"}
        return dump.in_container(found.id, ["docker"], inside, docker)
    tools = dump.on_this_machine(major, target.url, environment, _beside(target))
    if tools is None:
        raise dump.missing(major)
    return tools


def _beside(target: Target) -> str:
    """The folder of the running server's own program, "" when it can't be seen."""
    if target.listener is None or target.listener.kind not in {Kind.OURS, Kind.PROCESS}:
        return ""
    from devctl.ports import listeners

    held = listeners.held([target.url.server.port]).get(target.url.server.port)
    for pid in held.pids if held else ():
        try:
            return str(Path(f"/proc/{pid}/exe").readlink().parent)
        except OSError:
            continue
    return ""


@contextmanager
def alone(target: Target) -> Iterator[None]:
    """While the block runs, no other command changes the databases of this workspace. Raises DevctlError (exit 3)."""
    target.place.workspace.prepare()
    file = target.place.workspace.folder / "database.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(descriptor, 32).decode(errors="replace").strip()
            what = "another devctl is at work on the databases of this workspace"
            why = f"pid {pid}" if pid else ""
            raise DevctlError(what, why=why, hint="wait for it", code=Exit.PRECONDITION) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)
