"""Databases before a deployment: a real PostgreSQL, real migrations, and a service that really logs somebody in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.timeout(400)
MODELS = """
from sqlalchemy import String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
print("models print something")
class Base(DeclarativeBase): pass
class User(Base):
    __tablename__ = "users"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    password: Mapped[str | None] = mapped_column(Text)
    api_key: Mapped[str | None] = mapped_column(String(64))
"""
ENV = """
from alembic import context
from sqlalchemy import create_engine
url = context.config.get_main_option("sqlalchemy.url").replace("postgresql:", "postgresql+psycopg:")
with create_engine(url).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = {id!r}, {down!r}
def upgrade():
    {up}
def downgrade():
    {back}
"""
FIRST = (
    "op.create_table('users', sa.Column('name', sa.String(40), primary_key=True), sa.Column('password', sa.Text()))",
    "op.drop_table('users')",
)
SECOND = ("op.add_column('users', sa.Column('api_key', sa.String(64)))", "op.drop_column('users', 'api_key')")
SEED = """
import os, pathlib, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    password = os.environ["ADMIN_PASSWORD"]
    connection.execute("insert into users (name, password, api_key) values ('admin', %s, 'x')", [password])
pathlib.Path("seeded.out").write_text(os.environ["SECRET_KEY"] + "\\n" + os.environ["DATABASE_URL"])
"""
SERVER = """
import http.server, json, os, subprocess, sys, psycopg
subprocess.Popen(["sleep", "600"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if self.path == "/health" else 404)
    def do_POST(self):
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            row = connection.execute("select password from users where name = %s", [given["user"]]).fetchone()
        self.answer(200 if row and row[0] == given["password"] else 401)
    def answer(self, status):
        self.send_response(status)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
HANGS = "open('asked.out', 'w').close(); import time; time.sleep(600)\n        given = "
LOGIN = {"request": {"url": "/login", "json": {"user": "admin", "password": "${ADMIN_PASSWORD}"}}, "status": 200}


class Shop:
    """A workspace whose API has a database with two migrations."""

    def __init__(self, workspace: Any, server: Any, database: str) -> None:
        self.workspace, self.server, self.database = workspace, server, database
        self.folder: Path = workspace.root / "api"
        (self.folder / "migrations/versions").mkdir(parents=True)
        files = {"models": MODELS, "seed": SEED, "serve": SERVER, "migrations/env": ENV}
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)
        self.migration("first", None, *FIRST)
        self.migration("second", "first", *SECOND)
        self.manifest()
        workspace.repository()
        workspace.environment["DEV_URL"] = server.url(database)

    def migration(self, name: str, down: str | None, up: str, back: str) -> None:
        """A script of a migration."""
        text = MIGRATION.format(id=name, down=down, up=up, back=back)
        (self.folder / f"migrations/versions/{name}.py").write_text(text)

    def manifest(self, login: Any = None, **service: Any) -> None:
        """services.yaml anew."""
        api = {
            "path": "api", "command": [sys.executable, "serve.py", "--port", "8999"], "ports": [8999],
            "health": {"http": "http://127.0.0.1:8999/health", "start_period": "30s"},
            "database": {
                "url": "${DATABASE_URL:-" + self.server.url(self.database) + "}", "models": "models:Base",
                "migrations": "migrations", "seed": "python seed.py",
            },
            "predeploy": {"environment": {"required": ["SECRET_KEY", "ADMIN_PASSWORD"]}, "login": login or LOGIN},
        }  # fmt: skip
        self.workspace.write({"api": {**api, **service}}, git={"branch": "dev"})

    def upgrade(self, to: str = "heads", url: str = "") -> None:
        """Migrate the database, by Alembic itself."""
        script = (
            "import sys; from alembic import command; from alembic.config import Config; c = Config();"
            " c.set_main_option('script_location', 'migrations'); c.set_main_option('sqlalchemy.url', sys.argv[1]);"
            " command.upgrade(c, sys.argv[2])"
        )
        command = [sys.executable, "-c", script, url or self.server.url(self.database), to]
        subprocess.run(command, cwd=self.folder, env=self.workspace.environment, check=True, timeout=60)

    def checks(self, *only: str, **environment: str) -> dict[str, dict[str, str]]:
        """The checks by the last part of their name."""
        words = [word for each in only for word in ("--only", each)]
        found = self.workspace.checks(*words, **environment)
        return {name.removeprefix("api/"): each for name, each in found.items()}

    def trials(self) -> list[psutil.Process]:
        """Processes of the service's that are still there."""
        mark = str(self.folder)
        return [each for each in psutil.process_iter() if _folder(each) == mark]


