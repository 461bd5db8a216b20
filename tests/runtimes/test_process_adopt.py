"""A supervisor that died without a word, and the one after it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devctl.core.state import Adopted, Exited, ProcessIdentity, Stopped
from devctl.runtimes import host
from devctl.runtimes.process import ProcessRuntime

FIRST = """
import asyncio, json, os, sys
from pathlib import Path
from devctl.core.model import ProcessSpec, Runtime, Service
from devctl.logs import Logs
from devctl.runtimes.process import ProcessRuntime

async def main(root, workspace, command):
    runtime = ProcessRuntime(Path(root), workspace, Logs(Path(root)))
    service = Service(name="it", runtime=Runtime.PROCESS, process=ProcessSpec(command=command, path=root))
    events = []
    await runtime.start(service, 3, os.environ, events.append)
    who = events[0].identity
    print(json.dumps([who.pid, who.start, who.boot]), flush=True)
    await asyncio.sleep(1000)

asyncio.run(main(*sys.argv[1:]))
"""


def left_by_a_killed_supervisor(bench: Any, command: str) -> ProcessIdentity:
    """Start run 3 of ``it`` in a supervisor that is then killed with SIGKILL."""
    environment = {**os.environ, "PYTHONPATH": str(Path(host.__file__).parents[2])}
    arguments = [sys.executable, "-c", FIRST, str(bench.root), bench.workspace, command]
    first = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE)
    assert first.stdout is not None
    with first.stdout as output:
        pid, start, boot = json.loads(output.readline())
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)  # this test is no subreaper: its orphans are init's, as in a real crash
    first.kill()
    first.wait()
    return ProcessIdentity(pid=pid, start=start, boot=boot)


def test_it_runs_on_and_is_adopted(bench: Any, alive: Any, gone: Any) -> None:
    command = "trap 'echo asked; exit 0' TERM; echo first; sleep 1000 & wait"
    who = left_by_a_killed_supervisor(bench, command)

    async def test() -> None:
        service = bench.service(command)
        await bench.said("first")
        assert alive(who.pid)
        await bench.runtime.adopt(service, 3, who, bench.events.append)
        assert bench.events == [Adopted(service="it", run=3, identity=who)]
        assert bench.runtime.usage({"it": who})["it"][1] > 0
        assert await bench.stop(service, who, 3) == Stopped(service="it", run=3, code=None)
        assert bench.log() == "first\nasked\n"
        assert not alive(who.pid)

    bench.run(test)


def test_the_end_of_an_adopted_one_is_noticed(bench: Any) -> None:
    who = left_by_a_killed_supervisor(bench, "echo something; sleep 1000 & sleep 1000")

    async def test() -> None:
        await bench.said("something")
        await bench.runtime.adopt(bench.service("true"), 3, who, bench.events.append)
        os.kill(who.pid, signal.SIGKILL)
        ended = await bench.event(Exited)
        assert (ended.code, ended.run, ended.words) == (None, 3, ("something",))
        assert ended.note.startswith("left ")
        assert bench.marked() == []

    bench.run(test)


def test_the_session_of_an_adopted_one_is_its_own(bench: Any, apoll: Any, alive: Any) -> None:
    """A child with nothing of our environment, never seen before its parent ended, is known by the session."""
    who = left_by_a_killed_supervisor(bench, "env -i sleep 1000 & echo child $!; sleep 1000; :")

    async def test() -> None:
        await bench.said("child ")
        child = int(bench.log().split()[1])
        await apoll(lambda: host.here().command(child) == "sleep 1000")
        await bench.runtime.adopt(bench.service("true"), 3, who, bench.events.append)
        os.kill(who.pid, signal.SIGKILL)
        await bench.event(Exited)
        assert not alive(child)

    bench.run(test)


def test_one_whose_identity_was_never_written_down_is_found_by_its_mark(bench: Any) -> None:
    who = left_by_a_killed_supervisor(bench, "sleep 1000 & sleep 1000")

    async def test() -> None:
        service = bench.service("true")
        await bench.runtime.adopt(service, 3, None, bench.events.append)
        assert bench.events == [Adopted(service="it", run=3, identity=who)]
        await bench.stop(service, who, 3)

    bench.run(test)


def test_another_run_is_not_adopted_but_ended(bench: Any) -> None:
    left_by_a_killed_supervisor(bench, "sleep 1000 & sleep 1000")

    async def test() -> None:
        await bench.runtime.adopt(bench.service("true"), 4, None, bench.events.append)
        (ended,) = bench.events
        assert isinstance(ended, Exited)
        assert (ended.run, ended.code, ended.note) == (4, None, "ended while no supervisor was watching")
        assert bench.marked() == []

    bench.run(test)


@pytest.mark.parametrize("doing", ["adopt", "stop"])
def test_what_a_copied_folder_knows_of_is_left_to_the_first_one(bench: Any, alive: Any, doing: str) -> None:
    who = left_by_a_killed_supervisor(bench, "echo words; exec sleep 1000")

    async def test() -> None:
        await bench.said("words")
        copy = ProcessRuntime(bench.root, "copy-0123456789", bench.logs)
        await getattr(copy, doing)(bench.service("true"), 3, who, bench.events.append)
        await copy.close()
        (ended,) = bench.events
        assert isinstance(ended, Exited | Stopped)
        assert alive(who.pid)
        assert await bench.stop(bench.service("true"), who, 3) == Stopped(service="it", run=3, code=None)
        assert not alive(who.pid)

    bench.run(test)


def test_what_a_dead_one_left_is_ended(bench: Any, gone: Any) -> None:
    who = left_by_a_killed_supervisor(bench, "echo words; setsid sleep 1000 & sleep 1000")

    async def test() -> None:
        await bench.said("words")
        os.kill(who.pid, signal.SIGKILL)
        await gone(who.pid)
        await bench.runtime.adopt(bench.service("true"), 3, who, bench.events.append)
        (ended,) = bench.events
        assert isinstance(ended, Exited)
        assert ended.words == ("words",)
        assert bench.marked() == []

    bench.run(test)


def test_a_zombie_is_not_adopted(bench: Any, apoll: Any) -> None:
    zombie = subprocess.Popen(["true"])

    async def test() -> None:
        await apoll(lambda: host.here().process(zombie.pid).dead)  # type: ignore[union-attr]
        await bench.runtime.adopt(bench.service("true"), 1, host.identity(zombie.pid), bench.events.append)
        assert isinstance(bench.events[0], Exited)

    bench.run(test)
    assert zombie.wait() == 0


def test_closing_leaves_everything_running(bench: Any, alive: Any) -> None:
    found: list[ProcessIdentity] = []

    async def first() -> None:
        found.append(await bench.start(bench.service(("sleep", "1000"))))

    async def second() -> None:
        assert alive(found[0].pid)
        await bench.runtime.adopt(bench.service("true"), 1, found[0], bench.events.append)
        await bench.stop(bench.service("true"), found[0])
        assert [type(event) for event in bench.events[1:]] == [Adopted, Stopped]

    bench.run(first)
    bench.run(second)


def test_a_check_of_an_adopted_service_has_its_environment(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLY_THEN", "yes")
    who = left_by_a_killed_supervisor(bench, "sleep 1000 & sleep 1000")
    monkeypatch.delenv("ONLY_THEN")

    async def test() -> None:
        service = bench.service("true")
        await bench.runtime.adopt(service, 3, who, bench.events.append)
        assert await bench.runtime.execute(service, "echo $ONLY_THEN", 30) == (0, "yes\n")
        await bench.stop(service, who, 3)

    bench.run(test)
