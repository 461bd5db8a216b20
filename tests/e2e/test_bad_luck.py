"""Bad input and bad luck: a clear error, nothing lost, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Port = Callable[[], int]


def test_a_killed_supervisor_takes_no_service_with_it_and_the_next_command_adopts_all(
    bench: Any, free_port: Port
) -> None:
    bench.write({"web": bench.server(free_port(), "db"), "db": bench.server(free_port())})
    bench.up()
    before = {name: each["pid"] for name, each in bench.services().items()}
    os.kill(bench.supervisor(), signal.SIGKILL)
    assert _alive(before["web"])
    assert _alive(before["db"])
    status = bench.run("status", "--json")
    assert status.code == 0, status.text
    assert {each["name"]: each["pid"] for each in status.json()["services"]} == before
    assert "nothing to do" in bench.up().out
    assert bench.run("down", "--yes").code == 0
    assert bench.marked() == []


def test_a_supervisor_killed_while_starting_is_taken_over_by_the_next_up(bench: Any, free_port: Port) -> None:
    bench.write({"web": bench.server(free_port(), "db"), "db": bench.server(free_port(), delay=3)})
    waiting = bench.begin("up")
    bench.poll(bench.marked, what="db has been started")
    os.kill(bench.supervisor(), signal.SIGKILL)
    waiting.communicate(timeout=60)
    bench.up()
    assert len(bench.marked()) == 2


def test_two_ups_at_once_are_one(bench: Any, free_port: Port) -> None:
    bench.write({"web": bench.server(free_port(), "db"), "db": bench.server(free_port(), delay=0.3)})
    both = [bench.begin("up"), bench.begin("up")]
    ends = [(each.communicate(timeout=90)[0], each.returncode) for each in both]
    assert [code for _, code in ends] == [0, 0], ends
    assert len(bench.marked()) == 2


def test_up_and_down_at_once_end_in_one_of_the_two(bench: Any, free_port: Port) -> None:
    bench.write({"web": bench.server(free_port(), "db"), "db": bench.server(free_port(), delay=0.2)})
    up = bench.begin("up")
    bench.poll(bench.marked, what="the first service has been started")
    down = bench.begin("down", "--yes")
    for each in (up, down):
        each.communicate(timeout=90)
    assert down.returncode == 0
    assert up.returncode in (0, 1, 3)
    assert len(bench.marked()) in (0, 2)


def test_ctrl_c_stops_waiting_and_leaves_the_services(bench: Any, free_port: Port) -> None:
    bench.write({"slow": bench.server(free_port(), delay=60)})
    up = bench.begin("up")
    bench.poll(bench.marked, what="it has been started")
    up.send_signal(signal.SIGINT)
    out, _ = up.communicate(timeout=30)
    assert up.returncode == 130
    assert "devctl down" in out
    assert "Traceback" not in out
    assert len(bench.marked()) == 1


def test_an_up_whose_service_is_taken_down_meanwhile_ends_and_says_so(bench: Any, free_port: Port) -> None:
    bench.write({"slow": bench.server(free_port(), delay=60), "other": bench.server(free_port())})
    up = bench.begin("up")
    bench.poll(lambda: bench.services()["other"]["health"] == "healthy", what="one of the two is up")
    assert bench.run("down", "slow", "--yes").code == 0
    out, _ = up.communicate(timeout=60)
    assert up.returncode == 1
    assert "slow was taken down by another devctl down" in out
    assert bench.services()["other"]["health"] == "healthy"


@pytest.mark.parametrize(
    "command",
    [
        "trap '' TERM; echo stubborn; sleep 600 & while :; do wait; done",
        "sleep 600 & sleep 601 & wait",
        "setsid sh -c 'sleep 600 & sleep 601 & wait' & wait",
        f"exec {sys.executable} -c 'import os,time; os.close(0); os.close(1); os.close(2); time.sleep(600)'",
    ],
    ids=["ignores SIGTERM", "children", "another session", "closes its stdio"],
)
def test_nothing_is_left_whatever_shape_the_tree_has(bench: Any, command: str) -> None:
    bench.yaml("name: bench\nservices: {}\n")
    bench.write({"odd": {"path": ".", "command": command, "stop_grace_period": "300ms"}})
    bench.up()
    assert bench.marked()
    done = bench.run("down", "--yes")
    assert done.code == 0, done.text
    assert bench.marked() == []


def test_a_held_port_is_named_and_not_freed_without_leave(bench: Any, free_port: Port) -> None:
    port = free_port()
    stranger = subprocess.Popen([sys.executable, "server.py", str(port)], cwd=bench.root, stdout=subprocess.PIPE)
    try:
        assert stranger.stdout is not None
        stranger.stdout.readline()
        bench.write({"web": bench.server(port)})
        refused = bench.run("up")
        assert refused.code == 3
        assert str(stranger.pid) in refused.text
        assert str(port) in refused.text
        assert "--yes" in refused.text or "devctl ports --free" in refused.text
        assert stranger.poll() is None
        assert str(stranger.pid) in bench.run("ports").out
        done = bench.run("up", "--yes")
        assert done.code == 0, done.text
        assert stranger.wait(10) != 0
    finally:
        stranger.kill()
        stranger.wait()
        stranger.stdout.close()  # type: ignore[union-attr]


def test_a_port_held_by_another_workspace_names_the_workspace(
    bench: Any, free_port: Port, tmp_path_factory: pytest.TempPathFactory, poll: Callable[..., Any]
) -> None:
    port = free_port()
    other = type(bench)(tmp_path_factory.mktemp("other"), poll)
    other.environment["XDG_STATE_HOME"] = bench.environment["XDG_STATE_HOME"]
    try:
        other.write({"theirs": other.server(port)})
        other.up()
        bench.write({"ours": bench.server(port)})
        refused = bench.run("up")
        assert refused.code == 3
        assert "theirs" in refused.text
        assert other.services()["theirs"]["health"] == "healthy"
    finally:
        other.clear()


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ({"web": {"path": ".", "command": "true", "depends_on": ["wbe"]}}, "wbe"),
        (
            {name: {"path": ".", "command": "x", "depends_on": [other]} for name, other in ("ab", "ba")},
            "a -> b -> a",
        ),
        ({"web": {"path": ".", "comand": "true"}}, "command"),
    ],
)
def test_a_bad_manifest_is_a_clear_error(bench: Any, services: dict[str, Any], said: str) -> None:
    bench.write(services)
    for verb in ("up", "check"):
        done = bench.run(verb)
        assert done.code == 2
        assert said in done.err + (done.out if verb == "check" else "")
        assert "services.yaml:2:" in done.text
        assert "Traceback" not in done.text


def test_a_missing_folder_or_command_is_said_and_not_retried(bench: Any) -> None:
    bench.write({
        "lost": {"path": "nowhere", "command": "true"},
        "typo": {"path": ".", "command": ["no-such-program"]},
    })  # fmt: skip
    done = bench.run("up")
    assert done.code == 1
    assert "nowhere" in done.text
    assert "no-such-program" in done.text
    assert {each["state"] for each in bench.services().values()} == {"fatal"}


def test_no_manifest_and_no_such_service_say_what_to_type(bench: Any) -> None:
    done = bench.run("up")
    assert (done.code, "services.yaml" in done.err) == (2, True)
    bench.write({"web": {"path": ".", "command": "sleep 600"}})
    done = bench.run("up", "wbe")
    assert done.code == 2
    assert "web" in done.err


def test_nothing_running_is_a_precondition_not_a_failure(bench: Any) -> None:
    bench.write({"web": {"path": ".", "command": "sleep 600"}})
    assert bench.run("status").code == 3
    assert bench.run("down", "--yes").code == 0
    assert bench.run("why", "web").code == 0


def test_a_service_that_ends_by_itself_and_one_that_prints_bytes(bench: Any) -> None:
    bench.write({
        "ends": {"path": ".", "command": "echo done already", "restart": "on-failure", "health": "tcp://127.0.0.1:1"},
        "noise": {"path": ".", "command": "head -c 200000 /dev/urandom; sleep 600"},
    })  # fmt: skip
    done = bench.run("up")
    assert done.code == 1
    assert "code 0" in done.text
    assert bench.run("logs", "noise", "-n", "5").code == 0


def test_a_killed_supervisor_of_another_version_is_replaced(bench: Any, free_port: Port) -> None:
    bench.write({"web": bench.server(free_port())})
    bench.up()
    before = (bench.services()["web"]["pid"], bench.supervisor())
    (bench.root / "sitecustomize.py").write_text("import devctl; devctl.__version__ = '99.0.0'\n")
    bench.environment["PYTHONPATH"] = str(bench.root)
    bench.up()
    assert bench.services()["web"]["pid"] == before[0], "the service runs on"
    assert bench.supervisor() != before[1], "the supervisor is a new one"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_full_disk_stops_no_service(bench: Any, free_port: Port) -> None:
    logs = bench.root / ".devctl" / "logs"
    logs.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", logs], check=True)
    try:
        (logs / "somebody-elses").write_bytes(bytes(2_500_000))
        noise = "import time\nfor n in range(10**9):\n print(n, 'x' * 4000, flush=True); time.sleep(0.01)"
        bench.write({
            "noise": {"path": ".", "command": [sys.executable, "-c", noise]},
            "web": bench.server(free_port()),
        })  # fmt: skip
        bench.up()
        log, seen = logs / "noise.log", 0

        def emptied() -> bool:
            nonlocal seen
            size, before = log.stat().st_size, seen
            seen = size
            return size < before

        for _ in range(3):
            bench.poll(emptied, what="old lines make room for new ones")
        found = bench.services()
        assert (found["noise"]["state"], found["noise"]["restarts"]) == ("running", 0)
        assert found["web"]["health"] == "healthy"
        assert bench.run("logs", "noise", "-n", "3").code == 0
    finally:
        bench.run("down", "--yes")
        subprocess.run(["umount", logs], check=True)
