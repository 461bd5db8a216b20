"""``db check`` and ``hold: schema`` of a service in a container, whose Python and whose address count."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MODELS = """
from sqlalchemy import Column, Integer, MetaData, String, Table
metadata = MetaData()
Table("users", metadata, Column("id", Integer, primary_key=True), Column("key", String(64)))
"""


@pytest.fixture
def stack(docker: Any, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Any]:
    """Containers of a database and an API, and a process that needs the API. ``run(*words)`` is devctl; in
    the API's container has this environment's packages lent to it."""
    database, api, ui = free_port(), free_port(), free_port()
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "models.py").write_text(MODELS)
    (tmp_path / "stack.yml").write_text(f"""
services:
  db:
    image: {os.environ.get("POSTGRES_IMAGE", "postgres:16-alpine")}
    environment: {{POSTGRES_USER: cc, POSTGRES_PASSWORD: "p@ss/word", POSTGRES_DB: shop}}
    ports: ["127.0.0.1:{database}:5432"]
  api:
    image: {os.environ.get("PYTHON_IMAGE", "python:3.12-slim")}
    command: [python3, -m, http.server, "8000"]
    working_dir: /app
    init: true
    volumes: ["{tmp_path / "app"}:/app:ro", "{sysconfig.get_path("purelib")}:/lent:ro"]
    environment: {{PYTHONPATH: /lent, PYTHONDONTWRITEBYTECODE: "1"}}
    ports: ["127.0.0.1:{api}:8000"]
""")
    manifest = {
        "db": {"compose": "db", "ports": [database], "health": f"tcp://127.0.0.1:{database}"},
        "api": {
            "compose": "api", "ports": [api], "health": f"http://127.0.0.1:{api}/", "depends_on": ["db"],
            "database": {
                "url": f"${{SHOP_URL:-postgresql://cc:p%40ss%2Fword@localhost:{database}/shop}}",
                "models": "models:metadata", "hold": "schema",
            },
        },
        "ui": {
            "path": ".", "command": ["python3", "-m", "http.server", str(ui), "--bind", "127.0.0.1"], "ports": [ui],
            "health": f"http://127.0.0.1:{ui}/", "depends_on": ["api"],
        },
    }  # fmt: skip
    compose = {"file": "stack.yml", "project": docker.project}
    lines = f"name: boxes\ncompose: {json.dumps(compose)}\nservices: {json.dumps(manifest)}\n"
    (tmp_path / "services.yaml").write_text(lines)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        import sys

        environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "DOCKER_HOST": docker.host}
        return subprocess.run(
            [sys.executable, "-m", "devctl", *words], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=120, check=False, env=environment,
        )  # fmt: skip

    run.port = database  # type: ignore[attr-defined]
    yield run
    run("down", "--yes")


@pytest.mark.timeout(400)
def test_of_a_service_in_a_container(stack: Any, poll: Callable[..., Any]) -> None:
    import psycopg

    done = stack("up")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "schema of api is behind its models (users is missing): devctl db check" in done.stdout
    checked = stack("db", "check", "--json")
    assert checked.returncode == 1, checked.stderr
    found = json.loads(checked.stdout)
    assert [(each["kind"], each["table"], each["breaks"]) for each in found["differences"]] == [
        ("missing_table", "users", ["ui"])
    ]
    with psycopg.connect(f"postgresql://cc:p%40ss%2Fword@127.0.0.1:{stack.port}/shop", autocommit=True) as connection:
        connection.execute("create table users (id serial primary key, key varchar(64))")
    poll(lambda: stack("status").returncode == 0, 60, "the hold has lifted")
    assert stack("db", "check").returncode == 0
    assert stack("down", "api").returncode == 0
    once = stack("db", "check")
    assert once.returncode == 0, "in a container made for it: " + once.stdout + once.stderr
