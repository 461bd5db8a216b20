"""Starting native processes: what they get, what they say, and what is said when they cannot start."""

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

from devctl.core.state import Exited, Started, StartFailed
from devctl.runtimes import host, process
from devctl.runtimes.environment import program_of


def test_exit_code_and_last_words(bench: Any) -> None:
    async def test() -> None:
        await bench.start(bench.service(r"printf '\033[31mred\033[0m\n\377\000bytes\n\n'; exit 3"))
        ended = await bench.event(Exited)
        assert (ended.code, ended.run, ended.words, ended.note) == (3, 1, ("red", "\ufffdbytes"), "")

    bench.run(test)


def test_words_are_of_this_run_only(bench: Any) -> None:
    async def test() -> None:
        await bench.start(bench.service("echo first; exit 1"))
        await bench.event(Exited)
        bench.events.clear()
        await bench.start(bench.service("echo second; exit 1"), run=2)
        assert (await bench.event(Exited)).words == ("second",)
        assert bench.log() == "first\nsecond\n"

    bench.run(test)


def test_exit_codes_of_a_storm_are_each_its_own(bench: Any) -> None:
    async def test() -> None:
        services = [bench.service(f"exit {code}", f"s{code}") for code in range(60)]
        await asyncio.gather(*(bench.start(service) for service in services))
        for code in range(60):
            assert (await bench.event(Exited, f"s{code}")).code == code
        assert len(bench.events) == 120

    bench.run(test)


@pytest.mark.parametrize(
    ("command", "code", "note"),
    [
        ("kill -KILL $$", -9, "perhaps the machine ran out of memory"),
        ("kill -SEGV $$", -11, "it crashed"),
        ("kill -TERM $$", -15, ""),
        ("sh -c 'kill -KILL $$'; exit $?", 137, "SIGKILL: perhaps the machine ran out of memory"),
        ("cd . && no-such-thing", 127, "a command was not found"),
    ],
)
def test_the_note_explains_the_code(bench: Any, command: str, code: int, note: str) -> None:
    async def test() -> None:
        await bench.start(bench.service(command))
        ended = await bench.event(Exited)
        assert (ended.code, ended.note) == (code, note)

    bench.run(test)


def test_environment(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FROM_USER", "user")
    monkeypatch.setenv("OVERRIDDEN", "user")
    (bench.root / ".env").write_text("FROM_FILE='a b'\nOVERRIDDEN=file\nTWICE=file\n")
    spec = {
        "environment": {"TWICE": "own", "FILLED": "x-${FROM_USER}-${NOT_SET:-y}-${FROM_FILE}"},
        "env_file": (str(bench.root / ".env"),),
    }

    async def test() -> None:
        who = await bench.start(bench.service("env; pwd", **spec))
        await bench.event(Exited)
        got = dict(line.split("=", 1) for line in bench.log().splitlines() if "=" in line)
        assert (got["FROM_FILE"], got["OVERRIDDEN"], got["TWICE"]) == ("a b", "file", "own")
        assert got["FILLED"] == "x-user-y-a b"
        assert got["DEVCTL_SERVICE"] == f"{bench.workspace}/it/1"
        assert got["FORCE_COLOR"] == "1"
        assert "NO_COLOR" not in got
        assert bench.log().splitlines()[-1] == str(bench.root)
        assert who.boot == boot

    bench.run(test)


def test_asked_for_no_colour(bench: Any) -> None:
    async def test() -> None:
        await bench.start(bench.service("env", environment={"NO_COLOR": "1"}))
        await bench.event(Exited)
        assert "NO_COLOR=1" in bench.log()
        assert "FORCE_COLOR" not in bench.log()

    bench.run(test)


def test_leads_a_session_and_has_no_descriptor_of_ours(bench: Any) -> None:
    program = "import os; print(os.getpid() == os.getpgrp() == os.getsid(0), sorted(os.listdir('/proc/self/fd')))"

    async def test() -> None:
        held = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(held, True)
        try:
            await bench.start(bench.python(program))
            await bench.event(Exited)
        finally:
            os.close(held)
        assert bench.log() == "True ['0', '1', '2', '3']\n"  # 3 is the listing itself

    bench.run(test)


def test_the_limit_of_open_files_is_the_users(bench: Any) -> None:
    before = host.raise_open_files()

    async def test() -> None:
        await bench.start(bench.service("sleep 0.3; ulimit -Sn"))
        await bench.event(Exited)
        assert bench.log().strip() == str(before)

    bench.run(test)


def test_stdin_neither_ends_nor_has_anything(bench: Any) -> None:
    program = (
        "import select, sys, os\n"
        "print('ready' if select.select([0], [], [], 0.3)[0] else 'nothing', flush=True)\n"
        "os.read(0, 1)\nprint('ended')"
    )

    async def test() -> None:
        service = bench.python(program)
        who = await bench.start(service)
        await bench.said("nothing")
        assert not [event for event in bench.events if isinstance(event, Exited)]
        await bench.stop(service, who)
        assert "ended" not in bench.log()

    bench.run(test)


def test_may_close_its_stdin(bench: Any) -> None:
    async def test() -> None:
        await bench.start(bench.service("exec <&-; echo still here; exit 4"))
        assert (await bench.event(Exited)).code == 4
        assert bench.log() == "still here\n"

    bench.run(test)


def test_200_megabytes_of_output(bench: Any) -> None:
    program = "import sys\nfor _ in range(200): sys.stdout.write(('x' * 99 + '\\n') * 10000)\nprint('the end')"

    async def test() -> None:
        await bench.start(bench.python(program))
        ended = await bench.event(Exited, timeout=110)
        assert ended.words[-1] == "the end"
        assert len(ended.words) == 10
        assert bench.logs.path("it").stat().st_size == 200_000_000 + 8

    bench.run(test)
    bench.logs.path("it").unlink()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("no-such-thing --port 80", "no-such-thing: command not found"),
        (("no-such-thing", "--port"), "no-such-thing: command not found"),
        ("./missing.sh", "./missing.sh: command not found"),
        (("./plain.sh",), "permission denied"),
        (("./no-interpreter",), "exec format error"),
    ],
)
def test_what_cannot_be_started(bench: Any, command: str | tuple[str, ...], reason: str) -> None:
    (bench.root / "plain.sh").write_text("#!/bin/sh\n")
    (bench.root / "no-interpreter").write_text("echo\n")
    (bench.root / "no-interpreter").chmod(0o755)

    async def test() -> None:
        await bench.runtime.start(bench.service(command), 1, os.environ, bench.events.append)
        (failed,) = bench.events
        assert isinstance(failed, StartFailed)
        assert failed.reason.startswith(reason)
        assert failed.final
        assert failed.hint

    bench.run(test)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"path": "/no/such/folder"}, "its folder does not exist (/no/such/folder)"),
        ({"env_file": ("/no/such/.env",)}, "the file of variables can't be read (/no/such/.env)"),
        ({"environment": {"A": "${NOT_SET_ANYWHERE:?say what}"}}, ""),
    ],
)
def test_what_has_wrong_surroundings(bench: Any, spec: dict[str, Any], reason: str) -> None:
    async def test() -> None:
        await bench.runtime.start(bench.service("echo", **spec), 1, os.environ, bench.events.append)
        (failed,) = bench.events
        assert isinstance(failed, StartFailed)
        assert failed.reason.startswith(reason)
        assert failed.final

    bench.run(test)


