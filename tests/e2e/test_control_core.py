"""Control Core itself, from its own manifest: up, a login through the web page, the bouncer, down. With containers and
without.

A copy is started, so that a checkout's own data and environments are left alone; its ports are the fixed ones.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl.workspace import Workspace

REPOSITORY = Path(__file__).parents[2]
PORTS = {
    "postgres": 5432,
    "redis": 6379,
    "api": 8000,
    "signup": 8002,
    "bouncer": 8080,
    "demo": 9000,
    "docs": 3000,
    "pap": 5173,
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BUILT = shutil.ignore_patterns("node_modules", ".venv*", ".next", "__pycache__", ".data", "dist")


@pytest.fixture
def control_core(bench: Any) -> Iterator[Any]:
    """The workspace, in a folder that another user may enter: PostgreSQL refuses to run as root."""
    for folder in (bench.root, *bench.root.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o711)
    for name in ("examples", "compose"):
        shutil.copytree(REPOSITORY / name, bench.root / name, ignore=BUILT)
    shutil.copy(REPOSITORY / "services.yaml", bench.root)
    held = [name for name, port in PORTS.items() if _answers(port)]
    assert not held, f"these ports of Control Core are held by something else: {held}"
    yield bench
    done = bench.run("down", "--yes")
    assert done.code == 0, done.text
    assert Workspace(bench.root, "controlcore").holder() is None
    assert [name for name, port in PORTS.items() if _answers(port)] == []


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(url: str, body: object = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            code, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        code, text = error.code, error.read().decode()
    try:
        return code, json.loads(text)
    except json.JSONDecodeError:
        return code, text


def everything_works(runtime: str, core: Any) -> None:
    """What a developer does first in the morning."""
    status = core.run("status", "--json")
    assert status.code == 0, status.text
    services = {each["name"]: each for each in status.json()["services"]}
    central = ("postgres", "redis", "cc-pap-api", "cc-signup-service", "cc-bouncer")
    assert {services[name]["runtime"] for name in central} == {runtime}
    assert services["cc-pap"]["runtime"] == services["cc-docs"]["runtime"] == "process"
    code, session = ask("http://localhost:8000/auth/login", {"username": "admin", "password": "controlcore-dev"})
    assert code == 200
    code, policies = ask("http://localhost:8000/policies", headers={"Authorization": f"Bearer {session['token']}"})
    assert code == 200
    assert policies
    assert ask("http://localhost:8080/")[0] == 200, "the bouncer lets a public page through"
    assert ask("http://localhost:8080/payroll")[0] == 403, "and refuses what a policy closes"
    assert ask("http://localhost:8002/")[0] == 200
    assert ask("http://localhost:3000/")[0] == 200
    log_in_through_the_page()
    checked = core.run("db", "check")
    assert checked.code == 0, checked.text


def the_database_is_migrated(core: Any) -> None:
    """Back and forth by the service's own Alembic, wherever that lives, with a copy made before each."""
    done = core.run("db", "downgrade", "--yes")
    assert done.code == 0, done.text
    behind = core.run("db", "pending", "--json")
    assert (behind.code, [each["id"] for each in behind.json()["pending"]]) == (1, ["7f3a65b0d91e"])
    done = core.run("db", "upgrade")
    assert done.code == 0, done.text
    assert "7f3a65b0d91e" in done.out
    assert "saved as cc-pap-api-" in done.out


def the_database_is_made_anew(core: Any) -> None:
    """While all services run: they are cut off, connect again by themselves, and the login works on."""
    done = core.run("db", "reset", "--yes")
    assert done.code == 0, done.text
    assert "3 migrations applied" in done.out
    code, _ = ask("http://localhost:8000/auth/login", {"username": "admin", "password": "controlcore-dev"})
    assert code == 200


