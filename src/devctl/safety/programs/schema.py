"""A service's models and its database, described alike: the program that ``devctl db check`` runs.

``main`` takes ``url``, ``models`` (MODULE:NAME) and ``timeout`` (seconds a statement may take), and returns
``{"server", "classes": {table: class}, "models": SIDE, "database": SIDE}``. A SIDE is ``{"tables": {key: TABLE},
"enums": {key: {"labels", "table"?}}}``, a TABLE as ``safety.schema.description.Table``. A key is a table's name, with
its schema where that isn't the default one.
"""

from __future__ import annotations

from typing import Any

from devctl.safety.programs.load import classes_of, metadata_of


def main(given: dict[str, Any]) -> dict[str, Any]:
    """Both descriptions. Raises NoModels, NoDriver, NoConnection, Refused, and whatever the models' import raises."""
    metadata = metadata_of(given["models"])
    found = _described(given, metadata)
    return {"classes": classes_of(given["models"], metadata), **found}


def _described(given: dict[str, Any], metadata: Any) -> dict[str, Any]:
    if given["url"].startswith("sqlite"):
        from devctl.safety.programs import sqlite

        return sqlite.describe(given["url"], metadata, given["timeout"])
    from devctl.safety.programs import postgres
    from devctl.safety.programs.connect import Session

    session = Session(given["url"], given["timeout"])
    try:
        return postgres.describe(session, metadata)
    finally:
        session.close()
