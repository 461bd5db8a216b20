"""SQLite databases saved, restored and renewed: by its own transactions, whoever has the file open."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from devctl.errors import DevctlError
from devctl.safety.sqlite import SqliteStore
from devctl.safety.url import parse


@pytest.fixture(params=["delete", "wal"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SqliteStore]:
    """A file with three rows, in both ways SQLite keeps its journal."""
    found = SqliteStore(parse(f"sqlite:///{tmp_path}/it's a shop.db"))
    run(
        found,
        f"pragma journal_mode = {request.param}",
        'create table "odd ""name" (id int)',
        "create table a (id int)",
        "insert into a values (1), (2), (3)",
        "create table alembic_version (version_num text)",
        "insert into alembic_version values ('7f3a')",
    )
    yield found
    left = {path.name for path in tmp_path.iterdir()} - {"copy", "broken"}
    assert {name for name in left if "devctl" in name} == set(), "nothing stands beside the file when all is done"


def run(store: SqliteStore, *statements: str) -> list[tuple[int]]:
    with closing(sqlite3.connect(store.file, isolation_level=None)) as connection:
        rows: list[tuple[int]] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        return rows


def count(store: SqliteStore) -> int:
    return run(store, "select count(*) from a")[0][0]


def test_all_of_it_comes_back_for_those_too_who_have_it_open(store: SqliteStore, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store.file, isolation_level=None)) as service:
        service.execute("insert into a values (4)")
        contents = store.save(tmp_path / "copy")
        assert (contents.revisions, contents.rows['odd "name'], contents.rows["a"]) == (("7f3a",), 0, 4)
        service.execute("delete from a")
        service.execute("create table later (id int)")
        store.load(tmp_path / "copy", contents)
        store.swap()
        assert service.execute("select count(*) from a").fetchone() == (4,)
        service.execute("insert into a values (5)")
    assert count(store) == 5
    assert run(store, "select count(*) from sqlite_master where name = 'later'") == [(0,)]


def test_a_file_that_is_gone_comes_back(store: SqliteStore, tmp_path: Path) -> None:
    contents = store.save(tmp_path / "copy")
    store.file.unlink()
    assert not store.exists()
    assert store.is_empty()
    store.load(tmp_path / "copy", contents)
    store.swap()
    assert count(store) == 3


def test_a_damaged_backup_replaces_nothing(store: SqliteStore, tmp_path: Path) -> None:
    contents = store.save(tmp_path / "copy")
    whole = (tmp_path / "copy").read_bytes()
    for broken in (whole[:-4096], b"no database at all" * 100, whole[:100] + b"\xff" * 8000 + whole[8100:]):
        (tmp_path / "broken").write_bytes(broken)
        with pytest.raises(DevctlError):
            store.load(tmp_path / "broken", contents)
    with closing(sqlite3.connect(tmp_path / "copy")) as lying:  # it can be read, and is not what it says
        lying.execute("insert into a values (null)")
        lying.execute("pragma writable_schema = on")
        lying.execute("update sqlite_master set sql = 'create table a (id int not null)' where name = 'a'")
        lying.commit()
    with pytest.raises(DevctlError, match="damaged"):
        store.load(tmp_path / "copy", None)
    (tmp_path / "copy").write_bytes(whole)
    changed = type(contents)(contents.revisions, contents.tables, {**contents.rows, "a": 4})
    with pytest.raises(DevctlError, match="nothing was changed"):
        store.load(tmp_path / "copy", changed)
    assert count(store) == 3


def test_a_reset_stays_when_it_ends_well_and_is_undone_when_not(store: SqliteStore) -> None:
    def reset(failure: BaseException | None) -> None:
        with store.renewed():
            assert store.is_empty()
            run(store, "create table fresh (id int)")
            if failure:
                raise failure

    with pytest.raises(KeyboardInterrupt):
        reset(KeyboardInterrupt())
    assert count(store) == 3
    reset(None)
    assert run(store, "select name from sqlite_master") == [("fresh",)]


def test_a_reset_of_nothing_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(parse(f"sqlite:///{tmp_path}/new.db"))

    def reset() -> None:
        with store.renewed():
            run(store, "create table fresh (id int)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reset()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_reset_is_undone_by_the_next_command(store: SqliteStore) -> None:
    killed = (
        "import os, sys; from devctl.safety.sqlite import SqliteStore; from devctl.safety.url import parse\n"
        "with SqliteStore(parse(sys.argv[1])).renewed(): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", killed, store.url.text()], check=False, timeout=60).returncode == 9
    assert store.is_empty()
    (said,) = store.recover()
    assert "is again what it was" in said
    assert count(store) == 3
    assert store.recover() == []


def test_a_lock_of_somebody_else_is_told(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devctl.safety.sqlite.PATIENCE", 0.1)
    contents = store.save(tmp_path / "copy")
    store.load(tmp_path / "copy", contents)
    with closing(sqlite3.connect(store.file, isolation_level=None)) as service:
        service.execute("begin immediate")
        service.execute("insert into a values (4)")
        with pytest.raises(DevctlError, match="locked") as caught:
            store.swap()
        service.execute("commit")
    assert caught.value.code == 3
    assert count(store) == 4
    store.recover()
