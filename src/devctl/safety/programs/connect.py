"""A read-only session with the service's own driver, and the kinds of failure that are told apart."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

DRIVERS = ("psycopg", "psycopg2", "psycopg2cffi", "pg8000", "asyncpg")
"""PostgreSQL drivers, in the order in which they are tried when the address names none that is there."""


class NoConnection(Exception):
    """The database does not let us in; its text is the driver's."""


class Refused(Exception):
    """The database answered with an error: a timeout, a missing right, something it does not know."""


class NoDriver(Exception):
    """The interpreter has no driver for this database."""


class Session:
    """One read-only transaction. ``timeout`` is in seconds, for connecting and for each statement."""

    def __init__(self, address: str, timeout: float) -> None:
        url = make_url(address)
        driver = _driver(url.drivername.partition("+")[2])
        self._link: Any = _Asyncpg(url, timeout) if driver == "asyncpg" else _Dbapi(url, driver, timeout)
        milliseconds = int(timeout * 1000)
        try:
            self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self.run(f"SET LOCAL statement_timeout = {milliseconds}")
            self.run(f"SET LOCAL lock_timeout = {milliseconds}")
        except BaseException:
            self.close()
            raise

    def run(self, statement: str) -> None:
        """Run a statement. Raises Refused."""
        self._link.run(statement)

    def value(self, query: str) -> Any:
        """The first value of the first row. Raises Refused."""
        return self._link.value(query)

    def records(self, query: str) -> Any:
        """The rows of a query as a list of mappings. They come as one JSON text: every driver reads that alike."""
        return json.loads(self.value(f"SELECT coalesce(json_agg(r), '[]')::text FROM ({query}) AS r"))

    def close(self) -> None:
        """End the transaction and the connection."""
        self._link.close()


def _driver(named: str) -> str:
    for name in (named, *DRIVERS):
        if name in DRIVERS and importlib.util.find_spec(name) is not None:
            return name
    raise NoDriver("there is none of " + ", ".join(DRIVERS))


class _Dbapi:
    """By SQLAlchemy's engine, which knows how each driver is called."""

    def __init__(self, url: Any, driver: str, timeout: float) -> None:
        seconds = max(1, round(timeout))
        limits: dict[str, Any] = {"timeout": seconds} if driver == "pg8000" else {"connect_timeout": seconds}
        options: dict[str, Any] = {"use_native_hstore": False} if driver.startswith("psycopg2") else {}
        url = url.set(drivername=f"postgresql+{driver}")
        engine = create_engine(url, poolclass=NullPool, connect_args=limits, **options)
        try:
            self._connection = engine.connect().execution_options(no_parameters=True)
        except DBAPIError as error:
            raise NoConnection(_words(error)) from None

    def run(self, statement: str) -> None:
        try:
            self._connection.exec_driver_sql(statement)
        except DBAPIError as error:
            raise Refused(_words(error)) from None

    def value(self, query: str) -> Any:
        try:
            return self._connection.exec_driver_sql(query).scalar()
        except DBAPIError as error:
            raise Refused(_words(error)) from None

    def close(self) -> None:
        self._connection.close()


def _words(error: DBAPIError) -> str:
    return str(error.orig).strip()


class _Asyncpg:
    """By asyncpg itself, for services that have no other driver."""

    def __init__(self, url: Any, timeout: float) -> None:
        import asyncio

        import asyncpg  # type: ignore[import-not-found,unused-ignore]  # where there is no other driver

        self._loop = asyncio.new_event_loop()
        self._errors = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
        try:
            self._connection = self._loop.run_until_complete(asyncpg.connect(timeout=timeout, **_of_asyncpg(url)))
        except (*self._errors, asyncio.TimeoutError) as error:
            self._loop.close()
            raise NoConnection(str(error) or "no answer in time") from None
        self.run("BEGIN")

    def run(self, statement: str) -> None:
        self._await(self._connection.execute(statement))

    def value(self, query: str) -> Any:
        return self._await(self._connection.fetchval(query))

    def _await(self, work: Any) -> Any:
        try:
            return self._loop.run_until_complete(work)
        except self._errors as error:
            raise Refused(str(error)) from None

    def close(self) -> None:
        self._connection.terminate()
        self._loop.close()


def _of_asyncpg(url: Any) -> dict[str, Any]:
    """The address in asyncpg's words, as SQLAlchemy has them: the query's host and port win."""
    from sqlalchemy.dialects.postgresql.asyncpg import dialect

    make: Any = dialect
    given = make().create_connect_args(url.set(drivername="postgresql+asyncpg"))[1]
    given.setdefault("ssl", given.get("sslmode"))
    names = ("host", "port", "user", "password", "database", "ssl")
    return {name: given[name] for name in names if given.get(name)}
