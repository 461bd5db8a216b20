"""Addresses of databases: taken apart as SQLAlchemy does, put together again, never shown with their password."""

from __future__ import annotations

import json
import re
import string
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from devctl.core.model import Database, ProcessSpec, Runtime, Service
from devctl.errors import DevctlError
from devctl.safety.redaction import redacted
from devctl.safety.url import (
    DatabaseUrl,
    Dialect,
    Server,
    UrlError,
    database_url,
    libpq_environment,
    parse,
    quoted,
)

EVERY = string.printable + "äß€🐘"


@pytest.mark.parametrize(
    ("text", "user", "password", "server", "name"),
    [
        ("postgresql://cc:pw@localhost:5433/app", "cc", "pw", Server("localhost", 5433), "app"),
        ("postgresql+psycopg://cc@127.0.0.1/app", "cc", "", Server("127.0.0.1"), "app"),
        ("postgres://cc@[::1]:5433/app", "cc", "", Server("::1", 5433), "app"),
        ("postgresql://cc:a:b/c?d#e@db/app", "cc", "a:b/c?d#e", Server("db"), "app"),
        ("postgresql://a%40b:p%2Fw%3A%40%25@db/app", "a@b", "p/w:@%", Server("db"), "app"),
        ("postgresql:///app?host=/run/pg&user=me", "me", "", Server("/run/pg"), "app"),
        ("postgresql://here/app?host=db.example.com:5434", "", "", Server("db.example.com", 5434), "app"),
        ("postgresql://localhost/app?hostaddr=10.0.0.7", "", "", Server("localhost", address="10.0.0.7"), "app"),
        ("postgresql://localhost/app?dbname=other&port=99", "", "", Server("localhost", 99), "other"),
        ("postgresql://cc@localhost", "cc", "", Server("localhost"), "cc"),
        ("postgresql://localhost/app?host=::1", "", "", Server("::1"), "app"),
        ("postgresql://localhost/app?host=[::1]:7", "", "", Server("::1", 7), "app"),
    ],
)
def test_an_address_is_taken_apart(text: str, user: str, password: str, server: Server, name: str) -> None:
    url = parse(text)
    assert (url.user, url.password, url.servers, url.name) == (user, password, (server,), name)
    assert parse(url.text()) == url, "and put together again it means the same"


def test_a_password_of_every_character_survives_and_is_never_shown() -> None:
    url = DatabaseUrl(Dialect.POSTGRESQL, "psycopg", "me", EVERY, (Server("localhost"),), "app")
    assert parse(url.text()) == url
    assert "0123456789" not in url.text(hide=True) + url.shown + repr(url) + str(url)
    assert url.text(hide=True) == "postgresql+psycopg://me:…@localhost/app"
    assert libpq_environment(url, {"PGHOSTADDR": "10.1.1.1", "HOME": "/h"}) == {
        "HOME": "/h", "PGHOST": "localhost", "PGPORT": "5432", "PGUSER": "me", "PGPASSWORD": EVERY, "PGDATABASE": "app",
        "PGCONNECT_TIMEOUT": "10",
    }  # fmt: skip


def test_more_than_one_server_is_seen() -> None:
    url = parse("postgresql:///app?host=localhost:1&host=db.example.com:2")
    assert url.servers == (Server("localhost", 1), Server("db.example.com", 2))
    assert parse(url.text()) == url
    assert parse("postgresql:///app?host=localhost,db&port=1,2").servers == (Server("localhost", 1), Server("db", 2))


@pytest.mark.parametrize(
    "text",
    [
        "", "app.db", "mysql://root@localhost/app", "postgresql://a:b@c@localhost/app", "postgresql://a:b@evil/@localhost/app",
        "postgresql://localhost:pw/app", "postgresql://localhost:99999/app", "postgresql://a,b/app", "sqlite://app.db",
        "sqlite:///file:app.db?uri=true",
    ],
)  # fmt: skip
def test_what_is_not_understood_or_could_be_read_in_two_ways_is_an_error_that_does_not_repeat_it(text: str) -> None:
    with pytest.raises(UrlError) as caught:
        parse(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("sqlite:///app.db", "app.db"),
        ("sqlite:////srv/app.db", "/srv/app.db"),
        ("sqlite://", ""),
        ("sqlite:///:memory:", ""),
        ("sqlite+aiosqlite:///x/app.db?timeout=5", "x/app.db"),
    ],
)
def test_sqlite_names_a_file(text: str, name: str) -> None:
    assert (parse(text).dialect, parse(text).name) == (Dialect.SQLITE, name)


def service(url: str, **spec: Any) -> Service:
    process = ProcessSpec(command="x", path="/srv/api", **spec)
    return Service(name="api", runtime=Runtime.PROCESS, process=process, database=Database(url))


def test_variables_are_those_the_service_would_see() -> None:
    asked = service("${DATABASE_URL:-postgresql://localhost/fallback}")
    assert database_url(asked, {}, {}).name == "fallback"
    assert database_url(asked, {"DATABASE_URL": "postgresql://localhost/user"}, {}).name == "user"
    files = {"DATABASE_URL": "postgresql://localhost/file"}
    assert database_url(asked, {"DATABASE_URL": "postgresql://localhost/user"}, files).name == "file"
    own = service(asked.database.url, environment={"DATABASE_URL": "postgresql://localhost/${NAME}", "BROKEN": "${NO}"})  # type: ignore[union-attr]
    assert database_url(own, {"NAME": "own"}, files).name == "own"


def test_an_address_that_is_not_understood_is_told_without_it() -> None:
    with pytest.raises(DevctlError) as caught:
        database_url(service("postgresql://me:se@cret@h@ost/x"), {}, {})
    assert caught.value.code == 2
    assert "cret" not in str(caught.value) + repr(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_what_the_address_leaves_open_comes_from_the_environment_as_for_libpq() -> None:
    asked = service("postgresql:///app")
    assert database_url(asked, {"PGHOST": "db.example.com"}, {}).servers == (Server("db.example.com"),)
    led = database_url(service("postgresql://localhost/app"), {"PGHOSTADDR": "10.0.0.9", "PGSERVICE": "x"}, {})
    assert (led.server.address, led.service) == ("10.0.0.9", "x")
    assert database_url(service("postgresql:///"), {"PGDATABASE": "ccprod"}, {}).name == "ccprod"


def test_others_words_lose_the_password_in_any_spelling() -> None:
    url = parse("postgresql://me:p%40ss%2Fw%27x@localhost/app")
    secret = "p@ss/w'x"
    said = f"could not connect: {secret}, {quoted(secret)}, {secret!r}; postgresql://a:other@h/x"
    assert redacted(said, url) == f"could not connect: …, …, {'…'!r}; postgresql://a:…@h/x".replace("'…'", '"…"')
    every = DatabaseUrl(Dialect.POSTGRESQL, password=EVERY)
    spellings = [
        EVERY,
        repr(EVERY),
        ascii(EVERY),
        json.dumps(EVERY),
        quoted(EVERY),
        re.sub("%..", lambda m: m[0].lower(), quoted(EVERY)),
    ]
    spellings += [quote(EVERY), quote(EVERY, safe=" +"), quote_plus(EVERY)]
    for spelling in spellings:
        assert "567" not in redacted(f"failed: {spelling} is wrong", every), spelling
    short = parse("postgresql://me:a@localhost/app")
    assert redacted("a cat sat at a", short) == "… cat sat at …"
