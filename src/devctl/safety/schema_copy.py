"""A schema without its data, carried over into an empty database: migrations meet what is really there."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from devctl.command import raw
from devctl.errors import DevctlError
from devctl.safety.dump import Tools, without_owners
from devctl.safety.redaction import redacted
from devctl.safety.server import connected
from devctl.safety.url import DatabaseUrl

PATIENCE = 600.0
"""Seconds the schema may take to be read."""


def copy_schema(source: Tools, target: Tools, url: DatabaseUrl, revisions: Sequence[str]) -> None:
    """Carry the schema that ``source`` reaches over to the empty database ``url`` by ``target``'s tools, and note there
    that it has these migrations. Only read from where it comes. Raises DevctlError."""
    with tempfile.TemporaryDirectory(prefix="devctl-") as folder:
        file = Path(folder) / "schema"
        options = ("--format=custom", "--schema-only", "--no-password", "--lock-wait-timeout=30s")
        with file.open("wb") as stream:
            argv = source.argv("pg_dump", *options)
            done = raw(argv, env=source.environment, timeout=PATIENCE, check=False, target=stream)
        if done.code:
            words = redacted(done.err.decode(errors="replace"), source.url).strip().splitlines()
            raise DevctlError("the schema can't be read", source.url.shown, words[0] if words else "")
        without_owners(target, file, url.name)
    with connected(url) as connection:
        for revision in revisions:
            connection.execute("insert into alembic_version (version_num) values (%s)", [revision])


def copy_sqlite(source: str, target: str) -> None:
    """The same for SQLite's files. Raises DevctlError."""
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            query = (
                "select sql from sqlite_master where sql is not null and name not like 'sqlite!_%' escape '!'"
                " order by type <> 'table', rowid"
            )
            for (statement,) in old.execute(query).fetchall():
                new.execute(statement)
            for row in old.execute("select version_num from alembic_version").fetchall():
                new.execute("insert into alembic_version values (?)", row)
            new.commit()
    except sqlite3.Error as error:
        raise DevctlError("the schema can't be copied", source, str(error)) from error
