"""``hold: schema`` held, mended by hand, let go; what can't be checked is said and holds nobody."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MODELS = """
from sqlalchemy import Column, Integer, MetaData, String, Table
metadata = MetaData()
Table("users", metadata, Column("id", Integer, primary_key=True), Column("key", String(64)))
"""
pytestmark = pytest.mark.timeout(300)
Free = Callable[[], int]


def statement(bench: Any, text: str) -> None:
    with contextlib.closing(sqlite3.connect(bench.root / "app.db")) as database, database:
        database.execute(text)


def workspace(bench: Any, free_port: Free, **database: str) -> None:
    """The service api with a database, and ui, which needs it."""
    (bench.root / "models.py").write_text(MODELS)
    known = {"url": "sqlite:///app.db", "models": "models:metadata", "hold": "schema", **database}
    bench.write(
        {
            "api": bench.server(free_port(), database=known),
            "ui": bench.server(free_port(), "api"),
            "early": bench.server(
                free_port(), depends_on={"api": {"condition": "service_started", "because": "it only tells it things"}}
            ),
        }
    )


def test_held_until_it_is_mended_by_hand(bench: Any, free_port: Free) -> None:
    workspace(bench, free_port)
    statement(bench, "create table users (id integer not null primary key)")
    done = bench.run("up")
    told = "schema of api is behind its models (users.key is missing): devctl db check"
    assert done.code == 1
    assert told in done.out
    found = bench.services()
    assert {name: each["state"] for name, each in found.items()} == {
        "api": "running", "ui": "stopped", "early": "running",
    }  # fmt: skip
    assert found["ui"]["reason"] == f"ui {told}"
    assert "api has a schema that is behind its models: users.key is missing" in bench.run("why", "ui").out
    runs = found["api"]["restarts"]
    statement(bench, "alter table users add column key varchar(64)")
    bench.poll(lambda: bench.run("status").code == 0, 60, "the hold has lifted")
    assert bench.services()["api"]["restarts"] == runs == 0, "a schema is no reason to restart"
    assert bench.up().code == 0


def test_asked_again_after_mending_it_needs_no_patience(bench: Any, free_port: Free) -> None:
    workspace(bench, free_port)
    statement(bench, "create table users (id integer not null primary key)")
    assert bench.run("up").code == 1
    statement(bench, "alter table users add column key varchar(64)")
    bench.up()


def test_a_supervisor_that_was_killed_still_holds(bench: Any, free_port: Free) -> None:
    workspace(bench, free_port)
    statement(bench, "create table users (id integer not null primary key)")
    assert bench.run("up").code == 1
    os.kill(bench.supervisor(), 9)
    done = bench.run("up")
    assert done.code == 1
    assert "users.key is missing" in done.out
    assert bench.services()["ui"]["state"] == "stopped"
    statement(bench, "alter table users add column key varchar(64)")
    bench.up()


def test_what_cannot_be_checked_is_said_and_holds_nobody(bench: Any, free_port: Free) -> None:
    workspace(bench, free_port, models="nowhere:metadata")
    done = bench.up()
    told = "api has a schema that could not be checked: the models of api do not import: ModuleNotFoundError"
    assert told in done.out.replace("api  has", "api has")
    assert bench.services()["api"]["reason"].startswith(told)
    assert bench.services()["ui"]["health"] == "healthy"


def test_a_database_that_hangs_does_not_hold_up_for_ever_and_down_leaves_nothing(bench: Any, free_port: Free) -> None:
    """``down`` comes while a look is under way: what looks is ended too."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        workspace(bench, free_port, url=f"postgresql://a:se%40cret@127.0.0.1:{mute.getsockname()[1]}/c")
        done = bench.up()
        assert "could not be checked" in done.out
        assert "127.0.0.1" in done.out
        assert bench.run("down", "--yes").code == 0
        bench.poll(lambda: not lookers(bench.root), 30, "nothing looks any more")
    files = [path for path in (bench.root / ".devctl").rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert b"se@cret" not in content
        assert b"se%40cret" not in content, f"{path}: not even in the journal, though it stands in the manifest"


def lookers(root: Path) -> list[str]:
    """Processes of this Python in the workspace's folder that run a program of ours."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            if sys.executable in command and "faulthandler" in command and (entry / "cwd").resolve() == root:
                found.append(command)
    return found
