"""A PostgreSQL database as a whole: saved, loaded beside itself, swapped in, renewed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devctl.errors import DevctlError, Exit
from devctl.safety import dump, server
from devctl.safety.copies import Contents
from devctl.safety.dump import Tools
from devctl.safety.url import DatabaseUrl

if TYPE_CHECKING:
    from psycopg import Connection

COUNTED = 256_000_000
"""Bytes up to which the rows of a database are counted, so that a restore can be seen to have brought all of them."""
TRIES = 5
"""Of a swap: what was disconnected may be back before the rename has its lock."""
LEAVING = 2.0
"""Seconds a session that has ended may still be seen."""
LONGEST_NAME = 63
_RELATIONS = (
    "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_'"
    " and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f'))"
    " or exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname !~ '^pg_'"
    " and n.nspname <> 'information_schema')"
    " or exists (select from pg_type t join pg_namespace n on n.oid = t.typnamespace where n.nspname !~ '^pg_'"
    " and n.nspname <> 'information_schema' and t.typtype in ('e', 'd', 'c', 'r'))"
)


@dataclass(frozen=True)
class Session:
    """Somebody connected to a database. ``address`` is "" for the local socket."""

    pid: int
    user: str
    application: str
    address: str
    port: int


Others = Callable[[Sequence[Session]], Sequence[str]]
"""Those of the sessions that no service of this workspace holds, in words."""


def aside(name: str, purpose: str) -> str:
    """The name of a database that stands beside ``name`` for a while, the same each time."""
    ending = f"__devctl_{purpose}"
    if len((name + ending).encode()) <= LONGEST_NAME:
        return name + ending
    short = name.encode()[: LONGEST_NAME - len(ending) - 9].decode(errors="ignore")
    return f"{short}_{hashlib.sha256(name.encode()).hexdigest()[:8]}{ending}"


@dataclass
class PostgresStore:
    """``tools`` are looked for only when they are needed. ``others`` judges who may be disconnected."""

    url: DatabaseUrl
    tools: Callable[[int], Tools]
    others: Others
    kind: str = "dump"
    left_out: list[str] = field(default_factory=list)
    """What the last load could not bring, in words."""

    @property
    def fresh(self) -> str:
        """A database that is being filled; of no worth when it is found again."""
        return aside(self.url.name, "new")

    @property
    def replaced(self) -> str:
        """What a finished restore has replaced; it is in a backup."""
        return aside(self.url.name, "replaced")

    @property
    def before(self) -> str:
        """What a reset that isn't finished will bring back, should it fail."""
        return aside(self.url.name, "before")

    def exists(self) -> bool:
        """Whether the server has it."""
        with server.administering(self.url) as connection:
            return server.exists(connection, self.url.name)

    def is_empty(self) -> bool:
        """Whether it holds no table, view, sequence, function or type of the user's."""
        if not self.exists():
            return True
        with server.connected(self.url) as connection:
            return not server.value(connection, _RELATIONS)

    def save(self, file: Path) -> Contents:
        """Dump it as it is in one moment, whoever writes meanwhile, and count its rows in the same moment."""
        with server.connected(self.url) as connection:
            tools = self.tools(server.version(connection))
            connection.execute("set idle_in_transaction_session_timeout = 0")
            connection.execute("begin isolation level repeatable read read only")
            snapshot = str(server.value(connection, "select pg_export_snapshot()"))
            contents = _contents(connection)
            dump.dump(tools, file, snapshot)
            connection.execute("rollback")
        _must_have(dump.entries(tools, file), contents.tables, file)
        return contents

    def load(self, file: Path, expected: Contents | None) -> None:
        """Fill ``fresh``. Raises DevctlError; the present database is as it was then."""
        with server.administering(self.url) as connection:
            major = server.version(connection)
            if expected and expected.server > major:
                what = f"the backup is of PostgreSQL {expected.server}, and this server is {major}"
                raise DevctlError(
                    what, str(file), hint="restore it into a server that is as new", code=Exit.PRECONDITION
                )
            tools = self.tools(major)
            try:
                self._load(connection, tools, file, major)
                self._verify(dump.entries(tools, file), file, expected)
            except BaseException:
                server.drop(connection, self.fresh)
                raise

    def _load(self, connection: Connection[Any], tools: Tools, file: Path, major: int) -> None:
        self._empty(connection)
        try:
            self.left_out = dump.restore(tools, file, self.fresh, major)
        except DevctlError as error:
            if "role" not in error.why or "does not exist" not in error.why:
                raise
            self._empty(connection)
            self.left_out = dump.without_owners(tools, file, self.fresh)

    def _empty(self, connection: Connection[Any]) -> None:
        server.drop(connection, self.fresh)
        server.create(connection, self.fresh, self.url.name)

    def _verify(self, listed: Sequence[str], file: Path, expected: Contents | None) -> None:
        with server.connected(self.url.named(self.fresh)) as connection:
            found = _contents(connection, counting=bool(expected and expected.rows))
        _must_have(listed, found.tables, file)
        if expected is None:
            return
        wrong = [name for name, count in expected.rows.items() if found.rows.get(name) != count]
        if wrong or found.tables != expected.tables or found.revisions != expected.revisions:
            named = wrong or sorted(set(found.tables) ^ set(expected.tables))
            why = f"not all came: {', '.join(named[:5])}" if named else "its migrations are not those of the backup"
            raise DevctlError("the backup could not be restored; nothing was changed", str(file), why)

    def swap(self) -> None:
        """Put ``fresh`` in the place of the present database; the present one is dropped."""
        with server.administering(self.url) as connection:
            server.drop(connection, self.replaced)
            if not server.exists(connection, self.url.name):
                server.rename(connection, (self.fresh, self.url.name))
                return
            self._exchange(connection, (self.url.name, self.replaced), (self.fresh, self.url.name))
            server.drop(connection, self.replaced)

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """A fresh, empty database of the same name while the block runs."""
        with server.administering(self.url) as connection:
            there = server.exists(connection, self.url.name)
            self._empty(connection)
            away = [(self.url.name, self.before)] if there else []
            self._exchange(connection, *away, (self.fresh, self.url.name))
            try:
                yield
            except BaseException as failed:
                if not there or server.exists(connection, self.before):  # else somebody has put it back already
                    self._put_back(connection, failed)
                raise
            server.drop(connection, self.before)

    def _put_back(self, connection: Connection[Any], failed: BaseException) -> None:
        try:
            self._bring_back(connection)
        except DevctlError as error:
            raise DevctlError(
                f"{failed}; and the database before it could not be put back yet",
                self.url.shown,
                f"{error.what}: {error.why}",
                f"it is kept as {self.before}; the next devctl db command puts it back",
            ) from failed

    def _bring_back(self, connection: Connection[Any]) -> None:
        server.drop(connection, self.fresh)
        back = [(self.before, self.url.name)] if server.exists(connection, self.before) else []
        self._exchange(connection, (self.url.name, self.fresh), *back)
        server.drop(connection, self.fresh)

    def recover(self) -> list[str]:
        """An unfinished reset is undone; what is of no worth any more goes."""
        said = []
        with server.administering(self.url) as connection:
            if server.exists(connection, self.before):
                if server.exists(connection, self.url.name):
                    self._bring_back(connection)
                else:
                    server.rename(connection, (self.before, self.url.name))
                said.append(f"a reset was interrupted: {self.url.shown} is again what it was before it")
            for name, what in (
                (self.fresh, "was being filled"),
                (self.replaced, "had been replaced, and is in a backup"),
            ):
                if server.exists(connection, name):
                    server.drop(connection, name)
                    said.append(f"{name} is dropped: an interrupted devctl left it, it {what}")
        return said

    def must_be_alone(self) -> None:
        """Raises DevctlError (exit 3) while somebody is connected who is no service of this workspace."""
        with server.administering(self.url) as connection:
            self._ours(connection, self.url.name)

    def _ours(self, connection: Connection[Any], name: str) -> list[Session]:
        """The sessions of services of this workspace, once there is no other. One that has just ended is seen for a
        moment longer, and by then nobody can tell whose it was."""
        deadline = time.monotonic() + LEAVING
        while True:
            sessions = _sessions(connection, name)
            others = list(self.others(sessions))
            if not others:
                return sessions
            if time.monotonic() > deadline:
                raise _occupied(self.url, others)
            time.sleep(0.05)

    def _exchange(self, connection: Connection[Any], *pairs: tuple[str, str]) -> None:
        """Rename all or none. Services of this workspace are disconnected first: they connect again by themselves."""
        from psycopg import errors

        for attempt in range(TRIES):
            for old, _ in pairs:
                for session in self._ours(connection, old):
                    connection.execute("select pg_terminate_backend(%s)", [session.pid])
            try:
                server.rename(connection, *pairs)
            except errors.ObjectInUse:
                if attempt == TRIES - 1:
                    raise
            else:
                return