def log_in_through_the_page() -> None:
    """In a real browser, as a person would."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on this machine to log in with")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*quiet, "--disable-component-update"])
        page = browser.new_page()
        page.goto("http://localhost:5173/")
        page.get_by_label("Password").fill("wrong")
        page.get_by_label("User").fill("admin")
        page.get_by_role("button").first.click()
        page.get_by_role("alert").wait_for()
        page.get_by_label("Password").fill("controlcore-dev")
        page.get_by_role("button").first.click()
        page.get_by_text("Payroll stays closed").wait_for()
        browser.close()


@pytest.mark.timeout(400)
def test_without_docker(control_core: Any) -> None:
    done = control_core.run("up", "--native", timeout=300)
    assert done.code == 0, done.text
    assert "http://localhost:5173/" in done.out
    everything_works("process", control_core)
    assert "--native" in control_core.run("status").out, "which runtime was chosen, and why, is never silent"
    the_database_is_made_anew(control_core)


@pytest.mark.timeout(400)
def test_where_no_engine_answers_the_natives_run_and_it_is_said(control_core: Any) -> None:
    control_core.environment["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    done = control_core.run("up", "postgres", "redis", timeout=300)
    assert done.code == 0, done.text
    assert "no Docker engine answers" in done.text
    services = {each["name"]: each for each in control_core.run("status", "--json").json()["services"]}
    assert services["postgres"]["runtime"] == services["redis"]["runtime"] == "process"


@pytest.mark.timeout(400)
def test_with_docker(docker: Any, control_core: Any) -> None:
    project = docker.new_project()
    text = (control_core.root / "services.yaml").read_text()
    (control_core.root / "services.yaml").write_text(text.replace("project: controlcore", f"project: {project}"))
    done = control_core.run("up", timeout=300)
    assert done.code == 0, done.text
    everything_works("container", control_core)
    the_database_is_migrated(control_core)
    the_database_is_made_anew(control_core)
    again = control_core.run("up")
    assert "nothing to do" in again.out
    stale = control_core.root / "examples" / "controlcore" / "cc-bouncer" / "app" / "main.py"
    stale.write_text(stale.read_text() + "\n# changed\n")
    plan = control_core.run("up", "--dry-run").out
    assert "cc-bouncer" in plan
    assert "main.py" in plan
    before = {each["name"]: each["container"] for each in control_core.run("status", "--json").json()["services"]}
    assert control_core.run("up", timeout=300).code == 0
    after = {each["name"]: each["container"] for each in control_core.run("status", "--json").json()["services"]}
    assert {name for name in after if after[name] != before[name]} == {"cc-bouncer"}, "only what was stale is made anew"


Free = Callable[[], int]


def test_containers_and_processes_depend_on_each_other(docker: Any, bench: Any, free_port: Free) -> None:
    """A container waits for a process and a process for a container; `docker compose` by hand goes on working."""
    cache, app = free_port(), free_port()
    (bench.root / "stack.yml").write_text(f"""
services:
  cache:
    image: {os.environ.get("REDIS_IMAGE", "redis:7-alpine")}
    ports: ["127.0.0.1:{cache}:6379"]
volumes: {{kept: {{}}}}
""")
    project = docker.new_project()
    bench.write(
        {
            "first": bench.server(free_port()),
            "cache": {
                "compose": "cache",
                "ports": [cache],
                "health": f"tcp://127.0.0.1:{cache}",
                "depends_on": ["first"],
            },
            "app": bench.server(app, "cache"),
        },
        compose={"file": "stack.yml", "project": project},
    )
    bench.up()
    found = bench.services()
    assert found["cache"]["runtime"] == "container"
    assert found["cache"]["container"]
    assert found["first"]["since"] <= found["cache"]["since"] <= found["app"]["since"]
    before = found["cache"]["container"]
    assert bench.run("restart", "cache").code == 0
    assert bench.services()["cache"]["container"] == before, "restarted, not made anew"
    os.kill(bench.supervisor(), 9)
    assert "nothing to do" in bench.up().out
    assert bench.run("logs", "cache").out.strip()
    assert bench.run("down", "--yes").code == 0
    states = [each["State"] for each in docker.containers(project)]
    assert states == ["exited"], "stopped, and left for the next up"
