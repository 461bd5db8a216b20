"""`devctl db backup, restore, reset, url, shell`, by the real command."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(400)  # a dozen commands a test, on a machine that may be busy

SEED = """
import os, sqlalchemy as sa
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
with sa.create_engine(url).begin() as connection:
    connection.execute(sa.text("insert into users (name) values ('seeded')"))
print("seeded", os.sys.prefix)
"""
USERS = 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(40)))'
URL = "${DATABASE_URL:-%s}"


def names(server: Any, database: str) -> list[str]:
    return [str(row[0]) for row in server.run(database, "select name from users order by id")]


def test_a_reset_fills_a_fresh_database_and_keeps_the_old_one(shop: Any, postgres: Any, database: str) -> None:
    shop.manifest(URL % postgres.url(database), seed="python seed.py")
    (shop.api / "seed.py").write_text(SEED)
    shop.migration("1aaa", None, USERS)
    postgres.run(database, "create table old (id int)")
    unasked = shop.run("db", "reset")
    assert (unasked.returncode, "devctl db reset api --yes" in unasked.stderr) == (3, True)
    done = shop.done("db", "reset", "--yes")
    assert "1 migration applied" in done
    assert "filled by: python seed.py" in done
    assert names(postgres, database) == ["seeded"]
    assert postgres.run(database, "select to_regclass('old')") == [(None,)]
    (file,) = shop.backups()
    assert file.name in done
    assert oct(file.stat().st_mode & 0o777) == "0o600"

    (shop.api / "seed.py").write_text("print('no such luck'); raise SystemExit(3)")
    failed = shop.run("db", "reset", "--yes")
    assert failed.returncode == 1
    assert "the seed failed: python seed.py" in failed.stderr
    assert "no such luck" in failed.stderr
    assert names(postgres, database) == ["seeded"], "as it was"
    assert [each for each in postgres.databases() if each.startswith(database)] == [database]


def test_a_restore_puts_back_what_was_saved_and_keeps_what_it_replaces(shop: Any, postgres: Any, database: str) -> None:
    shop.manifest(postgres.url(database), migrations="")
    postgres.run(database, "create table users (id int, name text)", "insert into users values (1, 'ada')")
    saved = shop.done("db", "backup", "-m", "before the weekend")
    (file,) = shop.backups()
    assert file.name in saved
    postgres.run(database, "insert into users values (2, 'bob')")
    unasked = shop.run("db", "restore")
    assert (unasked.returncode, f"--backup {file.name} --yes" in unasked.stderr) == (3, True)
    shop.done("db", "restore", "--yes")
    assert names(postgres, database) == ["ada"]
    listed = shop.done("db", "restore", "--list").splitlines()
    assert ("was restored" in listed[1], "before the weekend" in listed[2], len(listed)) == (True, True, 3)
    file.write_bytes(file.read_bytes()[:-1])
    damaged = shop.run("db", "restore", "--backup", str(file), "--yes")
    assert (damaged.returncode, "damaged" in damaged.stderr) == (3, True)
    assert names(postgres, database) == ["ada"]


def test_a_seed_finds_no_other_database_in_the_usual_variable(shop: Any, postgres: Any, database: str) -> None:
    """The manifest says the address itself, and this shell's DATABASE_URL leads elsewhere."""
    shop.manifest(postgres.url(database), migrations="", seed="python seed.py")
    (shop.api / "seed.py").write_text("import os; open('seen', 'w').write(os.environ['DATABASE_URL'])")
    shop.done("db", "reset", "--yes", DATABASE_URL="postgresql://cc:pw@db.example/production")
    assert (shop.api / "seen").read_text() == postgres.url(database)