def _folder(process: psutil.Process) -> str:
    try:
        return process.cwd() if process.status() != psutil.STATUS_ZOMBIE else ""
    except psutil.Error:
        return ""


@pytest.fixture
def shop(shop: Any, server: Any, database: str, strong: dict[str, str]) -> Any:
    made = Shop(shop, server, database)
    shop.env(DATABASE_URL=server.url(database), **strong)
    yield made
    for process in made.trials():
        process.kill()


def test_a_database_that_fits_passes_and_nothing_is_left(shop: Shop, strong: dict[str, str]) -> None:
    shop.upgrade()
    before = shop.server.ask("select count(*) from users", shop.database)
    checks = shop.checks("api")
    assert {name: each["result"] for name, each in checks.items() if name != "secrets"} == {
        "environment": "pass", "tls": "pass", "database": "pass", "schema": "pass", "migrations": "pass",
        "rehearsal": "pass", "login": "pass",
    }, checks  # fmt: skip
    assert checks["rehearsal"]["evidence"] == "no migration is pending"
    assert checks["login"]["evidence"] == "HTTP 200 from /login after 2 migrations and the seed on a scratch database"
    assert (shop.server.scratches(), shop.trials()) == ([], [])
    assert shop.server.ask("select count(*) from users", shop.database) == before, "the target was not touched"
    key, address = (shop.folder / "seeded.out").read_text().splitlines()
    assert key not in strong.values(), "nothing of production goes into the trial"
    assert "/devctl_scratch_" in address


def test_a_database_that_is_behind_is_told_and_what_is_pending_is_rehearsed(shop: Shop) -> None:
    shop.upgrade("first")
    checks = shop.checks("schema", "migrations", "rehearsal")
    assert [each["result"] for each in checks.values()] == ["fail", "fail", "pass"]
    assert "missing column users.api_key" in checks["schema"]["evidence"]
    assert "lacks second" in checks["migrations"]["evidence"]
    assert checks["rehearsal"]["evidence"] == "second went up, down and up again on a scratch copy of its schema"
    assert shop.server.scratches() == []
    assert shop.server.ask("select version_num from alembic_version", shop.database) == [("first",)]


def test_the_rehearsal_meets_what_is_really_there(shop: Shop) -> None:
    shop.upgrade("first")
    shop.server.ask("alter table users add column api_key text", shop.database)
    found = shop.checks("rehearsal")["rehearsal"]
    assert (found["result"], "already exists" in found["evidence"]) == ("fail", True), found


def test_where_the_schema_can_not_be_copied_its_migrations_make_it(shop: Shop) -> None:
    own = ENV.replace("connection=connection", "connection=connection, version_table='versions'")
    (shop.folder / "migrations/env.py").write_text(own)
    shop.upgrade("first")
    found = shop.checks("rehearsal")["rehearsal"]
    assert (found["result"], "migrated there (" in found["evidence"]) == ("pass", True), found


def test_sqlite(shop: Shop) -> None:
    file = shop.folder / "shop_dev.out"
    shop.manifest(database={"url": "sqlite:///shop_dev.out", "migrations": "migrations"}, predeploy=None)
    missing = shop.checks("database", "rehearsal")
    assert [each["result"] for each in missing.values()] == ["fail", "pass"], missing
    shop.upgrade("first", f"sqlite:///{file}")
    before = file.read_bytes()
    found = shop.checks("database", "migrations", "rehearsal")
    assert [each["result"] for each in found.values()] == ["pass", "fail", "pass"], found
    assert found["rehearsal"]["evidence"] == "second went up, down and up again on a scratch copy of its schema"
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("up", "back", "said"),
    [
        (SECOND[0], "pass", "the downgrade does not undo the upgrade: column users.api_key"),
        (SECOND[0], "raise NotImplementedError('one way')", "the downgrade fails on a scratch database"),
        ("op.execute('select no_such_function()')", "pass", "the upgrade fails on a scratch database"),
        ("op.execute('create table if not exists other (a int)')", "op.execute('drop table users')", "does not undo"),
    ],
)
def test_a_migration_that_does_not_go_both_ways_is_found_before_production(
    shop: Shop, up: str, back: str, said: str
) -> None:
    shop.upgrade("first")
    shop.migration("second", "first", up, back)
    found = shop.checks("rehearsal")["rehearsal"]
    assert (found["result"], said in found["evidence"]) == ("fail", True), found
    assert shop.server.scratches() == []