def test_no_room_for_the_log_is_not_final(bench: Any) -> None:
    service = bench.service("echo")
    service_without_descriptors = OSError(24, "Too many open files")

    async def test() -> None:
        bench.logs.open = lambda name: (_ for _ in ()).throw(service_without_descriptors)
        await bench.runtime.start(service, 1, os.environ, bench.events.append)
        (failed,) = bench.events
        assert isinstance(failed, StartFailed)
        assert not failed.final

    bench.run(test)


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("npm-of-nowhere run dev", "npm-of-nowhere"),
        ("./run", "./run"),
        ("sh run", ""),
        ("cd x && nothing", ""),
        ("FOO=1 nothing", ""),
        ("exec nothing", ""),
        ("(nothing)", ""),
        ("nothing|nothing", ""),
        ("$NOTHING here", ""),
        ("'unclosed", ""),
        ("if true; then nothing; fi", ""),
        (("nothing", "x"), "nothing"),
    ],
)
def test_only_what_is_certain_counts_as_missing(tmp_path: Path, command: Any, missing: str) -> None:
    word, file = program_of(command, str(tmp_path), os.environ["PATH"])
    assert (word if not file else "") == missing


def test_a_command_of_a_check(bench: Any, apoll: Any) -> None:
    service = bench.service(("sleep", "1000"), environment={"COLOUR": "blue"})

    async def test() -> None:
        who = await bench.start(service)
        execute = bench.runtime.execute
        assert await execute(service, "echo $COLOUR; pwd; exit 3", 30) == (3, f"blue\n{bench.root}\n")
        assert await execute(service, ("true",), 30) == (0, "")
        assert len((await execute(service, "head -c 100000 /dev/zero | tr '\\0' x", 30))[1]) == 4096
        with pytest.raises(FileNotFoundError):
            await execute(service, ("no-such-thing",), 30)
        with pytest.raises(TimeoutError):
            await execute(service, "sleep 1000 & sleep 1000", 0.3)
        await apoll(lambda: bench.marked() == [who.pid])
        await bench.stop(service, who)

    bench.run(test)


def test_codes_of_checks_survive_scans(bench: Any) -> None:
    """The reaper of orphans must not take a check's exit code away."""

    async def test() -> None:
        service = bench.service("sleep 1000")
        who = await bench.start(service)
        for _ in range(40):
            check = asyncio.ensure_future(bench.runtime.execute(service, "exit 7", 30))
            while not check.done():
                bench.runtime.usage({"it": who})
                await asyncio.sleep(0)
            assert check.result()[0] == 7
        await bench.stop(service, who)

    bench.run(test)