def _occupied(url: DatabaseUrl, others: Sequence[str]) -> DevctlError:
    return DevctlError(
        f"somebody else is connected to {url.shown}, and nothing was changed",
        why=f"{others[0]}" + (f", and {len(others) - 1} more" if len(others) > 1 else ""),
        hint="end it there, then try again",
        code=Exit.PRECONDITION,
        details=tuple(others[1:]),
    )


def _sessions(connection: Connection[Any], name: str) -> list[Session]:
    query = (
        "select pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(host(client_addr), ''),"
        " coalesce(client_port, 0) from pg_stat_activity where datname = %s and backend_type = 'client backend'"
        " and pid <> pg_backend_pid() order by pid"
    )
    return [Session(*row) for row in connection.execute(query, [name]).fetchall()]


def _contents(connection: Connection[Any], *, counting: bool = True) -> Contents:
    from psycopg import sql

    names = server.tables(connection)
    rows: dict[str, int] = {}
    if counting and int(server.value(connection, "select pg_database_size(current_database())")) <= COUNTED:
        for name in names:  # as format('%I.%I') spelled it
            rows[name] = int(server.value(connection, sql.SQL("select count(*) from only ") + sql.SQL(name)))
    return Contents(server.revisions(connection), tuple(names), rows, server.version(connection))


def _must_have(listed: Sequence[str], tables: Sequence[str], file: Path) -> None:
    """The dump's own table of contents against the tables that are there: ``215; 1259 16385 TABLE public users``, 1259
    being pg_class; the data of a table has a line of its own, with a 0 there."""
    words = [line.split() for line in listed]
    count = sum(1 for each in words if each[1:2] == ["1259"] and each[3:4] == ["TABLE"])
    if count < len(tables):
        why = f"it lists {count} tables, and there are {len(tables)}"
        raise DevctlError("the backup is not complete", str(file), why)