def test_whoever_else_is_connected_is_named_and_left_alone(shop: Any, postgres: Any, database: str) -> None:
    """A client of this machine comes through the engine's proxy: it is found by who has the port open."""
    shop.manifest(postgres.url(database), migrations="")
    postgres.run(database, "create table users (id int)")
    client = "import psycopg, sys, time; c = psycopg.connect(sys.argv[1]); print(flush=True); time.sleep(300)"
    argv = [sys.executable, "-c", client, postgres.url(database)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout
            other.stdout.readline()
            done = shop.run("db", "reset", "--yes")
        finally:
            other.kill()
    assert done.returncode == 3
    assert "somebody else is connected" in done.stderr
    assert "user cc from" in done.stderr or f"pid {other.pid}" in done.stderr, done.stderr
    assert "users" in str(postgres.run(database, "select to_regclass('users')::text"))


def test_sqlite_the_same_way(shop: Any) -> None:
    shop.manifest("sqlite:///shop.db", seed="python seed.py")
    env = (shop.api / "migrations" / "env.py").read_text()
    assert "sqlalchemy.url" in env
    (shop.api / "seed.py").write_text(
        "import sqlite3; c = sqlite3.connect('shop.db')\n"
        "c.execute(\"insert into users (name) values ('s')\"); c.commit()\n"
    )
    shop.migration("1aaa", None, USERS)
    shop.done("db", "upgrade")
    file = shop.api / "shop.db"

    def rows() -> list[tuple[str]]:
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute("select name from users").fetchall()

    with closing(sqlite3.connect(file)) as connection:
        connection.execute("insert into users (name) values ('ada')")
        connection.commit()
    shop.done("db", "backup")
    shop.done("db", "reset", "--yes")
    assert rows() == [("s",)]
    shop.done("db", "restore", "--backup", shop.backups()[0].name, "--yes")
    assert rows() == [("ada",)]
    assert shop.done("db", "url").strip() == f"sqlite:///{file}"
    shop.manifest("sqlite:////srv/production/shop.db")
    assert shop.run("db", "reset", "--yes").returncode == 3
    (shop.api / "linked.db").symlink_to("/srv/production/shop.db")
    shop.manifest("sqlite:///linked.db")
    linked = shop.run("db", "reset", "--yes")
    assert (linked.returncode, "production" in linked.stderr) == (3, True), linked.stderr


def test_who_serves_a_socket_is_looked_at(tmp_path: Path) -> None:
    """A program called ssh serves what looks like PostgreSQL's socket."""
    from devctl.cli.db.place import tunnel_behind
    from devctl.safety.url import Server

    shutil.copy(os.path.realpath(sys.executable), tmp_path / "ssh")
    serve = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(flush=True)"
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix}
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        command = [str(tmp_path / "ssh"), "-c", f"{serve}; input()", f"{folder}/.s.PGSQL.5432"]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tunnel:
            assert tunnel.stdout is not None
            tunnel.stdout.readline()
            seen = tunnel_behind(Server(folder))
            tunnel.communicate(b"\n", timeout=60)
        assert seen is not None
        assert seen.name == "ssh"
        assert tunnel_behind(Server(folder)) is None


def test_what_runs_in_a_container_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from devctl.cli.db.place import _with_image
    from devctl.cli.place import Place
    from devctl.runtimes.containers import publisher_of
    from devctl.safety.policy import Kind, Listener

    entry = {"Id": "1", "Names": ["/db"], "Image": "alpine/socat", "Ports": [{"PublicPort": 5432, "PrivatePort": 1}]}
    monkeypatch.setattr("devctl.cli.engine.ask_engine", lambda _: SimpleNamespace(endpoint="somewhere"))
    engine = SimpleNamespace(publisher=lambda port: publisher_of(entry, port))
    monkeypatch.setattr("devctl.runtimes.engine.Engine", lambda _: engine)
    place = Place(tmp_path / "services.yaml")
    assert _with_image(place, 5432, Listener(Kind.CONTAINER, "db")).image == "alpine/socat"