def test_usage_counts_the_whole_tree(bench: Any) -> None:
    child = "import time; x = bytearray(60_000_000); print('big', flush=True); time.sleep(1000)"
    program = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-S', '-c', {child!r}])\nwhile True: pass"

    async def test() -> None:
        service = bench.python(program)
        who = await bench.start(service)
        idle = bench.service("sleep 1000", "idle")
        other = await bench.start(idle)
        await bench.said("big")
        first = bench.runtime.usage({"it": who, "idle": other})
        assert first["it"][1] > 65_000_000
        assert first["it"][0] == 0
        deadline = asyncio.get_running_loop().time() + 60
        percent = 0.0
        while percent < 5 and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.2)
            both = bench.runtime.usage({"it": who, "idle": other})
            percent = both["it"][0]
            assert both["idle"][0] < percent or percent < 5
        assert percent >= 5
        await asyncio.gather(bench.stop(service, who), bench.stop(idle, other))
        assert bench.runtime.usage({"it": who}) == {}

    bench.run(test)


def ticks(pid: int) -> int:
    """Field 22 of /proc/PID/stat."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_started_names_the_process_at_once(bench: Any) -> None:
    async def test() -> None:
        service = bench.service("sleep 1000")
        await bench.runtime.start(service, 5, os.environ, bench.events.append)
        (started,) = bench.events
        assert isinstance(started, Started)
        assert started.run == 5
        assert started.identity.start == ticks(started.identity.pid)
        await bench.stop(service, started.identity, 5)

    bench.run(test)


def test_import_is_light() -> None:
    heavy = ("httpx", "psutil", "docker", "yaml", "pydantic")
    code = f"import sys, devctl.runtimes.process, devctl.probes; print([m for m in {heavy} if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(host.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True)
    assert re.fullmatch(rb"\[\]\n", done.stdout)


def test_signals_that_we_ignore_are_heeded_by_services(bench: Any) -> None:
    """A shell starts its background jobs with SIGINT ignored; a service must not inherit that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def test() -> None:
        await bench.start(bench.service("grep SigIgn /proc/self/status"))
        await bench.event(Exited)
        assert int(bench.log().split()[1], 16) & (1 << signal.SIGINT - 1) == 0

    try:
        bench.run(test)
    finally:
        signal.signal(signal.SIGINT, before)


def test_no_descriptors_left_is_a_failed_start_and_no_stray(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(pid: int) -> Any:
        raise OSError(24, "Too many open files")

    async def test() -> None:
        with monkeypatch.context() as out_of_descriptors:
            out_of_descriptors.setattr(host, "identity", full)
            await bench.runtime.start(bench.service(("sleep", "1000")), 1, os.environ, bench.events.append)
        (failed,) = bench.events
        assert isinstance(failed, StartFailed)
        assert not failed.final

    bench.run(test)


def program(folder: Path, says: str, mode: int = 0o755) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "tool").write_text(f"#!/bin/sh\necho {says} as $0\n")
    (folder / "tool").chmod(mode)


def test_a_program_is_looked_for_at_each_start(bench: Any) -> None:
    """Also in a folder of the PATH that counts from the service's; what comes or goes meanwhile is noticed."""
    early, late, own = bench.root / "early", bench.root / "late", bench.root / "own"
    (early / "tool").mkdir(parents=True)
    search = f"bin:{early}:{late}:{os.environ['PATH']}"
    service = bench.service(("tool",), path=str(own), environment={"PATH": search})
    own.mkdir()

    async def runs(run: int) -> str:
        bench.events.clear()
        await bench.runtime.start(service, run, os.environ, bench.events.append)
        if isinstance(bench.events[0], StartFailed):
            return str(bench.events[0].reason)
        return str((await bench.event(Exited)).words[-1])

    async def test() -> None:
        assert "tool: command not found" in await runs(1)
        program(late, "late")
        assert await runs(2) == f"late as {late}/tool"
        (early / "tool").rmdir()
        program(early, "never", mode=0o644)
        assert await runs(3) == f"late as {late}/tool"
        program(early, "early")
        assert await runs(4) == f"early as {early}/tool"
        (own / "bin").mkdir()
        program(own / "bin", "own")
        assert await runs(5) == f"own as {own}/bin/tool"
        for folder in (early, late, own / "bin"):
            (folder / "tool").unlink()
        assert "tool: command not found" in await runs(6)

    bench.run(test)


def test_a_program_is_called_what_the_manifest_calls_it(bench: Any) -> None:
    async def test() -> None:
        await bench.start(bench.service(("sh", "-c", "cat /proc/$$/cmdline | tr '\\0' ' '; exit 1")))
        assert (await bench.event(Exited)).words[-1].startswith("sh -c cat")

    bench.run(test)


def test_one_that_ends_before_it_is_watched_is_noticed(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spawn = process.spawn

    def and_wait(*given: Any) -> int:
        pid = spawn(*given)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return pid

    async def test() -> None:
        monkeypatch.setattr(process, "spawn", and_wait)
        await bench.start(bench.service("exit 7"))
        assert (await bench.event(Exited)).code == 7

    bench.run(test)
