"""Stopping: whole trees of every shape end, and nobody else is hit."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devctl.core.state import Exited, ProcessIdentity, StartFailed, StopFailed, Stopped
from devctl.runtimes import host, signals, tree
from devctl.runtimes.host import Linux, Process

ANNOUNCE = "import os, signal, sys, time; os.write(1, b'here %d\\n' % os.getpid())\n"
SLEEP = ANNOUNCE + "time.sleep(1000)"


def spawn(code: str, **how: Any) -> str:
    """A line of Python that starts another Python with ``code``."""
    options = "".join(f", {key}={value}" for key, value in how.items())
    return f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-E', '-u', '-c', {code!r}]{options})\n"


DETACHED_CLEAN = spawn(SLEEP, start_new_session=True, env="{}")
DOUBLE_FORK = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        os.write(1, b'here %d\\n' % os.getpid()); time.sleep(1000)\n"
    "    os._exit(0)\n"
    "os.wait()\n"
)
SHAPES = {
    "alone": SLEEP,
    "a runner that dies of SIGTERM and leaves its child": spawn(SLEEP) + "import time; time.sleep(1000)",
    "a runner that swallows SIGTERM": "import signal, time; signal.signal(15, lambda *_: None)\n"
    + spawn(SLEEP) + "\nwhile True: time.sleep(1000)",
    "a child in a group of its own": spawn(SLEEP, process_group=0) + "import time; time.sleep(1000)",
    "a child in a session of its own": spawn(SLEEP, start_new_session=True) + "import time; time.sleep(1000)",
    "a child in a session of its own with nothing of our environment": DETACHED_CLEAN + "import time; time.sleep(1000)",
    "double fork and setsid": DOUBLE_FORK + "time.sleep(1000)",
    "a grandchild whose parent is gone": spawn(spawn(SLEEP)) + "import time; time.sleep(1000)",
}  # fmt: skip


def pids_in(log: str) -> list[int]:
    return [int(pid) for pid in re.findall(r"^here (\d+)$", log, re.MULTILINE)]


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_left_of(bench: Any, shape: str, alive: Any) -> None:
    grace = 0.5 if "swallows" in shape else 30.0

    async def test() -> None:
        service = bench.python(SHAPES[shape], stop_grace_period=grace)
        who = await bench.start(service)
        await bench.said("here ")
        pids = pids_in(bench.log())
        assert pids
        assert all(alive(pid) for pid in pids)
        assert isinstance(await bench.stop(service, who), Stopped)
        assert not [pid for pid in (who.pid, *pids) if alive(pid)]
        assert bench.marked() == []
        assert [type(event) for event in bench.events[1:]] == [Stopped]

    bench.run(test)


def test_code_of_a_stop_is_the_leaders(bench: Any) -> None:
    program = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('here'); time.sleep(1000)"

    async def test() -> None:
        service = bench.python(program)
        who = await bench.start(service)
        await bench.said("here")
        assert await bench.stop(service, who) == Stopped(service="it", run=1, code=7)

    bench.run(test)


def test_the_signal_asked_for(bench: Any) -> None:
    program = "import signal, sys, time; signal.signal(2, lambda *_: sys.exit(8)); print('here'); time.sleep(1000)"

    async def test() -> None:
        service = bench.python(program, stop_signal="SIGINT")
        who = await bench.start(service)
        await bench.said("here")
        assert (await bench.stop(service, who)).code == 8

    bench.run(test)


def test_each_process_hears_the_signal_once(bench: Any, apoll: Any) -> None:
    """A second SIGTERM means "at once" to many programs."""
    child = (
        "import signal, sys, time, os\n"
        "def heard(*_): os.write(1, b'heard %d\\n' % os.getpid()); time.sleep(0.6); sys.exit(0)\n"
        "signal.signal(15, heard); os.write(1, b'here %d\\n' % os.getpid())\nwhile True: time.sleep(1000)"
    )
    program = spawn(child) + spawn(child, process_group=0) + spawn(child, start_new_session=True) + child

    async def test() -> None:
        service = bench.python(program)
        who = await bench.start(service)
        await apoll(lambda: len(pids_in(bench.log())) == 4)
        await bench.stop(service, who)
        heard = re.findall(r"heard (\d+)", bench.log())
        assert sorted(map(int, heard)) == sorted(pids_in(bench.log()))

    bench.run(test)


def test_who_ignores_sigterm_is_killed_after_the_grace(bench: Any) -> None:
    async def test() -> None:
        program = "import signal; signal.signal(15, signal.SIG_IGN)\n" + SLEEP
        service = bench.python(program, stop_grace_period=0.3)
        who = await bench.start(service)
        await bench.said("here")
        begun = asyncio.get_running_loop().time()
        assert (await bench.stop(service, who)).code == -9
        assert asyncio.get_running_loop().time() - begun >= 0.3

    bench.run(test)


def test_a_stopped_process_hears_sigterm(bench: Any) -> None:
    program = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(5)); print('here'); time.sleep(1000)"

    async def test() -> None:
        service = bench.python(program)
        who = await bench.start(service)
        await bench.said("here")
        os.kill(who.pid, signal.SIGSTOP)
        assert (await bench.stop(service, who)).code == 5

    bench.run(test)


def test_what_is_born_while_stopping_ends_too(bench: Any) -> None:
    heir = ANNOUNCE + "time.sleep(1000)"
    program = (
        "import signal, sys, time, subprocess, os\n"
        f"def late(*_): subprocess.Popen([sys.executable, '-S', '-c', {heir!r}], start_new_session=True);"
        " time.sleep(0.3); os._exit(0)\n"
        "signal.signal(15, late); print('ready', flush=True)\nwhile True: time.sleep(1000)"
    )

    async def test() -> None:
        service = bench.python(program)
        who = await bench.start(service)
        await bench.said("ready")
        await bench.stop(service, who)
        assert bench.marked() == []

    bench.run(test)


def test_leftovers_of_a_crash_are_ended_before_it_is_told(bench: Any, alive: Any) -> None:
    async def test() -> None:
        program = spawn(SLEEP) + spawn(SLEEP, start_new_session=True) + "import os, time; time.sleep(0.5); os._exit(3)"
        await bench.start(bench.python(program))
        ended = await bench.event(Exited)
        assert (ended.code, ended.note) == (3, "left 2 processes behind, which were stopped")
        assert not [pid for pid in pids_in(bench.log()) if alive(pid)]
        assert bench.marked() == []

    bench.run(test)


def test_a_daemonizer_is_told_to_stay(bench: Any) -> None:
    async def test() -> None:
        await bench.start(bench.python(DOUBLE_FORK))
        ended = await bench.event(Exited)
        assert (ended.code, ended.note) == (0, "it went to the background (daemonized): run it in the foreground")
        assert bench.marked() == []

    bench.run(test)


def test_leftovers_that_ignore_sigterm_are_killed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN)\n" + SLEEP

    async def test() -> None:
        program = spawn(stubborn) + "import os, time; time.sleep(0.5); os._exit(1)"
        await bench.start(bench.python(program, stop_grace_period=0.2))
        await bench.event(Exited)
        assert bench.marked() == []

    bench.run(test)


def zombies_of_ours(session: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            seen = host.here().process(int(entry.name))
            if seen and seen.dead and seen.parent == os.getpid() and seen.session == session:
                found.append(seen.pid)
    return found


def test_no_zombie_stays(bench: Any, apoll: Any) -> None:
    """Children nobody waits for become ours when their parent ends."""
    program = (
        "import os, time\n"
        "for _ in range(20):\n"
        "    if os.fork() == 0:\n"
        "        if os.fork() == 0: time.sleep(0.3); os._exit(0)\n"
        "        os._exit(0)\n"
        "os.write(1, b'here %d\\n' % os.getpid()); time.sleep(1000)"
    )

    async def test() -> None:
        service = bench.python(program)
        who = await bench.start(service)
        await bench.said("here")
        await apoll(lambda: len(zombies_of_ours(who.pid)) == 20)
        bench.runtime.usage({"it": who})
        assert zombies_of_ours(who.pid) == []
        await bench.stop(service, who)
        assert zombies_of_ours(who.pid) == []

    bench.run(test)


def test_children_of_others_in_this_process_keep_their_codes(bench: Any, apoll: Any) -> None:
    other = subprocess.Popen(["sh", "-c", "exit 9"])
    session = subprocess.Popen(["sh", "-c", "exit 8"], start_new_session=True)

    async def test() -> None:
        service = bench.service("sleep 1000")
        who = await bench.start(service)
        await apoll(lambda: zombies_of_ours(session.pid))
        await apoll(lambda: host.here().process(other.pid).dead)  # type: ignore[union-attr]
        bench.runtime.usage({"it": who})
        await bench.stop(service, who)
        assert other.wait() == 9
        assert session.wait() == 8

    bench.run(test)


@pytest.fixture
def bystander() -> Any:
    """A process that is nobody's service, leader of its own session."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def wrong(pid: int, **how: Any) -> ProcessIdentity:
    right = host.identity(pid)
    return ProcessIdentity(pid=pid, start=how.get("start", right.start), boot=how.get("boot", right.boot))


