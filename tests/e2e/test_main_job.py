"""The main job: up, status, why, logs, restart, down, with real processes."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

Port = Callable[[], int]


def get(port: int, path: str = "/") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def chain(bench: Any, free_port: Port) -> tuple[int, int, int]:
    """db ← api (after the one-shot init) ← web."""
    db, api, web = free_port(), free_port(), free_port()
    bench.write(
        {
            "web": bench.server(web, "api", environment={"API": "${services.api.url}"}),
            "api": bench.server(api)
            | {"depends_on": {"db": {}, "init": {"condition": "service_completed_successfully"}}},
            "init": {"path": ".", "command": "echo tables made", "restart": "no", "depends_on": ["db"]},
            "db": bench.server(db, delay=0.3),
        },
        relations=["web <-> api"],
    )
    return db, api, web


def test_up_brings_everything_up_in_order_and_down_takes_everything_down(bench: Any, free_port: Port) -> None:
    _, api, web = chain(bench, free_port)
    done = bench.up()
    assert get(web, "/env/API") == f"http://127.0.0.1:{api}"
    assert f"http://127.0.0.1:{web}/" in done.out
    assert "db" in done.out
    found = bench.services()
    assert {name: (each["state"], each["health"]) for name, each in found.items()} == {
        "web": ("running", "healthy"),
        "api": ("running", "healthy"),
        "init": ("exited", "none"),
        "db": ("running", "healthy"),
    }
    began = {name: each["since"] for name, each in found.items()}
    assert began["db"] <= began["init"] <= began["api"] <= began["web"]
    assert bench.run("status").code == 0
    down = bench.run("down", "--yes")
    assert down.code == 0, down.text
    assert bench.marked() == []
    assert bench.run("status").code == 3


def test_up_again_changes_nothing(bench: Any, free_port: Port) -> None:
    chain(bench, free_port)
    bench.up()
    before = {name: each["pid"] for name, each in bench.services().items()}
    done = bench.up()
    assert "nothing to do" in done.out
    assert {name: each["pid"] for name, each in bench.services().items()} == before


def test_up_of_one_service_brings_what_it_needs_and_no_more(bench: Any, free_port: Port) -> None:
    chain(bench, free_port)
    bench.up("api")
    found = bench.services()
    assert found["api"]["health"] == found["db"]["health"] == "healthy"
    assert found["web"]["state"] == "stopped"


def test_down_of_one_service_takes_what_needs_it(bench: Any, free_port: Port) -> None:
    chain(bench, free_port)
    bench.up()
    assert bench.run("down", "api", "--yes").code == 0
    found = bench.services()
    assert (found["web"]["state"], found["api"]["state"], found["db"]["state"]) == ("stopped", "stopped", "running")


def test_a_failed_service_shows_its_cause_and_spares_its_siblings(bench: Any, free_port: Port) -> None:
    port = free_port()
    bench.write(
        {
            "broken": {
                "path": ".",
                "command": "echo cannot reach the moon; exit 3",
                "restart": {"policy": "on-failure", "max_retries": 1, "initial_delay": "50ms"},
                "health": f"http://127.0.0.1:{free_port()}/",
            },
            "leaf": bench.server(free_port(), "broken"),
            "sibling": bench.server(port),
        }
    )
    done = bench.run("up")
    assert done.code == 1
    assert "cannot reach the moon" in done.text
    assert "exit code 3" in done.text
    assert get(port) == ""
    found = bench.services()
    assert found["broken"]["state"] == "fatal"
    assert found["leaf"]["waiting_for"] == ["broken"]
    assert found["leaf"]["reason"]
    assert bench.run("status").code == 1
    why = bench.run("why", "leaf", "--json").json()
    assert why["root_cause"]["service"] == "broken"
    assert "cannot reach the moon" in why["root_cause"]["evidence"]
    assert "broken" in bench.run("why", "leaf").out


def test_why_says_what_needs_what_and_what_to_think_of(bench: Any, free_port: Port) -> None:
    chain(bench, free_port)
    bench.up()
    why = bench.run("why", "api", "--json").json()
    assert [each["service"] for each in why["depends_on"]] == ["db", "init"]
    assert why["dependents"] == ["web"]
    assert why["related"] == ["web"]
    assert why["start_order"] == ["db", "init", "api"]
    assert why["root_cause"] is None


def test_restart_makes_it_anew_and_leaves_the_rest(bench: Any, free_port: Port) -> None:
    chain(bench, free_port)
    bench.up()
    before = bench.services()
    assert bench.run("restart", "api").code == 0
    after = bench.services()
    assert after["api"]["pid"] != before["api"]["pid"]
    assert (after["web"]["pid"], after["db"]["pid"]) == (before["web"]["pid"], before["db"]["pid"])
    assert after["api"]["health"] == "healthy"


def test_logs_are_merged_filtered_and_machine_readable(bench: Any, free_port: Port) -> None:
    _, api, _ = chain(bench, free_port)
    bench.up()
    get(api, "/hello")
    lines = bench.run("logs").out
    assert "tables made" in lines
    bench.poll(lambda: "request /hello" in bench.run("logs", "api").out)
    assert "tables made" not in bench.run("logs", "api").out
    found = bench.run("logs", "--grep", "hello", "--json").out.splitlines()
    records = [json.loads(line) for line in found]
    assert {(each["service"], each["line"]) for each in records} == {("api", "request /hello")}
    assert len(bench.run("logs", "api", "-n", "1").out.splitlines()) == 1


def test_a_changed_definition_restarts_that_service_alone(bench: Any, free_port: Port) -> None:
    one, two = free_port(), free_port()
    services = {"one": bench.server(one), "two": bench.server(two)}
    bench.write(services)
    bench.up()
    before = bench.services()
    services["two"]["environment"] = {"COLOUR": "green"}
    bench.write(services)
    assert "two" in bench.run("up", "--dry-run").out
    bench.up()
    after = bench.services()
    assert after["one"]["pid"] == before["one"]["pid"]
    assert get(two, "/env/COLOUR") == "green"


def test_dry_run_starts_nothing_and_says_why(bench: Any, free_port: Port) -> None:
    chain(bench, free_port)
    done = bench.run("up", "--dry-run")
    assert done.code == 0, done.text
    assert done.out.index("db") < done.out.index("web")
    assert bench.marked() == []
    assert bench.run("status").code == 3


def test_secrets_are_in_no_file_of_the_state_folder(bench: Any, free_port: Port) -> None:
    port = free_port()
    bench.write({"web": bench.server(port, environment={"SECRET": "${TOKEN}"})})
    done = bench.run("up", TOKEN="s3cr3t-value-42")
    assert done.code == 0, done.text
    assert get(port, "/env/SECRET") == "s3cr3t-value-42"
    for path in (bench.root / ".devctl").rglob("*"):
        if path.is_file():
            assert b"s3cr3t-value-42" not in path.read_bytes(), path
    assert (bench.root / ".devctl" / "devctl.sock").stat().st_mode & 0o777 == 0o600


def test_setup_runs_once_and_again_when_its_input_changed(bench: Any, free_port: Port) -> None:
    (bench.root / "lock").write_text("1")
    setup = {"command": "cp lock installed && echo x >> runs", "inputs": ["lock"], "outputs": ["installed"]}
    bench.write({"web": bench.server(free_port(), setup=setup)})
    bench.up()
    bench.up()
    assert (bench.root / "runs").read_text() == "x\n"
    first = bench.services()["web"]["pid"]
    (bench.root / "lock").write_text("2")
    bench.up()
    assert (bench.root / "installed").read_text() == "2"
    assert bench.services()["web"]["pid"] != first, "a running service is restarted on what was installed anew"


def test_a_failing_setup_is_the_root_cause(bench: Any, free_port: Port) -> None:
    bench.write({"web": bench.server(free_port(), setup={"command": "echo no network; exit 9"})})
    done = bench.run("up")
    assert done.code == 1
    assert "no network" in done.text
    assert "exit code 9" in done.text


def test_a_service_that_lives_and_answers_nothing_is_restarted(bench: Any, free_port: Port) -> None:
    port = free_port()
    health = {"http": f"http://127.0.0.1:{port}/", "period": "100ms", "timeout": "300ms", "failure_threshold": 2}
    bench.write({"web": {**bench.server(port), "health": health}})
    bench.up()
    first = bench.services()["web"]["pid"]
    os.kill(first, signal.SIGSTOP)  # alive, its port accepts connections, and nothing is ever answered
    again = bench.poll(
        lambda: (found := bench.services()["web"])["pid"] != first and found["health"] == "healthy" and found
    )
    assert again["restarts"] == 1


def test_a_crash_is_restarted_with_backoff(bench: Any, free_port: Port) -> None:
    bench.write({"web": bench.server(free_port(), restart={"policy": "always", "initial_delay": "50ms"})})
    bench.up()
    first = bench.services()["web"]["pid"]
    os.kill(first, signal.SIGKILL)
    again = bench.poll(lambda: (found := bench.services()["web"])["pid"] not in (first, None) and found)
    assert again["restarts"] == 1


def test_profiles_are_left_out_until_asked_for(bench: Any, free_port: Port) -> None:
    bench.write({"web": bench.server(free_port()), "extra": bench.server(free_port(), profiles=["ui"])})
    bench.up()
    assert bench.services()["extra"]["state"] == "stopped"
    bench.up("--profile", "ui")
    assert bench.services()["extra"]["health"] == "healthy"


def test_external_services_are_only_probed(bench: Any, free_port: Port) -> None:
    import subprocess

    port = free_port()
    other = subprocess.Popen([sys.executable, "server.py", str(port)], cwd=bench.root, stdout=subprocess.DEVNULL)
    try:
        bench.write(
            {
                "auth": {"external": True, "health": f"http://127.0.0.1:{port}/"},
                "web": bench.server(free_port(), "auth"),
            }
        )
        bench.up()
        assert bench.services()["auth"]["runtime"] == "external"
        assert bench.run("down", "--yes").code == 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
