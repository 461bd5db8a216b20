"""A PostgreSQL server, over a connection of our own: which database is meant, and making, renaming, dropping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from devctl.errors import DevctlError, Exit
from devctl.safety.programs.migrations import IDENTITY
from devctl.safety.redaction import redacted
from devctl.safety.url import DatabaseUrl

if TYPE_CHECKING:
    from psycopg import Connection

CONNECT = 5
"""Seconds a server may take to let us in."""
STATEMENT = 60
"""Seconds one of our own statements may take."""
_DRIVERS_OPTIONS = frozenset(
    {"sslmode", "sslcert", "sslkey", "sslrootcert", "options", "gssencmode", "channel_binding"}
)


class NoConnection(DevctlError):
    """The database doesn't let us in."""


@contextmanager
def connected(url: DatabaseUrl, database: str = "") -> Iterator[Connection[Any]]:
    """A connection that commits each statement by itself, to ``database`` or the address's own. Raises NoConnection;
    what a statement raises becomes a DevctlError too."""
    import psycopg

    connection = _connect(url, database or url.name)
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        raise DevctlError(_words(error, url), url.shown, hint=_mended(error)) from None


def _connect(url: DatabaseUrl, database: str) -> Connection[Any]:
    import psycopg

    given = {
        "host": url.server.host,
        "hostaddr": url.server.address,
        "port": str(url.server.port),
        "user": url.user,
        "password": url.password,
        "service": url.service,
        **{key: value for key, value in url.options if key in _DRIVERS_OPTIONS},
    }
    try:
        connection = psycopg.connect(
            **{key: value for key, value in given.items() if value},  # type: ignore[arg-type]
            dbname=database,
            connect_timeout=CONNECT,
            application_name="devctl",
            autocommit=True,
        )
    except psycopg.Error as error:
        raise NoConnection(
            f"the database {url.shown} does not let us in",
            why=_words(error, url),
            hint="devctl up starts what serves it; devctl db url shows where it is looked for",
            code=Exit.PRECONDITION,
        ) from None
    connection.execute(f"set statement_timeout = '{STATEMENT}s'")
    return connection


def _words(error: Exception, url: DatabaseUrl) -> str:
    text = redacted(str(error), url).strip().splitlines()
    return text[0].removeprefix("connection failed: ") if text else type(error).__name__


def _mended(error: Exception) -> str:
    match getattr(error, "sqlstate", None):
        case "42501":
            return "its user needs the right to make databases: alter role NAME createdb"
        case "55006":
            return "end what is connected to it, then try again"
        case "53100":
            return "make room on the server's disk"
    return ""


def identity(url: DatabaseUrl) -> list[str]:
    """Tells this database from every other: its name and oid, and when its server started. Raises NoConnection."""
    with connected(url) as connection:
        return [str(value(connection, query)) for query in IDENTITY]


def version(connection: Connection[Any]) -> int:
    """The server's major version."""
    return connection.info.server_version // 10000


def tables(connection: Connection[Any]) -> list[str]:
    """All tables of the user's own, with their schemas."""
    query = (
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
        " and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by 1"
    )
    return [str(row[0]) for row in connection.execute(query).fetchall()]


def revisions(connection: Connection[Any]) -> tuple[str, ...]:
    """Where its schema stands by Alembic's own table; () without one."""
    if value(connection, "select to_regclass('alembic_version')") is None:
        return ()
    return tuple(str(row[0]) for row in connection.execute("select version_num from alembic_version order by 1"))


def value(connection: Connection[Any], query: Any) -> Any:
    """The first value of the first row, None for no row."""
    found = connection.execute(query).fetchone()
    return found[0] if found else None