@pytest.mark.parametrize("how", [{"start": 1}, {"boot": "another"}])
def test_a_pid_that_was_given_to_another_is_left_alone(bench: Any, bystander: Any, how: dict[str, Any]) -> None:
    async def test() -> None:
        service, who = bench.service("true", stop_grace_period=0.1), wrong(bystander.pid, **how)
        assert isinstance(await bench.stop(service, who), Stopped)
        await bench.runtime.adopt(service, 1, who, bench.events.append)
        assert isinstance(bench.events[-1], Exited)
        assert bench.runtime.usage({"it": who}) == {} or how == {"boot": "another"}
        assert bystander.poll() is None

    bench.run(test)


def test_a_pid_reused_between_look_and_signal_is_left_alone(bench: Any, bystander: Any) -> None:
    assert not signals.send((bystander.pid, 1), signal.SIGKILL)
    assert not signals.send_group((bystander.pid, 1), signal.SIGKILL)
    members = [host.here().process(bystander.pid)._replace(start=1)]  # type: ignore[union-attr]
    tree.tell(tree.Tree("x/y/", (bystander.pid, 1)), members, signal.SIGKILL)
    assert bystander.poll() is None


def test_a_dead_leaders_session_is_not_trusted_unwatched(bystander: Any) -> None:
    """Whoever is in session N now may have nothing to do with the N of long ago."""
    gone = tree.Tree("x/y/", (bystander.pid, 1), watched=False)
    assert gone.members(tree.Scanner().scan()) == []
    gone = tree.Tree("x/y/", (bystander.pid, 1), watched=True)
    assert gone.members(tree.Scanner().scan()) == []


