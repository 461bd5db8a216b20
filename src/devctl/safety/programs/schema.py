"""A service's models and its database, described alike: the program that ``devctl db check`` runs.

``main`` takes ``url``, ``models`` (MODULE:NAME), ``timeout`` (seconds a statement may take) and, in a container,
``variables`` (those that hold the address there) and ``peer`` (the database's host there, "" for none). With
``identity`` (as ``programs.migrations`` has it) that PostgreSQL database is looked at and no other. It returns
``{"server", "classes": {table: class}, "models": SIDE, "database": SIDE}``. A SIDE is ``{"tables": {key: TABLE},
"enums": {key: {"labels", "table"?}}}``, a TABLE as ``safety.schema.description.Table``. A key is a table's name, with
its schema where that isn't the default one.
"""

from __future__ import annotations

import os
from typing import Any

from devctl.safety.programs.load import classes_of, metadata_of


def main(given: dict[str, Any]) -> dict[str, Any]:
    """Both descriptions. Raises NoModels, NoDriver, NoConnection, Refused, and whatever the models' import raises."""
    metadata = metadata_of(given["models"])
    found = described(_meant(given), metadata, given["timeout"])
    return {"classes": classes_of(given["models"], metadata), **found}


def _meant(given: dict[str, Any]) -> str:
    """The address that leads to the database that is meant: a container's variable may hold another one's. Raises
    OtherDatabase."""
    if not given.get("identity"):
        return _address(given)
    from devctl.safety.programs.connect import NoConnection, Session
    from devctl.safety.programs.migrations import IDENTITY, OtherDatabase

    failed: Exception = OtherDatabase(f"nothing here leads to {given['identity'][0]}")
    for address in dict.fromkeys([_address(given), _address({**given, "variables": ()})]):
        try:
            session = Session(address, given["timeout"])
        except NoConnection as error:
            failed = error
            continue
        try:
            if [session.value(query) for query in IDENTITY] == given["identity"]:
                return address
        finally:
            session.close()
    raise failed


def described(address: str, metadata: Any, timeout: float) -> dict[str, Any]:
    """``server``, ``models`` and ``database``."""
    if address.startswith("sqlite"):
        from devctl.safety.programs import sqlite

        return sqlite.describe(address, metadata, timeout)
    from devctl.safety.programs import postgres
    from devctl.safety.programs.connect import Session

    session = Session(address, timeout)
    try:
        return postgres.describe(session, metadata)
    finally:
        session.close()


def _address(given: dict[str, Any]) -> str:
    """In a container, its own variable says where the database is; else localhost is not what it is outside."""
    for name in given.get("variables", ()):
        if "://" in os.environ.get(name, ""):
            return os.environ[name].replace("postgres://", "postgresql://", 1)
    if not given.get("peer"):
        return str(given["url"])
    from sqlalchemy.engine import make_url

    url = make_url(given["url"])
    if url.host not in ("localhost", "127.0.0.1", "::1"):
        return str(given["url"])
    return url.set(host=given["peer"], port=5432).render_as_string(hide_password=False)