def test_histories_that_do_not_fit(shop: Shop) -> None:
    shop.upgrade()
    shop.migration("third", "first", "pass", "pass")
    forked = shop.checks("migrations", "rehearsal")
    assert (forked["migrations"]["result"], "2 heads" in forked["migrations"]["evidence"]) == ("fail", True)
    assert forked["rehearsal"]["result"] == "skip"
    (shop.folder / "migrations/versions/third.py").unlink()
    (shop.folder / "migrations/versions/second.py").unlink()
    ahead = shop.checks("migrations", "rehearsal")
    assert (ahead["migrations"]["result"], "doesn't know" in ahead["migrations"]["evidence"]) == ("fail", True)
    assert ahead["rehearsal"]["result"] == "skip"


def test_a_database_that_lets_nobody_in_blocks_and_its_password_is_not_told(
    shop: Shop, strong: dict[str, str], free_port: Callable[[], int]
) -> None:
    wrong = "wrong-Zp4-passw0rt"
    shop.workspace.env(DATABASE_URL=shop.server.url(shop.database, wrong), **strong)
    refused = shop.checks("database", "schema", "migrations", "rehearsal")
    assert {each["result"] for each in refused.values()} <= {"skip", "fail"}
    assert "password authentication failed" in refused["database"]["evidence"]
    assert wrong not in json.dumps(refused)
    shop.workspace.env(DATABASE_URL=f"postgresql://u:{wrong}@127.0.0.1:{free_port()}/x", **strong)
    down = shop.checks("database")["database"]
    assert (down["result"], wrong in json.dumps(down)) == ("skip", False)
    assert "does not let us in" in down["evidence"]


def test_a_server_that_is_not_a_developers_own_is_never_tried_out_on(shop: Shop) -> None:
    shop.upgrade("first")
    shop.server.ask(f"create database {shop.database}_prod")
    try:
        shop.manifest(database={
            "url": "${DATABASE_URL:-" + shop.server.url(f"{shop.database}_prod") + "}", "migrations": "migrations",
        })  # fmt: skip
        checks = shop.checks("rehearsal", "login")
        assert [each["result"] for each in checks.values()] == ["skip", "skip"]
        assert "there is no server to try it out on" in checks["login"]["evidence"]
    finally:
        shop.server.ask(f"drop database {shop.database}_prod")


def test_a_database_elsewhere_must_be_spoken_to_with_tls(shop: Shop, strong: dict[str, str]) -> None:
    if sys.platform != "linux":
        pytest.skip("a container's own address is reached on Linux alone")
    address = shop.server.url(shop.database).replace(f"127.0.0.1:{shop.server.port}", f"{shop.server.inside}:5432")
    shop.workspace.env(DATABASE_URL=address, **strong)
    found = shop.checks("tls", "database")
    assert [each["result"] for each in found.values()] == ["fail", "fail"], found
    assert "does not demand TLS" in found["tls"]["evidence"]
    assert "without TLS" in found["database"]["evidence"]
    shop.workspace.env(DATABASE_URL=f"{address}?sslmode=require", **strong)
    found = shop.checks("tls", "database")
    assert found["tls"]["result"] == "pass"
    assert found["database"]["result"] == "skip", "it has no TLS, so nobody gets in"


def test_what_the_environment_lacks_this_shell_does_not_lend_it(shop: Shop, strong: dict[str, str]) -> None:
    shop.manifest(database={"url": "${DATABASE_URL:-postgresql://shop@127.0.0.1:1/none}"})
    shop.workspace.env(**strong)
    good = shop.server.url(shop.database)
    assert shop.checks("database", DATABASE_URL=good)["database"]["result"] == "skip"


