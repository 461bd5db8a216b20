"""Verbs that look at containers, with a real engine."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import pytest

BEAT = "i=0; while :; do i=$((i+1)); echo beat $i; sleep 0.2; done"


@pytest.fixture
def stack(docker: Any, place: Any, free_port: Any) -> str:
    """A container that talks and writes to a volume, a process that talks; both are up. The project's name."""
    port = free_port()
    project: str = docker.new_project()
    (place.root / "stack.yml").write_text(f"""
services:
  beat:
    image: {docker.images["busybox"]}
    command: [sh, -c, {json.dumps(BEAT.replace("$", "$$"))}]
    ports: ["127.0.0.1:{port}:80"]
    volumes: ["kept:/kept"]
    stop_grace_period: 1s
volumes: {{kept: {{}}, other: {{}}}}
""")
    place.environment["DOCKER_HOST"] = docker.host
    place.write(
        {
            "beat": {"compose": "beat", "ports": [port]},
            "tick": {"path": ".", "command": "while :; do echo tick; sleep 0.2; done"},
        },
        compose={"file": "stack.yml", "project": project},
    )
    done = place.run("up")
    assert done.returncode == 0, done.stderr + done.stdout
    return project


def test_logs_of_containers_and_processes_are_one_stream(stack: str, place: Any, poll: Any) -> None:
    def both() -> list[str]:
        lines = place.run("logs", "-n", "200").stdout.splitlines()
        return lines if {line.split(" | ")[0] for line in lines[-12:]} == {"beat", "tick"} else []

    poll(both, what="lines of both")
    found = [json.loads(line) for line in place.run("logs", "-n", "50", "--json").stdout.splitlines()]
    assert [each["time"] for each in found] == sorted(each["time"] for each in found)
    beats = place.run("logs", "beat", "--grep", "beat [1-3]$").stdout.splitlines()
    assert beats == ["beat 1", "beat 2", "beat 3"]
    assert place.run("logs", "beat", "-n", "2").stdout.count("\n") == 2
    began = time.time()
    recent = [json.loads(line) for line in place.run("logs", "beat", "--since", "1ms", "--json").stdout.splitlines()]
    assert all(datetime.fromisoformat(each["time"]).timestamp() >= began - 0.002 for each in recent)


def test_following_both_goes_on(stack: str, place: Any) -> None:
    screen = place.on_terminal("logs", "-f")
    screen.until("beat | beat 9\n")
    screen.until("tick | tick\n")
    screen.keys("\x03")
    assert screen.end() == 130


def test_ports_know_the_containers_of_this_workspace(stack: str, place: Any) -> None:
    lines = place.run("ports").stdout.splitlines()
    assert lines[1].split(maxsplit=2)[2] == "ours  container of service beat"


def test_a_port_held_by_another_projects_container_is_named_and_freed_with_leave(
    docker: Any, place: Any, free_port: Any
) -> None:
    port, other = free_port(), docker.new_project()
    labels = {"com.docker.compose.project": other, "com.docker.compose.service": "web"}
    host = docker.api.create_host_config(port_bindings={80: port})
    name = f"{other}-web-1"
    image = docker.images["busybox"]
    docker.api.create_container(
        image, ["sleep", "1000"], name=name, labels=labels, ports=[80], host_config=host, stop_signal="SIGKILL"
    )
    docker.api.start(name)
    place.environment["DOCKER_HOST"] = docker.host
    (place.root / "stack.yml").write_text(
        f"services: {{cache: {{image: {image}, command: [sleep, '1000'], stop_signal: SIGKILL}}}}\n"
    )
    place.write(
        {"api": place.server(port), "cache": {"compose": "cache"}},
        compose={"file": "stack.yml", "project": docker.new_project()},
    )
    refused = place.run("up")
    assert refused.returncode == 3
    assert f"port {port}, which api needs, is held by container {name} (Compose project {other}" in refused.stderr
    assert docker.container("web", other)["State"]["Running"]
    done = place.run("up", "--yes")
    assert done.returncode == 0, done.stderr
    assert not docker.container("web", other)["State"]["Running"]


def test_a_volume_goes_only_when_named_and_allowed(stack: str, docker: Any, place: Any) -> None:
    def volumes() -> set[str]:
        found = docker.api.volumes(filters={"label": f"com.docker.compose.project={stack}"})["Volumes"] or []
        return {each["Name"] for each in found}

    kept = f"{stack}_kept"
    assert kept in volumes()
    refused = place.run("down", "--volumes", "kept")
    assert refused.returncode == 3
    assert "devctl down --volumes kept --yes" in refused.stderr
    assert kept in volumes()
    unknown = place.run("down", "--volumes", "nope", "--yes")
    assert unknown.returncode == 2
    assert "has no volume 'nope'" in unknown.stderr
    done = place.run("down", "--volumes", "kept", "--yes")
    assert (done.returncode, f"volume {kept} is removed" in done.stdout) == (0, True)
    assert kept not in volumes()
    assert place.run("up").returncode == 0
    assert kept in volumes()


def test_without_an_engine_the_processes_logs_still_come(stack: str, place: Any) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{place.root}/no.sock"}
    done = place.run("logs", **nowhere)
    assert done.returncode == 0
    assert "tick | tick" in done.stdout
    alone = place.run("logs", "beat", **nowhere)
    assert alone.returncode != 0
    assert "no Docker engine answers" in alone.stderr
