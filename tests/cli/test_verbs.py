"""Verbs by what they print and how they exit, where tests/e2e doesn't look."""

from __future__ import annotations

import json
import sys
from typing import Any

from devctl.workspace import Workspace


def test_ports_says_who_holds_what(place: Any, free_port: Any, stranger: Any) -> None:
    ours, theirs, nobody = free_port(), free_port(), free_port()
    place.write({"a": place.server(ours), "b": place.server(theirs), "c": place.server(nobody)})
    assert place.run("up", "a").returncode == 0
    holder = stranger(theirs)
    done = place.run("ports")
    assert done.returncode == 0
    lines = {line.split()[1]: line.split(maxsplit=2)[2] for line in done.stdout.splitlines()[1:]}
    assert lines["a"] == "ours  service a"
    assert lines["b"].startswith(f"held  {holder_name(lines['b'])} (pid {holder.pid}")
    assert lines["c"] == "free"
    refused = place.run("ports", "--free", str(ours), "--yes")
    assert refused.returncode == 3
    assert "devctl down a" in refused.stderr


def holder_name(line: str) -> str:
    return line.split()[1]


def test_check_names_everything_that_would_fail(place: Any) -> None:
    (place.root / "here").mkdir()
    place.write(
        {
            "good": {"path": "here", "command": [sys.executable, "-V"]},
            "nowhere": {"path": "missing", "command": "true"},
            "toolless": {
                "path": "here", "command": "no-such-tool-42 --serve",
                "setup": {"command": "true", "inputs": ["package.json"]},
            },
            "made": {
                "path": "here", "command": "exec .venv/bin/uvicorn x",
                "setup": {"command": "true", "outputs": [".venv/bin/python"]},
            },
        }
    )  # fmt: skip
    done = place.run("check")
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert " ✓ good: here" in lines
    assert " ✗ nowhere: there is no folder missing" in lines
    assert " ✗ toolless: no-such-tool-42 is not installed" in lines
    assert " ✗ toolless: its setup needs here/package.json, which is not there" in lines
    assert " ✓ made: here" in lines
    assert lines[-1] == " ✗ 3 things to mend"
    quiet = place.run("check", "-q").stdout
    assert "✓" not in quiet
    place.write({"good": {"path": "here", "command": [sys.executable, "-V"]}})
    assert place.run("check").returncode == 0


def test_check_without_docker_minds_only_what_cannot_run_without(place: Any) -> None:
    (place.root / "compose.yml").write_text("services:\n  db: {image: postgres}\n")
    stack = {"compose": {"file": "compose.yml"}}
    native = {"path": ".", "command": [sys.executable, "-V"]}
    place.write({"db": {"compose": "db", "native": native}}, **stack)
    nowhere = {"DOCKER_HOST": f"unix://{place.root}/no.sock"}
    done = place.run("check", **nowhere)
    assert done.returncode == 0, done.stdout
    assert "1 service would run without a container" in done.stdout
    place.write({"db": {"compose": "dbb"}}, **stack)
    done = place.run("check", **nowhere)
    assert done.returncode == 2
    assert "db: the compose file has no service 'dbb'" in done.stdout
    assert "db cannot run without" in done.stdout
    place.write({"db": {"compose": "db"}}, compose={"file": "other.yml"})
    assert "there is no other.yml" in place.run("check", **nowhere).stdout


def test_schema_is_printed_and_compared(place: Any) -> None:
    done = place.run("schema")
    assert done.returncode == 0
    assert json.loads(done.stdout)["title"] == "services.yaml"
    copy = place.root / "copy.json"
    copy.write_text(done.stdout)
    assert place.run("schema", "--check", "copy.json").returncode == 0
    copy.write_text("{}")
    stale = place.run("schema", "--check", "copy.json")
    assert stale.returncode == 1
    assert "devctl schema > copy.json" in stale.stderr
    assert place.run("schema", "--check", "nope.json").returncode == 2


def native_place(place: Any, port: int, other: int) -> dict[str, str]:
    """A compose service with a native alternative, a plain process, and an engine that doesn't answer."""
    (place.root / "compose.yml").write_text("services:\n  db: {image: postgres}\n")
    native = {"path": ".", "command": [sys.executable, "server.py", str(port)]}
    compose = {"compose": "db", "ports": [port], "health": f"http://127.0.0.1:{port}/", "native": native}
    place.write({"db": compose, "web": place.server(other)}, compose={"file": "compose.yml"})
    return {"DOCKER_HOST": f"unix://{place.root}/no.sock"}


def test_where_no_engine_answers_the_alternative_runs_and_both_screens_say_so(place: Any, free_port: Any) -> None:
    nowhere = native_place(place, free_port(), free_port())
    done = place.run("up", **nowhere)
    assert done.returncode == 0, done.stderr
    assert "db runs without a container: no Docker engine answers at unix://" in done.stdout
    assert "without a container: no Docker engine answers" in place.run("status").stdout
    assert "no Docker engine answers" in place.run("why", "db").stdout