@pytest.mark.parametrize("watched", [True, False])
def test_a_dead_leaders_session_is_its_own_while_it_was_watched(watched: bool) -> None:
    member = Process(4_000_001, 1, 4_000_000, 4_000_000, 5, "S", 0.0, 0)
    scan = tree.Scan({member.pid: member}, {member.pid: ""})
    found = tree.Tree("x/y/", (4_000_000, 4), watched=watched).members(scan)
    assert found == ([member] if watched else [])


def test_never_itself_nor_its_ancestors(bench: Any) -> None:
    """A supervisor that was itself started by a service of the same workspace sweeps and survives."""
    program = f"""
import asyncio, os, subprocess, sys
from pathlib import Path
from devctl.logs import Logs
from devctl.runtimes.process import ProcessRuntime

async def main():
    runtime = ProcessRuntime(Path({str(bench.root)!r}), {bench.workspace!r}, Logs(Path({str(bench.root)!r})))
    child = subprocess.Popen(['sleep', '1000'], env={{}})
    print('swept', await runtime.sweep(), child.poll(), flush=True)
    child.kill()
    child.wait()
    await runtime.close()

asyncio.run(main())
"""
    environment = {
        **os.environ, "DEVCTL_SERVICE": f"{bench.workspace}/outer/1", "PYTHONPATH": str(Path(host.__file__).parents[2]),
    }  # fmt: skip
    outer = ["sh", "-c", 'sleep 1000 & "$@"; echo outer lives; kill %1 2>/dev/null; wait', "sh"]
    done = subprocess.run([*outer, sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=False)
    text = done.stdout.decode()
    assert text.count("Swept(") == 1
    assert "sleep 1000" in text
    assert "None" in text, "a child of its own is none of the service's"
    assert text.endswith("outer lives\n")


@pytest.mark.parametrize("pid", [0, 1, os.getpid(), os.getppid(), -1])
def test_protected_pids_refuse_every_signal(pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("signalled"))
    monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("signalled"))
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: pytest.fail("signalled"))
    found = host.here().process(pid)
    key = (pid, found.start if found else 0)
    with pytest.raises(PermissionError):
        signals.send(key, signal.SIGTERM)
    assert not signals.send_group(key, signal.SIGTERM)


def test_what_survives_sigkill_is_named(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "KILL_PATIENCE", 0.3)

    async def test() -> None:
        service = bench.service(("sleep", "1000"), stop_grace_period=0.1)
        who = await bench.start(service)
        with monkeypatch.context() as deaf:
            deaf.setattr(tree, "tell", lambda *_: None)
            failed = await bench.stop(service, who)
        assert isinstance(failed, StopFailed)
        assert f"{who.pid} (sleep 1000)" in failed.reason
        assert isinstance(await bench.stop(service, who), Stopped)

    bench.run(test)


def test_two_stops_at_once_tell_once(bench: Any) -> None:
    async def test() -> None:
        service = bench.service("sleep 1000")
        who = await bench.start(service)
        await asyncio.gather(bench.stop(service, who), bench.stop(service, who))
        assert [type(event) for event in bench.events[1:]] == [Stopped]

    bench.run(test)


