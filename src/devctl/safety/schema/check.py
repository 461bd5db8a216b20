"""A service's models against its database: looked at in the service's own interpreter, judged here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from devctl.core.graph import dependents
from devctl.core.model import Manifest, Service
from devctl.errors import DevctlError, Exit
from devctl.manifest.interpolate import variables
from devctl.safety.inside import ProgramFailed, TooSlow, awaited_call, call, program
from devctl.safety.interpreter import Interpreter
from devctl.safety.schema.description import Description
from devctl.safety.schema.policy import Difference, advised, differences
from devctl.safety.url import DatabaseUrl, Dialect

TIMEOUT = 10.0
"""Seconds a database may take to connect, and for each answer."""
WHOLE = 45.0
"""Seconds for all of it, the import of the models included."""


class Unreachable(DevctlError):
    """The database does not answer, or not in time."""


def describe(
    interpreter: Interpreter, manifest: Manifest, service: Service, url: DatabaseUrl, identity: Sequence[str] = ()
) -> Description:
    """Both sides, as the service's interpreter sees them. ``identity`` (``server.identity``): of the database that it
    must be, should the interpreter know another one.

    Raises Unreachable (exit 3), and DevctlError: exit 1 where the models do not import, 2 where there are none.
    """
    given = {**_given(interpreter, manifest, service, url, TIMEOUT), "identity": list(identity)}
    try:
        found = call(interpreter, program("schema"), given, timeout=WHOLE, hide=[url])
    except (TooSlow, ProgramFailed) as error:
        raise _told(service, url, interpreter, error) from None
    return msgspec.convert(found, Description)


async def awaited_describe(
    interpreter: Interpreter, manifest: Manifest, service: Service, url: DatabaseUrl, *, timeout: float, whole: float
) -> Description:
    """The same for who has a loop; ``timeout`` and ``whole`` as TIMEOUT and WHOLE."""
    given = _given(interpreter, manifest, service, url, timeout)
    try:
        found = await awaited_call(interpreter, program("schema"), given, timeout=whole, hide=[url])
    except (TooSlow, ProgramFailed) as error:
        raise _told(service, url, interpreter, error) from None
    return msgspec.convert(found, Description)


def _given(
    interpreter: Interpreter, manifest: Manifest, service: Service, url: DatabaseUrl, timeout: float
) -> dict[str, Any]:
    if service.database is None or not service.database.models:
        hint = f"add services.{service.name}.database.models: MODULE:NAME"
        raise DevctlError(f"{service.name} names no models", manifest.file, hint=hint, code=Exit.USAGE)
    return {
        "url": url.text(),
        "models": service.database.models,
        "timeout": timeout,
        "variables": variables(service.database.url) if interpreter.container else (),
        "peer": _peer(manifest, url) if interpreter.container else "",
    }


def _peer(manifest: Manifest, url: DatabaseUrl) -> str:
    """The Compose name of the service that publishes the address's port: its host, seen from another container."""
    if url.dialect is not Dialect.POSTGRESQL:
        return ""
    port = url.server.port
    owners = (each.compose for each in manifest.services.values() for own in each.ports if own.number == port)
    return next((name for name in owners if name), "")


def _slow(service: Service, url: DatabaseUrl, error: TooSlow) -> Unreachable:
    importing = any("programs.load" in line for line in error.details)
    what = (
        f"the models of {service.name} do not import in time" if importing else f"{url.shown} does not answer in time"
    )
    return Unreachable(
        what, error.where, hint=f"devctl why {service.name}", code=Exit.PRECONDITION, details=error.details
    )


def _told(service: Service, url: DatabaseUrl, interpreter: Interpreter, error: TooSlow | ProgramFailed) -> DevctlError:
    if isinstance(error, TooSlow):
        return _slow(service, url, error)
    first = error.text.strip().splitlines()[0] if error.text.strip() else ""
    match error.kind:
        case "NoConnection":
            file = url.dialect is Dialect.SQLITE
            hint = "is it there? devctl db upgrade" if file else "is it running? devctl status"
            return Unreachable("the database does not answer", url.shown, error.text, hint, Exit.PRECONDITION)
        case "Refused":
            return Unreachable("the database gave up", url.shown, first, code=Exit.PRECONDITION)
        case "NoDriver":
            hint = f"add psycopg to what {service.name} installs"
            return DevctlError(f"{interpreter.where} has no driver for {url.dialect}", error.where, first, hint)
        case "OtherDatabase":
            hint = "let its container have the address that is meant"
            return DevctlError(f"{url.shown} was not looked at", error.where, first, hint, Exit.PRECONDITION)
        case "NoModels":
            hint = f"correct services.{service.name}.database.models"
            return DevctlError(f"there are no models of {service.name}", error.where, first, hint, Exit.USAGE)
    what = f"the models of {service.name} do not import"
    return DevctlError(
        what, error.where, error.what, f"correct it, then devctl db check {service.name}", details=error.details
    )


def judged(
    manifest: Manifest, service: Service, found: Description, foreign: Iterable[str] = ()
) -> tuple[Difference, ...]:
    """The differences, each with what it breaks and the way out. ``foreign``: tables of others' models."""
    needing = dependents(manifest, [service.name])
    migrations = bool(service.database and service.database.migrations)
    return tuple(advised(each, needing, migrations=migrations) for each in differences(found, foreign))
