"""A login once failed with "column does not exist": models were newer than the database. Told again, with the schema
held against it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl.workspace import Workspace

REPOSITORY = Path(__file__).parents[2]
BUILT = shutil.ignore_patterns("node_modules", ".venv*", ".next", "__pycache__", ".data", "dist")
PORTS = (5432, 6379, 8000, 8080, 9000)
COLUMNS = ("api_key_sandbox", "api_key_production")
API = Path("examples/controlcore/cc-pap-api")


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def git(root: Path, *words: str) -> None:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    clean = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True, env=clean)


def make_older(api: Path) -> None:
    """The API before its users had keys: models, first rows and migrations without them."""
    models = api / "app" / "models.py"
    kept = [line for line in models.read_text().splitlines(True) if not any(name in line for name in COLUMNS)]
    models.write_text("".join(kept))
    seed = api / "init_db.py"
    seed.write_text(re.sub(r"^ *api_key_\w+=.*\n", "", seed.read_text(), flags=re.MULTILINE))
    (migration,) = (api / "migrations" / "versions").glob("*two_api_keys*")
    migration.unlink()


@pytest.fixture
def core(bench: Any) -> Iterator[Any]:
    """Control Core's API, its stores and the bouncer, in a repository with two commits: ``older`` and ``newer``."""
    for folder in (bench.root, *bench.root.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o711)  # PostgreSQL refuses to run as root, and nobody must get here
    for name in ("examples", "compose"):
        shutil.copytree(REPOSITORY / name, bench.root / name, ignore=BUILT)
    shutil.copy(REPOSITORY / "services.yaml", bench.root)
    newer = (bench.root / API / "app" / "models.py").read_text()
    versions = {path: path.read_text() for path in (bench.root / API / "migrations" / "versions").glob("*.py")}
    seed = (bench.root / API / "init_db.py").read_text()
    make_older(bench.root / API)
    git(bench.root, "init", "-q", "-b", "dev")
    git(bench.root, "add", "examples")
    git(bench.root, "commit", "-qm", "users without keys")
    git(bench.root, "tag", "older")
    (bench.root / API / "app" / "models.py").write_text(newer)
    (bench.root / API / "init_db.py").write_text(seed)
    for path, text in versions.items():
        path.write_text(text)
    git(bench.root, "add", "examples")
    git(bench.root, "commit", "-qm", "two API keys a user")
    git(bench.root, "tag", "newer")
    held = [port for port in PORTS if answers(port)]
    assert not held, f"these ports of Control Core are held by something else: {held}"
    yield bench
    done = bench.run("down", "--yes")
    assert done.code == 0, done.text
    assert Workspace(bench.root, "controlcore").holder() is None
    assert [port for port in PORTS if answers(port)] == []


def log_in() -> int:
    body = json.dumps({"username": "admin", "password": "controlcore-dev"}).encode()
    request = urllib.request.Request("http://localhost:8000/auth/login", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.timeout(400)
def test_an_older_database_under_newer_models(core: Any) -> None:
    git(core.root, "checkout", "-q", "older")
    done = core.run("up", "--native", "--", "cc-bouncer", timeout=300)
    assert done.code == 0, done.text
    assert core.run("db", "check").code == 0, "the older models fit the older database"
    assert log_in() == 200
    # The API is stopped, newer sources are checked out; the database stays what it is.
    assert core.run("down", "cc-pap-api").code == 0
    git(core.root, "checkout", "-q", "newer")
    done = core.run("up", "--native", "--", "cc-bouncer", timeout=120)
    told = (
        "schema of cc-pap-api is behind its models "
        "(users.api_key_sandbox and users.api_key_production are missing): devctl db upgrade"
    )
    assert done.code == 1
    assert re.search(rf"cc-bouncer +{re.escape(told)}", done.out), done.text
    assert log_in() == 500, "what would have been noticed an hour later"
    services = {each["name"]: each for each in core.run("status", "--json").json()["services"]}
    assert (services["cc-pap-api"]["state"], services["cc-pap-api"]["health"]) == ("running", "unhealthy")
    assert (services["cc-bouncer"]["state"], services["cc-bouncer"]["waiting_for"]) == ("stopped", ["cc-pap-api"])
    assert services["cc-bouncer"]["reason"] == f"cc-bouncer {told}"
    cause = core.run("why", "cc-bouncer", "--json").json()["root_cause"]
    assert (cause["service"], cause["hint"]) == ("cc-pap-api", "devctl db upgrade")
    checked = core.run("db", "check", "--json")
    assert checked.code == 1
    missing = [each for each in checked.json()["differences"] if each["kind"] == "missing_column"]
    assert [(each["table"], each["name"]) for each in missing] == [("users", name) for name in COLUMNS]
    assert "cc-bouncer" in missing[0]["breaks"]
    upgraded = core.run("db", "upgrade", timeout=120)
    assert upgraded.code == 0, upgraded.text
    core.poll(lambda: core.run("status").code == 0, 60, "the hold has lifted by itself")
    assert core.run("db", "check").code == 0
    assert log_in() == 200
    with urllib.request.urlopen("http://localhost:8080/", timeout=10) as answer:
        assert answer.status == 200, "what waited has started"