def test_an_address_that_only_production_has_is_read_and_nothing_is_tried_out_there(shop: Shop) -> None:
    shop.upgrade("first")
    shop.manifest(database={"url": "${DATABASE_URL}", "migrations": "migrations"})
    checks = shop.checks("database", "rehearsal", "login")
    assert [each["result"] for each in checks.values()] == ["pass", "skip", "skip"], checks
    assert "there is no server to try it out on: the variable DATABASE_URL is not set" in checks["login"]["evidence"]
    assert shop.server.scratches() == []


def test_the_schema_of_what_is_deployed_to_is_compared_whatever_the_container_knows(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's container is a developer's, and its variable leads to the developer's database, which fits."""
    from devctl.cli.deployment.database import _schema
    from devctl.cli.deployment.tasks import case_of
    from devctl.cli.place import Place
    from devctl.safety.interpreter import Interpreter

    shop.upgrade()
    shop.workspace.env(DATABASE_URL=shop.server.url("postgres"))
    inside = {**shop.workspace.environment, "DATABASE_URL": shop.server.url(shop.database)}
    container = Interpreter((sys.executable,), str(shop.folder), inside, "its container", container=True)
    monkeypatch.setattr("devctl.cli.inside.interpreter_of", lambda *_: container)
    case = case_of(Place(shop.workspace.root / "services.yaml"), "production", [])
    outcome = _schema(case, case.services[0])
    assert (outcome.result, "missing table users" in outcome.evidence) == ("fail", True), outcome


def test_a_login_that_fails_blocks(shop: Shop) -> None:
    shop.manifest(login={"request": {"url": "/login", "json": {"user": "admin", "password": "other"}}})
    found = shop.checks("login")["login"]
    assert (found["result"], found["evidence"].startswith("HTTP 401 from /login")) == ("fail", True)
    (shop.folder / "seed.py").write_text("raise SystemExit('no seed today')")
    found = shop.checks("login")["login"]
    assert (found["result"], "no seed today" in found["evidence"]) == ("fail", True)
    assert (shop.server.scratches(), shop.trials()) == ([], [])


def test_a_service_that_does_not_start_is_told_with_its_last_words(shop: Shop) -> None:
    (shop.folder / "serve.py").write_text("import sys; sys.exit('no port today')")
    found = shop.checks("login")["login"]
    assert (found["result"], "no port today" in found["evidence"]) == ("fail", True), found
    shop.manifest(command=[sys.executable, "serve.py", "--anywhere"])
    found = shop.checks("login")["login"]
    assert (found["result"], "neither its command nor its environment says 8999" in found["evidence"]) == ("skip", True)
    assert (shop.server.scratches(), shop.trials()) == ([], [])


def start_slow(shop: Shop, poll: Any) -> subprocess.Popen[str]:
    """predeploy in the middle of a login that will not end."""
    (shop.folder / "serve.py").write_text(SERVER.replace("given = ", HANGS))
    process = subprocess.Popen(
        [sys.executable, "-m", "devctl", "predeploy", "--only", "login"], cwd=shop.workspace.root,
        env=shop.workspace.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    poll((shop.folder / "asked.out").exists, timeout=100, what="the login is asked for")
    assert len(shop.server.scratches()) == 1
    assert len(shop.trials()) == 2, "the service and its child"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_database_and_no_process(shop: Shop, poll: Any, number: int) -> None:
    with start_slow(shop, poll) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 128 + number), err
    assert "Traceback" not in out + err
    assert (shop.server.scratches(), shop.trials()) == ([], [])


def test_what_a_kill_leaves_is_found_again(shop: Shop, poll: Any) -> None:
    with start_slow(shop, poll) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    (left,) = shop.server.scratches()
    shop.server.ask("create database devctl_scratch_0123456789_1_abcdef")  # another workspace's
    try:
        (shop.folder / "serve.py").write_text(SERVER)
        assert shop.checks("login")["login"]["result"] == "pass"
        assert shop.server.scratches() == ["devctl_scratch_0123456789_1_abcdef"], left
        assert shop.trials() == []
    finally:
        shop.server.ask("drop database devctl_scratch_0123456789_1_abcdef")


def test_two_at_once_do_not_get_in_each_others_way(shop: Shop, poll: Any) -> None:
    with start_slow(shop, poll) as process:
        second = shop.checks("login")["login"]
        assert (second["result"], "another devctl predeploy" in second["evidence"]) == ("skip", True)
        assert len(shop.server.scratches()) == 1
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
