"""Holder → verdict and words, with no process at all."""

from __future__ import annotations

from typing import Any

import pytest

from devctl.ports.policy import (
    Container,
    Devctl,
    Evict,
    Free,
    Here,
    Holder,
    How,
    Ours,
    Process,
    Refuse,
    Unknown,
    command_words,
    decide,
    describe,
    split_mark,
)

HERE = Here(workspace="cc-1", user="ana", spared=frozenset({0, 1, 50, 51}))


def process(**facts: Any) -> Process:
    return Process(**{"pid": 4312, "start": 7, "name": "node", "user": "ana", **facts})


def devctl(workspace: str, **facts: Any) -> Devctl:
    return Devctl(workspace=workspace, service="cc-pap", process=process(), **facts)


def test_a_port_nobody_holds_is_free() -> None:
    assert decide(5173, None, HERE) == Free()


def test_a_service_of_this_workspace_is_ours_supervised_or_not() -> None:
    assert decide(5173, devctl("cc-1"), HERE) == Ours(service="cc-pap")
    assert decide(5173, devctl("cc-1", supervised=True), HERE) == Ours(service="cc-pap")


def test_outside_a_workspace_nothing_is_ours() -> None:
    nowhere = Here(workspace="", user="ana", spared=HERE.spared)
    assert isinstance(decide(5173, devctl(""), nowhere), Evict)


@pytest.mark.parametrize("holder", [process(), devctl("old-1")], ids=["stranger", "orphan of another workspace"])
def test_a_stranger_of_the_same_user_may_be_ended(holder: Process | Devctl) -> None:
    assert decide(5173, holder, HERE) == Evict(holder=holder, how=How.SIGNAL)


def test_a_container_is_stopped_not_killed() -> None:
    holder = Container(name="old-postgres-1", project="old", service="postgres")
    assert decide(5432, holder, HERE) == Evict(holder=holder, how=How.STOP_CONTAINER)


@pytest.mark.parametrize(
    ("holder", "port", "reason", "hint"),
    [
        (process(pid=1, name="systemd"), 80, "first process", "systemctl"),
        (process(pid=0), 80, "first process", ""),
        (process(pid=51), 80, "devctl itself runs inside it", ""),
        (process(user="eva"), 80, "belongs to the user eva", "sudo kill 4312"),
        (process(user=""), 80, "belongs to another user", "sudo kill 4312"),
        (process(name="docker-proxy"), 5432, "for a container", "docker ps --filter publish=5432"),
        (process(name="com.docker.backend"), 5432, "for a container", "docker ps"),
        (process(name="ControlCenter"), 5000, "AirPlay", "AirPlay Receiver off"),
        (process(name="ControlCenter"), 7000, "AirPlay", "another port"),
        (process(unit="postgresql.service"), 5432, "system service postgresql.service", "systemctl stop postgresql"),
        (process(container="0123456789abcdef"), 5432, "inside a container", "docker stop 0123456789ab"),
        (process(outgoing=True), 40000, "one of its connections", "try again"),
        (Unknown(), 80, "cannot be seen", "lsof -nP -iTCP:80"),
        (devctl("old-1", name="old", root="~/old", supervised=True), 80, "workspace old",
         "cd ~/old && devctl down cc-pap"),
        (Devctl(workspace="o", service="s", process=process(pid=50)), 80, "devctl itself runs inside it", ""),
        (Devctl(workspace="o", service="s", process=process(user="eva")), 80, "belongs to the user eva", ""),
    ],
)  # fmt: skip
def test_what_is_protected_is_refused_with_a_reason_and_a_way_out(
    holder: Holder, port: int, reason: str, hint: str
) -> None:
    verdict = decide(port, holder, HERE)
    assert isinstance(verdict, Refuse)
    assert verdict.holder == holder
    assert reason in verdict.reason
    assert verdict.hint
    assert hint in verdict.hint


def test_control_center_on_another_port_is_no_airplay() -> None:
    assert isinstance(decide(5001, process(name="ControlCenter"), HERE), Evict)


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (
            process(command="vite --port 5173", folder="~/old/cc-pap", clock="09:12"),
            "node (pid 4312, `vite --port 5173`, in ~/old/cc-pap, since 09:12)",
        ),
        (process(command="node"), "node (pid 4312)"),
        (Container(name="old-postgres-1", project="old", service="postgres"),
         "container old-postgres-1 (Compose project old, service postgres)"),
        (Container(name="pg"), "container pg"),
        (devctl("old-1", name="old", root="~/old"), "service cc-pap of the devctl workspace old (~/old)"),
        (devctl("old-1"), "service cc-pap of the devctl workspace old-1"),
        (Unknown(), "a process that cannot be seen (another user's?)"),
        (Unknown(user="eva"), "a process that cannot be seen (the user eva's?)"),
        (None, "nobody any more"),
    ],
)  # fmt: skip
def test_holders_in_plain_words(holder: Holder | None, words: str) -> None:
    assert describe(holder) == words


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["node", "/home/ana/old/node_modules/.bin/vite", "--port", "5173"], "vite --port 5173"),
        (["/usr/bin/python3.11", "-m", "http.server"], "python3.11 -m http.server"),
        (["/bin/sh", "-c", "sleep 1\n sleep 2"], "sh -c sleep 1 sleep 2"),
        (["redis-server *:6379"], "redis-server *:6379"),
        (["/usr/bin/redis-server", "/etc/redis.conf"], "redis-server /etc/redis.conf"),
        ([], ""),
        ([""], ""),
        (["x" * 200], "x" * 79 + "…"),
    ],
)
def test_a_command_line_as_a_person_knows_it(argv: list[str], words: str) -> None:
    assert command_words(argv) == words


@pytest.mark.parametrize(
    "argv",
    [
        ["psql", "postgresql://ana:hunter2@localhost/x"],
        ["redis-cli", "redis://:hunter2@localhost"],
        ["mysqld", "--password=hunter2"],
        ["tool", "--api-key", "hunter2"],
        ["tool", "--token", "hunter2", "--port", "1"],
    ],
)
def test_a_password_on_a_command_line_is_not_repeated(argv: list[str]) -> None:
    assert "hunter2" not in command_words(argv)
    assert "…" in command_words(argv)


@pytest.mark.parametrize(
    ("mark", "expected"),
    [("cc-1/cc-pap/3", ("cc-1", "cc-pap")), ("", None), ("cc-1", None), ("a/b", None), ("/b/1", None), ("a//1", None)],
)
def test_marks(mark: str, expected: tuple[str, str] | None) -> None:
    assert split_mark(mark) == expected