def test_a_stop_while_the_leftovers_are_ended(bench: Any, apoll: Any) -> None:
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN)\n" + SLEEP

    async def test() -> None:
        program = spawn(stubborn, start_new_session=True) + "import os, time; time.sleep(0.5); os._exit(3)"
        service = bench.python(program, stop_grace_period=0.5)
        who = await bench.start(service)
        await apoll(lambda: bench.runtime._runs["it"].after_exit)
        await bench.stop(service, who)
        assert [type(event) for event in bench.events[1:]] == [Exited, Stopped]

    bench.run(test)


def test_a_stop_before_the_start_came_to_it(bench: Any) -> None:
    async def test() -> None:
        service = bench.service("sleep 1000")
        starting = asyncio.ensure_future(bench.runtime.start(service, 1, os.environ, bench.events.append))
        await asyncio.sleep(0)
        await bench.stop(service, None)
        await starting
        assert [type(event) for event in bench.events] == [StartFailed, Stopped]
        assert bench.marked() == []

    bench.run(test)


def test_a_cancelled_stop_ends_all_the_same(bench: Any) -> None:
    async def test() -> None:
        service = bench.service("sleep 1000")
        who = await bench.start(service)
        stopping = asyncio.ensure_future(bench.stop(service, who))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        stopping.cancel()
        await bench.event(Stopped)
        assert bench.marked() == []

    bench.run(test)


def test_a_hundred_stops_share_their_looks(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    scan = tree.Scanner.scan
    monkeypatch.setattr(tree.Scanner, "scan", lambda self: (looks.append(1), scan(self))[1])

    async def test() -> None:
        services = [bench.service("sleep 1000 & sleep 1000", f"s{number}") for number in range(100)]
        for service in services:
            await bench.start(service)
        identities = {event.service: event.identity for event in bench.events}
        await asyncio.gather(*(bench.stop(service, identities[service.name]) for service in services))
        assert len([event for event in bench.events if isinstance(event, Stopped)]) == 100
        assert bench.marked() == []
        assert len(looks) < 100

    bench.run(test)


def carrying(mark: str) -> int:
    """The pid of a process with that mark that is nobody's child any more."""
    script = ["sh", "-c", "setsid sleep 1001 >/dev/null & echo $!"]
    marked = {**os.environ, "DEVCTL_SERVICE": mark}
    return int(subprocess.run(script, env=marked, stdout=subprocess.PIPE, check=True).stdout)


def test_sweep_ends_what_carries_the_mark_except_what_is_kept(bench: Any, apoll: Any, alive: Any) -> None:
    stray, foreign = carrying(f"{bench.workspace}/old/7"), carrying("another/old/7")

    async def test() -> None:
        kept = bench.service("sleep 1000 & sleep 1000", "kept")
        who = await bench.start(kept)
        await apoll(lambda: host.here().command(stray) == "sleep 1001")
        (swept,) = await bench.runtime.sweep([who])
        assert (swept.pid, swept.service, swept.command) == (stray, "old", "sleep 1001")
        assert alive(foreign)
        assert not alive(stray)
        assert who.pid in bench.marked()
        await bench.stop(kept, who)
        os.kill(foreign, signal.SIGKILL)

    bench.run(test)


def test_what_cannot_be_seen_is_not_taken_for_gone(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of descriptors for a while: the stop waits and then ends what there is."""
    monkeypatch.setattr(tree, "_BLIND", 0.02)
    processes, left = Linux.processes, [5]

    def sometimes(self: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(24, "Too many open files")
        return processes(self)

    async def test() -> None:
        service = bench.service("sleep 1000 & sleep 1000")
        who = await bench.start(service)
        monkeypatch.setattr(Linux, "processes", sometimes)
        assert isinstance(await bench.stop(service, who), Stopped)
        assert bench.marked() == []
        blind = bench.service("sleep 1000", stop_grace_period=0.0)
        who = await bench.start(blind)
        left[0] = 1_000_000
        monkeypatch.setattr(tree, "KILL_PATIENCE", 0.1)
        assert "Too many open files" in (await bench.stop(blind, who)).reason
        left[0] = 0
        monkeypatch.setattr(tree, "KILL_PATIENCE", 60.0)
        assert isinstance(await bench.stop(blind, who), Stopped)

    bench.run(test)


@pytest.mark.parametrize(("name", "number"), [("SIGINT", 2), ("int", 2), ("QUIT", 3), ("nonsense", 15)])
def test_names_of_signals(name: str, number: int) -> None:
    assert signals.number(name) == number