def test_a_tunnel_on_localhost_is_no_local_database(shop: Any, postgres: Any, tmp_path: Path, free_port: Any) -> None:
    """Something called ssh listens on localhost and leads to a real server: nothing of that server is touched."""
    port = free_port()
    for name in ("ssh", "postgres"):
        shutil.copy(os.path.realpath(sys.executable), tmp_path / name)
    relay = (
        "import socket, sys, threading\n"
        "def pump(a, b):\n"
        "    while data := a.recv(65536): b.sendall(data)\n"
        "    b.shutdown(1)\n"
        "listener = socket.create_server((sys.argv[3], int(sys.argv[1])))\n"
        "while True:\n"
        "    near, _ = listener.accept(); far = socket.create_connection(('127.0.0.1', int(sys.argv[2])))\n"
        "    for pair in ((near, far), (far, near)): threading.Thread(target=pump, args=pair, daemon=True).start()\n"
    )
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix}
    ports = [str(port), str(postgres.port)]
    beside = subprocess.Popen([tmp_path / "postgres", "-c", relay, *ports, "127.0.0.2"], env=environment)
    wait_for(port, "127.0.0.2")  # first of the two, and harmless by itself
    tunnel = subprocess.Popen([tmp_path / "ssh", "-c", relay, *ports, "127.0.0.1"], env=environment)
    try:
        shop.manifest(f"postgresql://cc:pw@localhost:{port}/shop_dev")
        wait_for(port)
        for words in (["reset", "--yes"], ["upgrade"], ["backup"]):
            done = shop.run("db", *words, CC_DROP_TABLES="true")
            assert done.returncode == 3, done.stderr
            assert re.search(r"ssh.*which leads to another machine", done.stderr, re.DOTALL), done.stderr
            assert "CC_DROP_TABLES=true changes nothing" in done.stderr
    finally:
        for process in (beside, tunnel):
            process.kill()
            process.wait()


def wait_for(port: int, host: str = "127.0.0.1") -> None:
    import socket
    import time

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("nobody listens")


def test_a_password_is_shown_on_a_terminal_only(shop: Any) -> None:
    shop.manifest("postgresql://cc:geheim@localhost/shop_test")
    assert shop.done("db", "url").strip() == "postgresql://cc:…@localhost/shop_test"
    refused = shop.run("db", "url", "--show-password")
    assert refused.returncode == 3
    assert "geheim" not in refused.stdout + refused.stderr


def test_the_shell_is_connected_with_nothing_in_its_arguments(shop: Any, tmp_path: Path) -> None:
    """psql is replaced by one that tells what it was started with."""
    (tmp_path / "bin").mkdir()
    psql = tmp_path / "bin" / "psql"
    psql.write_text('#!/bin/sh\necho "args:$*"; env | grep ^PG | sort\n')
    psql.chmod(0o755)
    path = f"{psql.parent}:{os.environ['PATH']}"
    shop.manifest("postgresql://cc:geheim@localhost:1/shop_test")
    told = shop.done("db", "shell", PATH=path, PGHOSTADDR="").splitlines()
    assert told == ["args:", "PGCONNECT_TIMEOUT=10", "PGDATABASE=shop_test", "PGHOST=localhost", "PGPASSWORD=geheim",
                    "PGPORT=1", "PGUSER=cc"]  # fmt: skip
    shop.manifest("postgresql://cc:geheim@db.example.com/shop")
    done = shop.run("db", "shell", PATH=path)
    assert "PGOPTIONS=-c default_transaction_read_only=on" in done.stdout
    assert "begins read-only" in done.stderr


def test_two_commands_at_a_time_do_not_meet(shop: Any, postgres: Any, database: str) -> None:
    import fcntl

    shop.manifest(postgres.url(database), migrations="")
    postgres.run(database, "create table users (id int)")
    shop.done("db", "backup")
    with (shop.root / ".devctl" / "database.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = shop.run("db", "restore", "--yes")
    assert (done.returncode, "another devctl is at work" in done.stderr) == (3, True)