def _row(connection: Connection[Any], query: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
    found = connection.execute(query, values).fetchone()
    return tuple(found) if found else ()


def exists(connection: Connection[Any], name: str) -> bool:
    """Whether the server has a database of this name."""
    return bool(_row(connection, "select 1 from pg_database where datname = %s", [name]))


@contextmanager
def administering(url: DatabaseUrl) -> Iterator[Connection[Any]]:
    """A connection to another database of the same server, from which this one can be renamed and dropped."""
    failed: NoConnection | None = None
    for name in ("postgres", "template1", url.user):
        if name == url.name or not name:
            continue
        try:
            with connected(url, name) as connection:
                yield connection
                return
        except NoConnection as error:
            failed = failed or error
    raise failed or NoConnection(f"{url.shown} is the only database there is", code=Exit.PRECONDITION)


def create(connection: Connection[Any], name: str, like: str) -> None:
    """A fresh, empty database with the encoding, the locale, the owner and the settings of the one called ``like``;
    where there is none, with the server's own."""
    from psycopg import sql

    options: list[sql.Composable] = [sql.SQL("template template0")]
    if facts := _facts(connection, like):
        options += [sql.SQL("{} {}").format(sql.SQL(key), value) for key, value in _spelled(facts)]
    connection.execute(sql.SQL("create database {} {}").format(sql.Identifier(name), sql.SQL(" ").join(options)))
    if facts and facts["comment"]:
        connection.execute(
            sql.SQL("comment on database {} is {}").format(sql.Identifier(name), sql.Literal(facts["comment"]))
        )
    for role, setting, value in _settings(connection, like) if facts else ():
        whose = sql.SQL("role {} in database {}").format(sql.Identifier(role), sql.Identifier(name)) if role else None
        whose = whose or sql.SQL("database {}").format(sql.Identifier(name))
        connection.execute(sql.SQL("alter {} set {} to {}").format(whose, sql.SQL(setting), sql.SQL(value)))


def _facts(connection: Connection[Any], name: str) -> Mapping[str, Any]:
    """What pg_database says of it; the columns of its locale have other names in other versions."""
    has = version(connection)
    provider = "d.datlocprovider" if has >= 15 else "'c'"
    locale = "d.datlocale" if has >= 17 else "d.daticulocale" if has >= 15 else "null"
    query = (
        f"select pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, {provider}, {locale},"  # noqa: S608
        " pg_get_userbyid(d.datdba), shobj_description(d.oid, 'pg_database') from pg_database d where d.datname = %s"
    )
    row = _row(connection, query, [name])
    keys = ("encoding", "collate", "ctype", "provider", "locale", "owner", "comment")
    return dict(zip(keys, row, strict=True)) if row else {}


def _spelled(facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    from psycopg import sql

    found: list[tuple[str, Any]] = [
        ("owner", sql.Identifier(facts["owner"])),
        ("encoding", sql.Literal(facts["encoding"])),
        ("lc_collate", sql.Literal(facts["collate"])),
        ("lc_ctype", sql.Literal(facts["ctype"])),
    ]
    provider = facts["provider"].decode() if isinstance(facts["provider"], bytes) else str(facts["provider"])
    if provider == "i":
        found += [("locale_provider", sql.SQL("icu")), ("icu_locale", sql.Literal(facts["locale"]))]
    if provider == "b":
        found += [("locale_provider", sql.SQL("builtin")), ("builtin_locale", sql.Literal(facts["locale"]))]
    return found


def _settings(connection: Connection[Any], name: str) -> list[tuple[str, str, str]]:
    """(role or "", setting, value as SQL) of ALTER DATABASE … SET."""
    query = (
        "select coalesce(r.rolname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)"
        " from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase"
        " left join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) c where d.datname = %s"
    )
    lists = {"search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces", "datestyle"}
    found = []
    for role, setting, value in connection.execute(query, [name]).fetchall():
        plain = setting.lower() in lists
        found.append((str(role), str(setting), value if plain else "'" + str(value).replace("'", "''") + "'"))
    return found


def drop(connection: Connection[Any], name: str) -> None:
    """Drop one of our own beside the user's, if it is there. A tool of ours that was ended may still be in it."""
    from psycopg import sql

    force = sql.SQL("with (force)" if version(connection) >= 13 else "")
    connection.execute(sql.SQL("drop database if exists {} {}").format(sql.Identifier(name), force))


def rename(connection: Connection[Any], *pairs: tuple[str, str]) -> None:
    """Rename databases, old → new, all of them or none: they are one transaction."""
    from psycopg import sql

    with connection.transaction():
        for old, new in pairs:
            connection.execute(
                sql.SQL("alter database {} rename to {}").format(sql.Identifier(old), sql.Identifier(new))
            )
