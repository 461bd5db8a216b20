"""PostgreSQL databases saved, restored and renewed, in a container and as a process: nothing is lost on any way out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devctl.errors import DevctlError
from devctl.safety import dump, server
from devctl.safety.dump import Tools, choose
from devctl.safety.postgres import PostgresStore, Session, aside
from devctl.safety.url import DatabaseUrl, Server, parse

pytestmark = pytest.mark.timeout(400)  # a server is started first, on a machine that may be busy

TABLES = (
    "create schema more",
    "create type mood as enum ('good', 'bad')",
    "create table alembic_version (version_num varchar(32) primary key)",
    "insert into alembic_version values ('7f3a')",
    'create table "Odd ""name" (id int primary key, mood mood, at timestamptz default now())',
    """insert into "Odd ""name" select n, 'good' from generate_series(1, 100) n""",
    "create table more.lines (id serial primary key, text text not null)",
    "insert into more.lines (text) values ('ä'), ('b')",
    "create view more.texts as select text from more.lines",
)


def nobody(sessions: Sequence[Session]) -> list[str]:
    return [f"{each.application or each.user} is connected" for each in sessions]


def ours(sessions: Sequence[Session]) -> list[str]:
    return []


class Case:
    """A database, its server, and a store for it."""

    def __init__(self, at: Any, name: str, tools: Callable[[DatabaseUrl], Tools]) -> None:
        self.at, self.name = at, name
        self.url = parse(at.url(name))
        self.store = PostgresStore(self.url, lambda _: tools(self.url), nobody)

    def fill(self) -> None:
        self.at.run(self.name, *TABLES)

    def count(self, table: str = "more.lines") -> int:
        return int(self.at.run(self.name, f"select count(*) from {table}")[0][0])

    def beside(self) -> list[str]:
        """The databases that stand beside it."""
        return [each for each in self.at.databases() if each.startswith(self.name) and each != self.name]


@pytest.fixture
def inside(postgres: Any, database: str) -> Iterator[Case]:
    def tools(url: DatabaseUrl) -> Tools:
        within = replace(url, servers=(Server("127.0.0.1", 5432),))
        return dump.in_container(postgres.container, ["docker"], within, os.environ)

    found = Case(postgres, database, tools)
    yield found
    assert found.beside() == [], "nothing stands beside the database when all is done"


@pytest.fixture
def outside(embedded: Any, embedded_database: str) -> Iterator[Case]:
    def tools(url: DatabaseUrl) -> Tools:
        found = dump.on_this_machine(18, url, os.environ, _folder_of(embedded.port))
        assert found
        return found

    found = Case(embedded, embedded_database, tools)
    yield found
    assert found.beside() == [], "nothing stands beside the database when all is done"


def _folder_of(port: int) -> str:
    """The folder of the program that listens there."""
    from devctl.ports import listeners

    return str(Path(f"/proc/{listeners.held([port])[port].pids[0]}/exe").readlink().parent)


@pytest.fixture(params=["inside", "outside"])
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.getfixturevalue(request.param)
    return found


def test_all_of_it_comes_back_whatever_happened_since(case: Case, tmp_path: Path) -> None:
    case.fill()
    contents = case.store.save(tmp_path / "copy")
    assert contents.revisions == ("7f3a",)
    assert contents.rows == {"public.alembic_version": 1, 'public."Odd ""name"': 100, "more.lines": 2}
    case.at.run(case.name, "drop table more.lines cascade", 'delete from "Odd ""name"', "create table later (id int)")
    case.store.load(tmp_path / "copy", contents)
    case.store.swap()
    assert case.count() == 2
    assert case.count('"Odd ""name"') == 100
    assert case.at.run(case.name, "select to_regclass('later')") == [(None,)]
    case.at.run(case.name, "insert into more.lines (text) values ('c')")
    assert case.at.run(case.name, "select max(id), (select count(*) from more.texts) from more.lines") == [(3, 3)]


def test_a_database_that_is_gone_comes_back(outside: Case, tmp_path: Path) -> None:
    outside.fill()
    contents = outside.store.save(tmp_path / "copy")
    outside.at.run("postgres", f"drop database {outside.name}")
    assert not outside.store.exists()
    assert outside.store.is_empty()
    outside.store.load(tmp_path / "copy", contents)
    outside.store.swap()
    assert outside.count() == 2


def test_the_fresh_one_has_what_the_database_itself_was_given(case: Case, tmp_path: Path) -> None:
    role = f"{case.name}_role"
    case.at.run("postgres", f"create role {role}")
    try:
        case.at.run(
            "postgres",
            f"alter database {case.name} set search_path to more, public",
            f"alter database {case.name} set work_mem to '7MB'",
            f"alter role {role} in database {case.name} set application_name to 'it''s'",
            f"comment on database {case.name} is 'it''s mine'",
            f"alter database {case.name} owner to {role}",
        )
        case.fill()
        before = _facts(case)
        case.store.load(tmp_path / "copy", case.store.save(tmp_path / "copy"))
        case.store.swap()
        assert _facts(case) == before
    finally:
        case.at.run("postgres", f"alter database {case.name} owner to cc")
        case.at.run(case.name, f"drop owned by {role}")
        case.at.run("postgres", f"drop role {role}")


def _facts(case: Case) -> list[tuple[Any, ...]]:
    settings = (
        "select s.setrole::regrole::text, unnest(s.setconfig) from pg_db_role_setting s join pg_database d"
        f" on d.oid = s.setdatabase where d.datname = '{case.name}' order by 1, 2"
    )
    columns = (
        "select pg_get_userbyid(datdba), encoding, datcollate, datctype, datlocprovider::text,"
        f" shobj_description(oid, 'pg_database') from pg_database where datname = '{case.name}'"
    )
    return [*case.at.run("postgres", settings), *case.at.run("postgres", columns)]


def test_a_backup_that_lacks_something_replaces_nothing(outside: Case, tmp_path: Path) -> None:
    outside.fill()
    contents = outside.store.save(tmp_path / "copy")
    outside.at.run(outside.name, "insert into more.lines (text) values ('since')")
    for wrong in (
        {**contents.rows, "more.lines": 3},
        {**contents.rows, "more.gone": 1},
    ):
        changed = type(contents)(contents.revisions, contents.tables, wrong, contents.server)
        with pytest.raises(DevctlError, match="nothing was changed"):
            outside.store.load(tmp_path / "copy", changed)
    whole = (tmp_path / "copy").read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:-200], b"", b"PGDMP", os.urandom(500)):
        (tmp_path / "broken").write_bytes(broken)
        with pytest.raises(DevctlError):
            outside.store.load(tmp_path / "broken", contents)
    assert outside.count() == 3


def test_a_backup_of_a_newer_server_is_refused(outside: Case, tmp_path: Path) -> None:
    outside.fill()
    contents = outside.store.save(tmp_path / "copy")
    newer = type(contents)(contents.revisions, contents.tables, contents.rows, contents.server + 1)
    with pytest.raises(DevctlError, match="and this server is") as caught:
        outside.store.load(tmp_path / "copy", newer)
    assert caught.value.code == 3


def test_roles_that_are_not_here_are_left_out_and_said(outside: Case, tmp_path: Path) -> None:
    role = f"{outside.name}_role"
    outside.fill()
    outside.at.run("postgres", f"create role {role}")
    outside.at.run(outside.name, f"grant select on more.lines to {role}", f"alter table more.lines owner to {role}")
    contents = outside.store.save(tmp_path / "copy")
    outside.at.run(outside.name, "alter table more.lines owner to cc", f"drop owned by {role}")
    outside.at.run("postgres", f"drop role {role}")
    outside.store.load(tmp_path / "copy", contents)
    outside.store.swap()
    assert outside.count() == 2
    assert outside.store.left_out == ["owners and rights, since this server doesn't have the roles"]


def test_while_somebody_else_is_connected_nothing_is_swapped(outside: Case, tmp_path: Path) -> None:
    outside.fill()
    contents = outside.store.save(tmp_path / "copy")
    with psycopg.connect(outside.at.url(outside.name), application_name="DBeaver") as other:
        other.execute("select 1")
        with pytest.raises(DevctlError, match="somebody else is connected") as caught:
            outside.store.must_be_alone()
        assert (caught.value.code, caught.value.why) == (3, "DBeaver is connected")
        outside.store.load(tmp_path / "copy", contents)
        with pytest.raises(DevctlError, match="somebody else is connected"):
            outside.store.swap()
        with pytest.raises(DevctlError, match="somebody else is connected"):
            outside.store.renewed().__enter__()
        assert other.execute("select count(*) from more.lines").fetchone() == (2,), "nor is anybody cut off"
    assert [each.partition("dropped")[1] for each in outside.store.recover()] == ["dropped"]


def test_services_of_ours_are_cut_off_and_may_come_back_at_once(outside: Case, tmp_path: Path) -> None:
    outside.fill()
    contents = outside.store.save(tmp_path / "copy")
    outside.store.load(tmp_path / "copy", contents)
    outside.store.others = ours
    with psycopg.connect(outside.at.url(outside.name), autocommit=True) as service:
        outside.at.run(outside.name, "insert into more.lines (text) values ('since')")
        outside.store.swap()
        with pytest.raises(psycopg.OperationalError):
            service.execute("select 1")
    assert outside.count() == 2


def test_a_reset_that_ends_well_stays(outside: Case) -> None:
    outside.fill()
    with outside.store.renewed():
        assert outside.store.is_empty()
        outside.at.run(outside.name, "create table fresh (id int)")
    assert outside.at.run(outside.name, "select to_regclass('fresh')::text, to_regclass('more.lines')::text") == [
        ("fresh", None)
    ]


@pytest.mark.parametrize("failure", [DevctlError("a migration failed"), KeyboardInterrupt(), SystemExit(143)])
def test_a_reset_that_fails_brings_back_what_was_there(outside: Case, failure: BaseException) -> None:
    outside.fill()

    def reset() -> None:
        with outside.store.renewed():
            outside.at.run(outside.name, "create table fresh (id int)")
            raise failure

    with pytest.raises(type(failure)) as caught:
        reset()
    assert caught.value is failure
    assert outside.count() == 2


def test_what_somebody_else_brought_back_meanwhile_stays(outside: Case) -> None:
    """Another workspace with the same database takes a reset that is under way for one that was interrupted."""
    outside.fill()

    def reset() -> None:
        with outside.store.renewed():
            outside.store.recover()
            raise DevctlError("a migration was cut off")

    with pytest.raises(DevctlError, match="cut off"):
        reset()
    assert outside.count() == 2


class Killed(BaseException):
    """Stands for the end of devctl: nothing after it is done."""


@pytest.mark.parametrize(("at", "nth"), [("drop", 1), ("drop", 2), ("drop", 3), ("create", 1), ("rename", 1)])
def test_wherever_a_restore_is_killed_either_the_old_or_the_new_is_there(
    outside: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, nth: int
) -> None:
    outside.fill()
    contents = outside.store.save(tmp_path / "copy")
    outside.at.run(outside.name, "insert into more.lines (text) values ('since')")
    with monkeypatch.context() as patched, suppress(Killed):
        _kill(patched, at, nth)
        outside.store.load(tmp_path / "copy", contents)
        outside.store.swap()
    assert outside.count() in {2, 3}
    was = outside.count()
    outside.store.recover()
    assert outside.count() == was
    assert outside.beside() == []


@pytest.mark.parametrize(("at", "nth"), [("drop", 1), ("drop", 2), ("create", 1), ("rename", 1)])
def test_wherever_a_reset_is_killed_the_old_comes_back_or_the_new_stays(
    outside: Case, monkeypatch: pytest.MonkeyPatch, at: str, nth: int
) -> None:
    outside.fill()
    finished = []
    with monkeypatch.context() as patched, suppress(Killed):
        _kill(patched, at, nth)
        with outside.store.renewed():
            outside.at.run(outside.name, "create table fresh (id int)")
            finished.append(True)
    outside.store.recover()
    old, new = outside.at.run(outside.name, "select to_regclass('more.lines')::text, to_regclass('fresh')::text")[0]
    assert (old, new) == ("more.lines", None) or (finished and (old, new) == (None, "fresh"))
    assert outside.beside() == []


def _kill(patched: pytest.MonkeyPatch, at: str, nth: int) -> None:
    """From the nth call on, nothing of ours reaches the server any more: not even what would tidy up."""
    real: dict[str, Callable[..., Any]] = {name: getattr(server, name) for name in ("drop", "create", "rename")}
    calls = {"count": 0, "dead": 0}

    def mortal(name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls["count"] += name == at
            if calls["dead"] or (name == at and calls["count"] == nth):
                calls["dead"] = 1
                raise Killed
            return real[name](*arguments)

        return call

    for name in real:
        patched.setattr(server, name, mortal(name))


def test_of_two_renames_both_happen_or_none(outside: Case) -> None:
    with server.administering(outside.url) as connection:
        for second in ((f"{outside.name}_gone", f"{outside.name}_x"), (f"{outside.name}_y", "postgres")):
            with pytest.raises(psycopg.Error):
                server.rename(connection, (outside.name, f"{outside.name}_y"), second)
            assert server.exists(connection, outside.name)


def test_what_stands_beside_a_database_has_a_name_that_fits() -> None:
    assert aside("shop", "new") == "shop__devctl_new"
    long = [aside("ä" * 30 + str(number), "replaced") for number in range(3)]
    assert len(set(long)) == 3
    assert all(len(each.encode()) <= 63 for each in long)


def test_the_tools_are_those_of_the_servers_version_or_the_next_newer() -> None:
    have = [(18, "/eighteen"), (15, "/fifteen"), (16, "/sixteen")]
    assert [choose(have, each) for each in (14, 15, 16, 17, 18)] == [
        (15, "/fifteen"), (15, "/fifteen"), (16, "/sixteen"), (18, "/eighteen"), (18, "/eighteen")
    ]  # fmt: skip
    assert choose(have, 19) is None
    assert "PostgreSQL 19" in dump.missing(19).what


def test_newer_tools_than_the_server_do_too(inside: Case, embedded: Any, tmp_path: Path) -> None:
    """pg_restore 17 and later set what older servers don't know."""
    inside.fill()
    found = dump.on_this_machine(18, inside.url, os.environ, _folder_of(embedded.port))
    assert found
    inside.store.tools = lambda _: found
    contents = inside.store.save(tmp_path / "copy")
    inside.store.load(tmp_path / "copy", contents)
    inside.store.swap()
    assert inside.count() == 2


def test_no_password_is_in_any_argument(inside: Case) -> None:
    tools = inside.store.tools(15)
    assert inside.url.password == "pw"
    assert "pw" not in " ".join(tools.argv("pg_dump", "--format=custom")).split()
    assert "PGPASSWORD" in tools.argv("pg_dump"), "by its name alone"
