"""The database that is deployed to, and a developer's own, beside which things are tried out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

from devctl.cli.db.place import Target
from devctl.cli.db.reach import holders_of_address, identity_of, seen_from
from devctl.cli.deployment.case import Case, Known
from devctl.cli.inside import interpreter_of
from devctl.core.model import Service
from devctl.errors import DevctlError, Exit
from devctl.safety.migrations import Migrations, Reach, scripts_of
from devctl.safety.scratch import scratch, sweep
from devctl.safety.url import DatabaseUrl


class Deployed(Known):
    """The workspace as the environment to be deployed to sees it: what that lacks, this shell doesn't lend it."""

    def __init__(self, case: Case) -> None:
        super().__init__(case.place.file, case.manifest)
        self._case = case

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """This process's environment without the manifest's variables, and over it the values to be judged."""
        own = {name: value for name, value in os.environ.items() if name not in self._case.manifest.variables}
        return {**own, **self._case.target.values}


def deployed(case: Case, service: Service) -> Target:
    """The database that is deployed to."""
    return Target(Deployed(case), service)


def own(case: Case, service: Service) -> Target:
    """A developer's own database, on whose server things may be tried out. Raises DevctlError (exit 3) where there is
    none."""
    found = Target(case.place, service)
    try:
        why = "" if found.standing.local else f"{found.url.shown} is none: {found.standing.reason}"
    except DevctlError as error:  # its address is nowhere but in the environment that is deployed to
        why = error.what
    if not why:
        return found
    hint = "let database.url have a default that leads to a database of this machine, or set it in .env"
    raise DevctlError("there is no server to try it out on", why=why, hint=hint, code=Exit.PRECONDITION)


@contextmanager
def alone(case: Case) -> Iterator[None]:
    """While the block runs, no other predeploy of this workspace tries anything out. Raises DevctlError (exit 3)."""
    workspace = case.place.workspace
    workspace.prepare()
    descriptor = os.open(workspace.folder / "predeploy.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            what = "another devctl predeploy of this workspace is at it"
            raise DevctlError(what, hint="wait for its end", code=Exit.PRECONDITION) from error
        yield
    finally:
        os.close(descriptor)


@contextmanager
def trying(case: Case, service: Service) -> Iterator[tuple[Target, DatabaseUrl]]:
    """(a developer's own database, an empty one beside it). What an earlier run left is dropped first. Raises
    DevctlError."""
    near = own(case, service)
    with alone(case):
        sweep(near.url, case.place.workspace.id)
        with scratch(near.url, case.place.workspace.id) as url:
            yield near, url


def migrations_on(near: Target, url: DatabaseUrl) -> Migrations:
    """The service's migrations on another database of the server of ``near``. Raises DevctlError."""
    service = near.service
    scripts = scripts_of(service.database.migrations if service.database else "", service.path, service.name)
    interpreter = interpreter_of(near.place, service.name, near.place.snapshot())
    address = replace(seen_from(near, interpreter), name=url.name).text()
    reach = Reach(interpreter, address, url.name, identity_of(url), holders_of_address(near), [near.url])
    return Migrations(reach, scripts)