def test_native_is_kept_by_an_up_of_something_else(place: Any, free_port: Any) -> None:
    nowhere = native_place(place, free_port(), free_port())
    assert place.run("up", "db", "--native", **nowhere).returncode == 0
    before = json.loads(place.run("status", "--json").stdout)["services"][0]
    assert (before["runtime"], before["health"]) == ("process", "healthy")
    done = place.run("up", "web", **nowhere)
    assert done.returncode == 0, done.stderr
    after = json.loads(place.run("status", "--json").stdout)["services"][0]
    assert (after["pid"], after["since"]) == (before["pid"], before["since"])


def test_native_of_what_has_no_alternative_is_a_usage_error(place: Any, free_port: Any) -> None:
    native_place(place, free_port(), free_port())
    done = place.run("up", "--native", "nope")
    assert done.returncode == 2
    assert "no service is called nope" in done.stderr


def test_watching_as_json_is_a_line_a_change(place: Any, free_port: Any) -> None:
    import subprocess

    place.write({"a": place.server(free_port())})
    assert place.run("up").returncode == 0
    process = subprocess.Popen(
        place.argv("status", "--watch", "--json"),
        cwd=place.root,
        env=place.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["services"][0]["health"] == "healthy"
    assert place.run("down").returncode == 0
    states = [json.loads(line)["services"][0]["state"] for line in process.stdout]
    assert states[-1] == "stopped"
    assert process.wait(30) == 3
    process.stdout.close()


def test_down_with_nothing_running_is_done(place: Any) -> None:
    place.write({"a": {"path": ".", "command": "true"}})
    done = place.run("down")
    assert (done.returncode, done.stdout) == (0, " ✓ nothing was running\n")
    assert place.run("down", "nope").returncode == 2
    assert place.run("restart", "a").returncode == 3


def test_volumes_are_removed_only_with_leave(place: Any) -> None:
    place.write({"a": {"path": ".", "command": "true"}})
    assert place.run("down", "--volumes", "data").returncode == 2


def test_a_restart_of_a_library_is_a_usage_error(place: Any, free_port: Any) -> None:
    place.write({"a": place.server(free_port()), "lib": {"library": True, "path": "."}})
    assert place.run("up").returncode == 0
    done = place.run("restart", "lib")
    assert (done.returncode, "runs nothing" in done.stderr) == (2, True)
    done = place.run("restart", "nope")
    assert (done.returncode, "no service is called nope" in done.stderr) == (2, True)


def test_logs_of_what_has_none_and_bad_patterns_are_usage_errors(place: Any) -> None:
    place.write({"a": {"path": ".", "command": "true"}, "lib": {"library": True, "path": "."}})
    assert place.run("logs", "lib").returncode == 2
    assert place.run("logs", "--grep", "(").returncode == 2
    assert place.run("logs", "--since", "yesterday").returncode == 2
    assert place.run("logs", "nope").returncode == 2
    done = place.run("logs", "a")
    assert (done.returncode, done.stdout) == (0, "")


def test_an_up_that_cannot_be_done_leaves_no_supervisor(place: Any) -> None:
    place.write({"a": {"path": ".", "command": "true", "nonsense": 1}})
    done = place.run("up")
    assert done.returncode == 2
    assert "nonsense" in done.stderr
    assert Workspace(place.root, "place").holder() is None


def test_what_a_setup_said_is_in_its_services_log(place: Any) -> None:
    setup = {"command": "echo installing; echo done >&2", "outputs": ["never"]}
    plain = {"path": ".", "command": "echo plain; exec sleep 600"}
    place.write(
        {"web": {"path": ".", "command": "sleep 0.1; echo serving; exec sleep 600", "setup": setup}, "other": plain}
    )
    assert place.run("up").returncode == 0
    lines = place.run("logs", "web").stdout.splitlines()
    assert lines[0].startswith("$ echo installing")
    assert lines[1:] == ["installing", "done", "serving"]
    told = [json.loads(line) for line in place.run("logs", "--json").stdout.splitlines()]
    assert {each["service"] for each in told} == {"web", "other"}
    assert [each["line"] for each in told if each["service"] == "web"][1:] == ["installing", "done", "serving"]
    assert [each["time"] for each in told] == sorted(each["time"] for each in told)
    assert place.run("logs", "--grep", "installing", "other").stdout == ""


def test_a_setup_that_fails_can_be_read_in_the_log(place: Any) -> None:
    place.write({"web": {"path": ".", "command": "true", "setup": {"command": "echo no such package; exit 3"}}})
    assert place.run("up").returncode == 1
    assert "no such package" in place.run("logs", "web").stdout
