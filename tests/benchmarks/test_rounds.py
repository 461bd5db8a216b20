"""Rounds: who takes part, what a failure does, and that nothing is left of one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import items
import peers
import pytest
import yaml
from items.base import Case, Item, Metric, Values, bring_up, end_foreground, gone
from peers.base import Argv, Peer, Wanted, shell_of
from peers.devctl import Devctl
from rig import marked, runner, shapes, stage
from rig.stage import FailedError, Stage

RUN = Path(__file__).resolve().parents[2] / "benchmarks/run.py"
Poll = Callable[..., Any]


class Plain(Peer):
    """A shell that starts all at once and waits: a tool in the foreground."""

    name = "plain"
    foreground = True
    cannot = {"ready": "knows none"}

    def write(self, at: Stage, wanted: Wanted) -> None:
        lines = [f"({shell_of(at, each, at.first_port + n)}) &" for n, each in enumerate(wanted.work.services)]
        (at.folder / "all.sh").write_text("\n".join(["trap 'kill 0' INT", *lines, "wait"]))

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [["sh", "all.sh"]]


class Counted(Item):
    """Fails for one tool."""

    key, title, metrics = "counted", "Counted", (Metric("x", "x", "s"),)

    def cases(self, quick: bool) -> list[Case]:
        return [Case("a", "a", 3), Case("b", "b", 1)]

    def absent(self, case: Case, peer: Peer) -> str:
        return "not in b" if (case.key, peer.name) == ("b", "plain") else ""

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        if peer.name == "plain":
            raise FailedError("broken")
        return {"x": 1.0}


@pytest.fixture
def at() -> Iterator[Stage]:
    with stage.stage(4) as made:
        yield made


def test_one_that_fails_leaves_the_others_measured() -> None:
    entry: dict[str, Any] = {"samples": [], "left_out": {}, "load": []}
    said: list[str] = []
    runner.run(Counted(), [Plain(Path()), Devctl(Path())], entry, quick=False, say=said.append)
    assert [(each["case"], each["round"], each["peer"], each.get("failed")) for each in entry["samples"]] == [
        ("a", 0, "plain", "broken"), ("a", 0, "devctl", None), ("a", 1, "devctl", None), ("a", 2, "devctl", None),
        ("b", 0, "devctl", None),
    ]  # fmt: skip
    assert entry["left_out"] == {"b": {"plain": "not in b"}}
    assert "failed: broken" in said[0]


def test_the_tools_take_turns_at_being_first() -> None:
    class Both(Counted):
        def measure(self, case: Case, label: str, peer: Peer) -> Values:
            return {"x": 1.0}

    entry: dict[str, Any] = {"samples": [], "left_out": {}, "load": []}
    runner.run(Both(), [Plain(Path()), Devctl(Path())], entry, quick=False, say=lambda _: None)
    assert [each["peer"] for each in entry["samples"]][:6] == ["plain", "devctl", "devctl", "plain", "plain", "devctl"]


def test_who_cannot_wait_for_readiness_takes_no_part_and_says_why() -> None:
    every = [kind(Path()) for kind in peers.ALL]
    ready = next(each for each in items.ALL if each.key == "ready")
    there, absent = ready.entrants(ready.cases(quick=True)[0], every)
    assert {name for name, _ in there} == {"devctl", "process-compose", "pitchfork", "concurrently"}
    assert set(absent) == {"pm2", "supervisord", "overmind", "honcho", "mprocs"}
    assert all("readiness" in why for why in absent.values())


@pytest.mark.parametrize("kind", peers.ALL, ids=lambda kind: kind.name)
def test_every_tools_configuration_names_every_service(at: Stage, kind: type[Peer]) -> None:
    peer, wanted = kind(Path("/opt/tools")), Wanted(shapes.chain(3), 0.0, restart=True)
    peer.write(at, wanted)
    written = "".join(each.read_text() for each in at.folder.iterdir() if each.is_file())
    whole = written + " ".join(str(word) for argv in peer.start(at, wanted) for word in argv)
    for number in range(3):
        assert f"s{number}" in whole
        assert str(at.first_port + number) in whole


def test_process_compose_gets_its_least_period(at: Stage) -> None:
    kind = next(each for each in peers.NATIVE if each.name == "process-compose")
    for period, written in ((0.0, 1), (0.2, 1), (5.0, 5), (None, None)):
        kind(Path()).write(at, Wanted(shapes.chain(2), period))
        probe = json.loads((at.folder / "process-compose.yaml").read_text())["processes"]["s1"]["readiness_probe"]
        assert probe.get("period_seconds") == written


def test_process_compose_restarts_what_hangs_by_its_readiness_probe(at: Stage) -> None:
    kind = next(each for each in peers.NATIVE if each.name == "process-compose")
    for hang, misses in ((True, 3), (False, 120)):
        kind(Path()).write(at, Wanted(shapes.chain(1), 1.0, restart=True, hang=hang))
        process = json.loads((at.folder / "process-compose.yaml").read_text())["processes"]["s0"]
        assert process["readiness_probe"]["failure_threshold"] == misses
        assert process["availability"]["restart"] == "always"


def test_a_compose_file_holds_nothing_that_compose_would_fill_in(at: Stage) -> None:
    for kind in peers.CONTAINERS:
        kind(Path()).write(at, Wanted(shapes.chain(2)))
        assert "$" not in (at.folder / "compose.json").read_text()


def test_control_cores_stack_moves_to_other_ports_whole(at: Stage) -> None:
    from items.stack import write

    write(at, 1)
    stack, workspace = (json.loads((at.folder / name).read_text()) for name in ("compose.json", "services.yaml"))
    original = yaml.safe_load((RUN.parents[1] / "compose/controlcore-local-dev.yml").read_text())
    assert set(stack["services"]) == set(original["services"]) == set(workspace["services"])
    outside = {int(each.split(":")[1]) for name in stack["services"].values() for each in name.get("ports", [])}
    assert outside == {port for each in workspace["services"].values() for port in each.get("ports", [])}
    assert all(port >= at.first_port for port in outside)
    for each in workspace["services"].values():
        assert "ports" not in each or f":{each['ports'][0]}" in each["health"]
    assert {each["healthcheck"]["interval"] for each in stack["services"].values() if "healthcheck" in each} == {"1s"}


def test_a_command_is_timed_with_its_childrens_cpu_and_judged_by_its_code(at: Stage) -> None:
    ran = at.run(["sh", "-c", "perl -e '1 while $n++ < 3e6' & wait; echo done"])
    assert (ran.output, ran.code) == ("done\n", 0)
    assert 0 < ran.cpu <= ran.seconds * (os.cpu_count() or 1) + 1
    with pytest.raises(FailedError, match="ended with 3: sorry"):
        at.run(["sh", "-c", "echo sorry; exit 3"])
    assert at.run(["false"], codes=None).code == 1


def test_a_command_that_hangs_is_ended_and_told(at: Stage) -> None:
    with pytest.raises(FailedError, match=r"did not end within 0 s: waiting"):
        at.run(["sh", "-c", "echo waiting; exec sleep 600"], timeout=0.4)


def test_only_the_rounds_own_processes_are_its_own(at: Stage) -> None:
    with stage.stage(1) as other:
        at.launch(["sleep", "600"])
        other.launch(["sleep", "600"])
        assert at.foreground
        assert [each.pid for each in at.everyone()] == [at.foreground.pid]
        assert marked.end(at.mark) == 1
        assert len(other.everyone()) == 1


def test_nothing_is_left_of_a_round_that_breaks(poll: Poll) -> None:
    made: list[Stage] = []

    def breaks() -> None:
        with stage.stage(2) as broken:
            made.append(broken)
            broken.launch(["sh", "-c", "setsid sleep 600 & sleep 600"])
            poll(lambda: len(broken.everyone()) >= 2, what="it and its child that went away run")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks()
    assert not made[0].folder.exists()
    assert made[0].everyone() == []


def test_what_a_killed_run_left_is_cleared(poll: Poll) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    env = {**os.environ, marked.VARIABLE: f"{dead.pid}.1"}
    left = subprocess.Popen(["sleep", "600"], env=env)
    temporary = Path(tempfile.gettempdir())
    folder, living, other = (
        temporary / f"devctl-bench-{name}-x" for name in (f"{dead.pid}.1", f"{os.getpid()}.999", "notes")
    )
    try:
        for each in (folder, living, other):
            each.mkdir()
        poll(lambda: f"{dead.pid}.1" in marked.marks(), what="the mark is seen")
        stage.sweep()
        assert left.wait(30) == -signal.SIGKILL
        assert [each.exists() for each in (folder, living, other)] == [False, True, True]
    finally:
        left.kill()
        left.wait()
        for each in (folder, living, other):
            shutil.rmtree(each, ignore_errors=True)


def test_a_living_runs_round_is_not_swept_and_a_longer_mark_is_another_one(at: Stage) -> None:
    at.launch(["sleep", "600"])
    env = {**os.environ, marked.VARIABLE: f"{at.mark}0"}
    other = subprocess.Popen(["sleep", "600"], env=env)
    try:
        assert at.mark not in stage.sweep()
        assert len(at.everyone()) == 1
        marked.end(at.mark)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_terminal_program_gets_a_terminal(at: Stage, poll: Poll) -> None:
    at.launch(["sh", "-c", "test -t 0 && test -t 1 && stty size && sleep 600"], terminal=True)
    poll(lambda: "40 140" in (at.folder / "foreground.log").read_text(), what="it sees its size")


def test_a_foreground_that_ends_by_itself_is_told(at: Stage, poll: Poll) -> None:
    at.launch(["sh", "-c", "echo oh dear; exit 4"])
    assert at.foreground
    poll(lambda: at.foreground and at.foreground.poll() is not None)
    with pytest.raises(FailedError, match="ended by itself with 4: oh dear"):
        at.alive()


@pytest.mark.parametrize("kind", [Devctl, Plain])
def test_up_and_down_for_real(kind: type[Peer]) -> None:
    work = shapes.chain(3, 0.05) if kind is Devctl else shapes.flat(3, 0.05)
    with stage.stage(4) as at:
        peer = kind(Path())
        up = bring_up(peer, at, Wanted(work), timeout=90)
        assert work.critical_path <= up.listening <= up.whole
        assert (up.said is not None) == (kind is Devctl)
        listening = at.journal.first("listening")
        spawned = at.journal.first("spawned")
        assert all(listening[needed].at <= spawned[child].at for needed, child in work.edges)
        assert {each.pid for each in at.everyone() if each.service} == {each.pid for each in spawned.values()}
        assert at.managers()
        assert marked.memory(at.managers())[0] > 0.5
        stop = peer.stop(at)
        if stop is not None:
            at.run(stop, 90)
        else:
            assert end_foreground(at, time.monotonic() + 60)
        assert gone(at, {each.pid for each in spawned.values()}, time.monotonic() + 60) == set()


def test_the_service_hangs_when_told_to(at: Stage, poll: Poll) -> None:
    wanted = Wanted(shapes.flat(1, 0.0))
    bring_up(Plain(Path()), at, wanted)

    def answers(timeout: float) -> bool:
        with socket.create_connection(("127.0.0.1", at.first_port), timeout=timeout) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            try:
                return client.recv(100).startswith(b"HTTP/1.1 200")
            except TimeoutError:
                return False

    assert answers(30)
    os.kill(at.journal.first("spawned")["s0"].pid, signal.SIGUSR1)
    poll(lambda: not answers(0.3), what="it accepts and answers nothing")


def test_ctrl_c_leaves_nothing_and_says_so(tmp_path: Path, poll: Poll) -> None:
    command = [sys.executable, RUN, "own", "--quick", "--peers", "devctl", "--output", tmp_path]
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        poll(lambda: [mark for mark in marked.marks() if mark.startswith(f"{run.pid}.")], what="a round has begun")
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(60) == 130
    finally:
        run.kill()
        run.wait()
    assert "interrupted" in (tmp_path / "log").read_text()
    assert [mark for mark in marked.marks() if mark.startswith(f"{run.pid}.")] == []


def test_a_wrong_name_is_told_with_the_right_ones() -> None:
    done = subprocess.run([sys.executable, RUN, "redy"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "no such item: redy; there are ready, many" in done.stderr


def test_a_rounds_containers_go_with_their_images_and_nobody_elses(docker: Any) -> None:
    def make(project: str) -> None:
        label = {"com.docker.compose.project": project}
        image = docker.images["busybox"]
        docker.api.create_container(image, command=["true"], labels=label)
        docker.api.create_network(project, labels=label)
        docker.api.create_volume(f"{project}-data", labels=label)
        docker.api.commit(
            docker.containers(project)[0]["Id"],
            f"{project}-web",
            changes=[f"LABEL com.docker.compose.project={project}"],
        )

    def things(project: str) -> list[int]:
        label = {"label": f"com.docker.compose.project={project}"}
        api = docker.api
        return [len(docker.containers(project)), len(api.networks(filters=label)),
                len(api.volumes(filters=label)["Volumes"] or []), len(api.images(filters=label))]  # fmt: skip

    mine, other = docker.project, docker.new_project()
    make(mine)
    make(other)
    stage.remove_containers(mine)
    assert (things(mine), things(other)) == ([0, 0, 0, 0], [1, 1, 1, 1])
