"""Brings the database's schema to where this checkout's migrations end, whatever it was before."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import Connection

LOCK = 0x43432D504150
"""Of PostgreSQL's advisory locks: two that migrate at the same time go one after the other."""
FIRST_TABLES, WITH_API_KEYS = "4be9120f6c3d", "7f3a65b0d91e"
"""The two schemas that were made without migrations, by their revisions."""


class UnknownSchemaError(Exception):
    """Tables that no revision of ours describes: whose they are is for a person to say."""


def migrate(engine: Engine) -> None:
    """Migrates to the newest revision. A database made by ``create_all`` is first told which revision it equals."""
    config = Config(Path(__file__).with_name("alembic.ini"))
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK})
        config.attributes["connection"] = connection
        if revision := unrecorded(connection):
            command.stamp(config, revision)
        command.upgrade(config, "head")


def unrecorded(connection: Connection) -> str:
    """The revision whose schema a database without Alembic's own table has; "" when it is empty or has that table."""
    present = inspect(connection)
    tables = set(present.get_table_names())
    if "alembic_version" in tables or not tables & {"users", "policies"}:
        return ""
    if not {"users", "policies"} <= tables:
        raise UnknownSchemaError("there is only one of the tables users and policies")
    keys = {column["name"] for column in present.get_columns("users")} & {"api_key_sandbox", "api_key_production"}
    if len(keys) == 1:
        raise UnknownSchemaError(f"of the two columns for API keys, users has only {keys.pop()}")
    return WITH_API_KEYS if keys else FIRST_TABLES
