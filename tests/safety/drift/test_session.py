"""The session in which a database is looked at: it can write nothing, and waits for nothing for long."""

from __future__ import annotations

from typing import Any

import pytest

from devctl.safety.programs.canonical import Canonical
from devctl.safety.programs.connect import NoConnection, Refused, Session


def test_it_can_write_nothing(postgres: Any, database: str) -> None:
    session = Session(postgres.url(database), 30)
    try:
        assert session.value("SHOW transaction_read_only") == "on"
        with pytest.raises(Refused, match="read-only transaction"):
            session.run("CREATE TABLE x (id int)")
    finally:
        session.close()
    assert postgres.run(database, "select count(*) from pg_class where relname = 'x'") == [(0,)]


def test_a_statement_has_its_time(postgres: Any, database: str) -> None:
    session = Session(postgres.url(database), 5)
    try:
        with pytest.raises(Refused, match="statement timeout"):
            session.value("SELECT pg_sleep(60)")
    finally:
        session.close()


def test_a_wrong_password_is_no_connection(postgres: Any, database: str) -> None:
    with pytest.raises(NoConnection, match="password authentication failed"):
        Session(postgres.url(database, password="wrong"), 30)


def test_what_the_server_does_not_understand_spoils_nothing_else(postgres: Any, database: str) -> None:
    session = Session(postgres.url(database), 30)
    try:
        ask = Canonical(session)
        ask.learn_types(["VARCHAR(9)", "nonsense", "INTEGER", "geometry(POINT)", "TIMESTAMP(3) WITH TIME ZONE"])
        assert [ask.type(each) for each in ("VARCHAR(9)", "nonsense", "INTEGER", "geometry(POINT)")] == [
            "character varying(9)", None, "integer", None,
        ]  # fmt: skip
        assert ask.type("TIMESTAMP(3) WITH TIME ZONE") == "timestamp(3) with time zone"
        columns = {"a": "integer", "b": "text"}
        said = ask.of_rows("t", columns, ["a in (1,2)", "nowhere > 1", "b like 'x.t%'", "t.a = 1"])
        assert said["a in (1,2)"] == "a = ANY ('{1,2}'::integer[])"
        assert said["nowhere > 1"] is None
        assert said["b like 'x.t%'"] == "b ~~ 'x.t%'::text"
        assert said["t.a = 1"] == "a = 1"
    finally:
        session.close()


def test_nothing_is_executed(postgres: Any, database: str) -> None:
    """A volatile function that would leave a trace, a sequence that would move on."""
    postgres.run(database, "create sequence s", "create function boom() returns int volatile language plpgsql as "
                 "$$ begin raise exception 'boom'; end $$")  # fmt: skip
    session = Session(postgres.url(database), 30)
    try:
        ask = Canonical(session)
        ask.learn_values([("nextval('s')", "integer"), ("boom()", "integer")])
        assert ask.value("nextval('s')", "integer") == "(nextval('s'::regclass))::integer"
        assert ask.value("boom()", "integer") == "boom()"
    finally:
        session.close()
    assert postgres.run(database, "select is_called from s") == [(False,)]
