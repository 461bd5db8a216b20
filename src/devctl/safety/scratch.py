"""Databases for trying things out: made beside a developer's own, dropped at the end, found again after a kill."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devctl.safety.server import administering, connected, create
from devctl.safety.url import DatabaseUrl, Dialect

if TYPE_CHECKING:
    from psycopg import Connection

PREFIX = "devctl_scratch_"
_FINGERPRINT = """
with own as (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema')
select format('column %s.%s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
              pg_get_expr(d.adbin, d.adrelid))
  from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
  where c.relnamespace in (select oid from own) and a.attnum > 0 and not a.attisdropped
union all select format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
  from pg_constraint where connamespace in (select oid from own)
union all select format('index %s', pg_get_indexdef(oid)) from pg_class
  where relkind in ('i', 'I') and relnamespace in (select oid from own)
union all select format('type %s: %s', t.oid::regtype, (select string_agg(enumlabel, ', ' order by enumsortorder)
  from pg_enum where enumtypid = t.oid)) from pg_type t where typtype = 'e' and typnamespace in (select oid from own)
union all select format('%s %s %s', relkind, oid::regclass, case when relkind in ('v', 'm') then pg_get_viewdef(oid) end)
  from pg_class where relkind in ('r', 'p', 'S', 'v', 'm') and relnamespace in (select oid from own)
union all select format('function %s: %s', oid::regprocedure, md5(prosrc)) from pg_proc
  where pronamespace in (select oid from own)
union all select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
"""  # noqa: E501 - SQL in lines as they belong together


@contextmanager
def scratch(near: DatabaseUrl, workspace: str) -> Iterator[DatabaseUrl]:
    """An empty database on the server of ``near``, which must be a developer's own; for SQLite, a file in a folder of
    its own. ``workspace`` is the workspace's id, by which leftovers are told. Raises DevctlError."""
    if near.dialect is Dialect.SQLITE:
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            yield near.named(str(Path(folder) / "scratch.db"))
        return
    name = f"{family(workspace)}{os.getpid()}_{secrets.token_hex(3)}"
    with administering(near) as connection:
        create(connection, name, near.name)
    try:
        yield near.named(name)
    finally:
        with administering(near) as connection:
            drop(connection, name)


def sweep(near: DatabaseUrl, workspace: str) -> list[str]:
    """Drop what an earlier run of this workspace left when it was killed; the names. Nobody else may be at it."""
    if near.dialect is Dialect.SQLITE:
        return []
    with administering(near) as connection:
        query = "select datname from pg_database where starts_with(datname, %s) order by 1"
        found = [str(row[0]) for row in connection.execute(query, [family(workspace)]).fetchall()]
        for name in found:
            drop(connection, name)
    return found


def family(workspace: str) -> str:
    """How the names of this workspace's scratch databases begin."""
    return f"{PREFIX}{workspace.rpartition('-')[2]}_"


def drop(connection: Connection[Any], name: str) -> None:
    """Drop a scratch database, whoever is still connected to it. Any other is refused."""
    from psycopg import sql

    if not name.startswith(PREFIX):
        raise ValueError(name)
    forced = connection.info.server_version >= 130000
    if not forced:
        query = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()"
        connection.execute(query, [name])
    words = "drop database if exists {} with (force)" if forced else "drop database if exists {}"
    connection.execute(sql.SQL(words).format(sql.Identifier(name)))


def emptied(url: DatabaseUrl) -> None:
    """Make a scratch database empty again. Raises DevctlError."""
    if url.dialect is Dialect.SQLITE:
        Path(url.name).unlink(missing_ok=True)
        return
    with administering(url) as connection:
        drop(connection, url.name)
        create(connection, url.name, "")


def fingerprint(url: DatabaseUrl) -> frozenset[str]:
    """What a schema is made of, a line a part; two that are the same have the same lines. Raises DevctlError."""
    if url.dialect is Dialect.SQLITE:
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(url.name)) as file:
            rows = file.execute("select type || ' ' || name || ': ' || coalesce(sql, '') from sqlite_master").fetchall()
        return frozenset(str(row[0]) for row in rows)
    with connected(url) as connection:
        return frozenset(str(row[0]).strip() for row in connection.execute(_FINGERPRINT).fetchall())
