"""`devctl db` and migrations, by the real command: real Alembic in a service's own interpreter, on a real server."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devctl.cli.db.place import Target
from devctl.cli.db.reach import holders_of_address
from devctl.cli.place import Place
from devctl.core.model import Database, Runtime, Service

pytestmark = pytest.mark.timeout(400)  # a dozen commands a test, on a machine that may be busy

WIDE = """
from sqlalchemy import Column, Integer, MetaData, String
from sqlalchemy.orm import declarative_base
Base = declarative_base(metadata=MetaData())
class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String(20))
    email = Column(String(80), nullable=False)
"""
USERS = 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(40)))'


def test_the_whole_way_of_a_change(shop: Any, postgres: Any, database: str) -> None:
    """From the models to a migration, up, and back; each step by the command, nothing lost on the way."""
    shop.manifest(postgres.url(database))
    assert "1 change" in shop.done("db", "migrate", "users")
    (file,) = (shop.api / "migrations" / "versions").glob("*.py")
    first = file.name.split("_")[0]
    pending = shop.run("db", "pending")
    assert (pending.returncode, first in pending.stdout, "devctl db upgrade api" in pending.stdout) == (1, True, True)
    assert f"{first} users is applied" in shop.done("db", "upgrade")
    assert shop.run("db", "pending").returncode == 0
    postgres.run(database, "insert into users (name) values ('ada')")
    again = shop.run("db", "migrate", "nothing")
    assert (again.returncode, "nothing was written" in again.stderr) == (1, True)
    assert len(list(file.parent.glob("*.py"))) == 1

    shop.models(WIDE)
    told = shop.done("db", "migrate", "e-mail", "api")
    assert "careful: it adds users.email, which may not be empty and has no default" in told
    assert "careful: it changes the type of users.name: 40 characters become 20" in told
    failed = shop.run("db", "upgrade")
    assert failed.returncode == 1
    assert "a migration failed, and the database is as it was" in failed.stderr
    assert "email" in failed.stderr, failed.stderr
    postgres.run(database, "delete from users")
    assert "saved as api-" in shop.done("db", "upgrade")
    shown = shop.done("db", "history")
    assert re.search(r"applied +database, head +e-mail", shown), shown

    refused = shop.run("db", "downgrade")
    assert (refused.returncode, "devctl db downgrade api --yes" in refused.stderr) == (3, True)
    shop.done("db", "downgrade", "--yes")
    assert postgres.run(database, "select version_num from alembic_version") == [(first,)]
    shop.done("db", "downgrade", "--to", "base", "--yes")
    assert postgres.run(database, "select to_regclass('users')") == [(None,)]
    none = shop.run("db", "downgrade", "--yes")
    assert (none.returncode, "nothing to take back" in none.stderr) == (3, True)
    shop.done("db", "upgrade", "--to", first[:5])
    assert len(json.loads(shop.run("db", "pending", "--json").stdout)["pending"]) == 1
    assert len(shop.backups()) == 6, "before each change"


def test_a_database_that_is_ahead_is_told_where_that_came_from(shop: Any, postgres: Any, database: str) -> None:
    shop.manifest(postgres.url(database))
    shop.migration("1aaa", None, USERS)
    _git(shop.root, "init", "-q", "-b", "main")
    _commit(shop.root)
    _git(shop.root, "checkout", "-q", "-b", "feature/keys")
    shop.migration(
        "7f3a", "1aaa", 'op.add_column("users", sa.Column("key", sa.Text))', 'op.drop_column("users", "key")'
    )
    _commit(shop.root)
    shop.done("db", "upgrade")
    _git(shop.root, "checkout", "-q", "main")
    for verb in (["upgrade"], ["migrate", "x"]):
        done = shop.run("db", *verb)
        assert done.returncode == 1
        want = "this database has migration 7f3a, which this branch doesn't know: it came from branch feature/keys"
        assert want in done.stderr
        assert "git switch feature/keys" in done.stderr
    record = json.loads(shop.run("db", "pending", "--json").stdout)
    assert (record["place"], record["unknown"]) == ("ahead", [{"id": "7f3a", "branches": ["feature/keys"]}])
    assert postgres.run(database, "select version_num from alembic_version") == [("7f3a",)], "and nothing was changed"


def _git(root: Path, *words: str) -> None:
    environment = {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "PATH": "/usr/bin:/bin",
        "HOME": "/",
    }
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, env=environment, timeout=60)


def _commit(root: Path) -> None:
    (root / ".gitignore").write_text(".venv\n.devctl\n.state\n__pycache__\n")
    _git(root, "add", "-A")
    _git(root, "-c", "user.name=n", "-c", "user.email=n@example.com", "commit", "-qm", "x")


def test_a_forked_history_is_told_with_the_command_that_merges_it(shop: Any, postgres: Any, database: str) -> None:
    shop.manifest(postgres.url(database))
    shop.migration("1aaa", None, USERS)
    shop.migration("2bbb", "1aaa", 'op.add_column("users", sa.Column("b", sa.Text))')
    shop.migration("3ccc", "1aaa", 'op.add_column("users", sa.Column("c", sa.Text))')
    forked = shop.run("db", "upgrade")
    assert forked.returncode == 1
    assert "the migrations of api have 2 heads" in forked.stderr
    hint = re.search(r"next +devctl (.*)", forked.stderr)
    assert hint, forked.stderr
    assert hint[1] == 'db migrate --merge "merge 2bbb and 3ccc" api'
    shop.done("db", "migrate", "--merge", "merge 2bbb and 3ccc", "api")
    shop.done("db", "upgrade")
    columns = postgres.run(
        database, "select column_name from information_schema.columns where table_name = 'users' order by 1"
    )
    assert columns == [("b",), ("c",), ("id",), ("name",)]
    assert "one head" in shop.run("db", "migrate", "--merge", "again").stderr


ELSEWHERE = """
from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
with create_engine({url!r}, poolclass=NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


def test_an_env_py_that_leads_elsewhere_changes_nothing_there(shop: Any, postgres: Any, database: str) -> None:
    """A hard-coded address, or a .env that some library loads, must not be migrated because another one was judged."""
    other = f"{database}_other"
    postgres.run("postgres", f"create database {other}")
    shop.manifest(postgres.url(database))
    shop.migration("1aaa", None, USERS)
    leads = postgres.url(other).replace("postgresql://", "postgresql+psycopg://")
    (shop.api / "migrations" / "env.py").write_text(ELSEWHERE.format(url=leads))
    done = shop.run("db", "upgrade")
    assert done.returncode == 3
    assert "nothing was done" in done.stderr
    assert f"env.py leads to {other}, not to {database}" in done.stderr
    assert postgres.run(other, "select count(*) from pg_class where relname in ('users', 'alembic_version')") == [(0,)]


def test_what_is_not_a_developers_own_is_looked_at_and_not_written(shop: Any, postgres: Any, database: str) -> None:
    """Whatever env.py does: a look at production must leave nothing there."""
    name = f"{database}_prod"
    postgres.run("postgres", f"create database {name}")
    shop.migration("1aaa", None, USERS)
    shop.manifest(postgres.url(name))
    assert shop.run("db", "pending").returncode == 1
    env = shop.api / "migrations" / "env.py"
    env.write_text(
        env.read_text().replace(
            "    with context", "    connection.exec_driver_sql('create table sneaked (id int)')\n    with context", 1
        )
    )
    for known, code, words in ((name, 1, "read-only transaction"), (database, 1, "lacks 1 migration")):
        shop.manifest(postgres.url(known))
        done = shop.run("db", "pending")
        assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stderr
    assert postgres.run(name, "select to_regclass('sneaked'), to_regclass('alembic_version')") == [(None, None)]


def test_what_goes_wrong_in_there_is_told_without_the_password(shop: Any, postgres: Any, database: str) -> None:
    role, password = f"{database}_role", "pä$$w:o/r@d %'\"\\x"
    postgres.run("postgres", f"""create role {role} login password 'pä$$w:o/r@d %''"\\x'""")
    try:
        postgres.run("postgres", f"alter database {database} owner to {role}")
        shop.manifest("${DATABASE_URL}")
        address = postgres.url(database, role, "p%C3%A4%24%24w%3Ao%2Fr%40d%20%25%27%22%5Cx")
        shop.migration(
            "1aaa", None, f'raise RuntimeError(op.get_bind().engine.url.render_as_string(False) + " " + {password!r})'
        )
        done = shop.run("db", "upgrade", DATABASE_URL=address)
        assert done.returncode == 1
        assert "a migration failed, and the database is as it was" in done.stderr, done.stderr
        assert "RuntimeError" in done.stderr
        for spelling in (password, "w:o/r", "%2Fr%40d", "o/r@d"):
            assert spelling not in done.stdout + done.stderr
        shown = shop.done("db", "url", DATABASE_URL=address).strip()
        assert shown == f"postgresql://{role}:…@localhost:{postgres.port}/{database}"
        wrong = shop.run("db", "pending", DATABASE_URL=address.replace("%5Cx", "secretly"))
        assert wrong.returncode == 3
        assert "secretly" not in wrong.stderr
    finally:
        postgres.run("postgres", f"alter database {database} owner to cc", f"drop role {role}")


def test_bad_input_is_told_by_name(shop: Any, postgres: Any, database: str) -> None:
    shop.manifest(postgres.url(database), migrations="")
    assert "api has no migrations" in shop.run("db", "pending").stderr
    shop.manifest(postgres.url(database), migrations="nowhere")
    done = shop.run("db", "pending")
    assert (done.returncode, "there is no env.py of Alembic's" in done.stderr) == (2, True)
    shop.manifest(postgres.url(database))
    assert shop.run("db", "upgrade", "--to", "zzz").returncode == 2
    (shop.api / "models.py").write_text("raise ImportError('no such thing')")
    done = shop.run("db", "pending")
    assert (done.returncode, "no such thing" in done.stderr) == (1, True)
    shop.manifest("postgresql://cc:pw@localhost:1/shop_test")
    done = shop.run("db", "pending")
    assert (done.returncode, "does not let us in" in done.stderr) == (3, True)


@pytest.mark.parametrize("verb", ["upgrade", "downgrade", "migrate", "backup", "restore", "reset"])
def test_a_database_that_is_not_a_developers_own_is_refused_whatever_is_given(shop: Any, verb: str) -> None:
    words = {"downgrade": ["--yes"], "migrate": ["x"], "restore": ["--yes"], "reset": ["--yes"]}.get(verb, [])
    for url, switch, why in (
        ("postgresql://cc:pw@db.example.com/shop_dev", "", "db.example.com is not this machine"),
        ("postgresql://cc:pw@localhost:1/shop_prod", "true", "CC_DROP_TABLES=true changes nothing about that"),
    ):
        shop.manifest(url)
        done = shop.run("db", verb, *words, CC_DROP_TABLES=switch)
        assert done.returncode == 3
        assert why in done.stderr, done.stderr
        assert not (shop.root / ".devctl").exists(), "nothing was even begun"


@pytest.mark.parametrize("where", ["environment", "env_file"])
def test_a_start_that_would_drop_tables_elsewhere_is_refused_by_the_switchs_name(shop: Any, where: str) -> None:
    shop.manifest("postgresql://cc:pw@db.example.com/shop")
    (shop.root / "drop.env").write_text("CC_DROP_TABLES=true\n")
    if where == "env_file":
        text = (shop.root / "services.yaml").read_text()
        (shop.root / "services.yaml").write_text(
            text.replace("    path: api\n", "    path: api\n    env_file: drop.env\n")
        )
    done = shop.run("up", **({"CC_DROP_TABLES": "true"} if where == "environment" else {}))
    assert done.returncode == 3
    assert "CC_DROP_TABLES=true is refused: it would drop the tables of db.example.com/shop" in done.stderr
    assert not (shop.root / ".devctl" / "logs" / "api.log").exists(), "nothing was started"
    shop.run("down", "--no-sync")


@pytest.mark.parametrize(
    ("template", "variables"),
    [
        ("${DATABASE_URL}", ("DATABASE_URL",)),
        ("${DATABASE_URL:-postgresql://${WHO:-cc}@localhost/shop}", ("DATABASE_URL",)),
        ("${DIALECT}://cc@localhost/${NAME}", ()),
        ("${BASE}/shop", ()),
        ("postgresql://localhost/shop", ()),
    ],
)
def test_only_a_variable_that_holds_the_whole_address_is_given_it(template: str, variables: tuple[str, ...]) -> None:
    service = Service(name="api", runtime=Runtime.PROCESS, database=Database(template))
    assert holders_of_address(Target(Place(Path("services.yaml")), service)) == variables
