"""Commands that are run and waited for: real ones, with real ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from devctl import command
from devctl.awaited import run
from devctl.command import CommandError, Result, output
from devctl.errors import DevctlError

Poll = Callable[..., Any]
RUNNERS = pytest.mark.parametrize("runner", [output, lambda *given, **how: asyncio.run(run(*given, **how))])
Runner = Callable[..., Result]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def marked(tag: str) -> list[int]:
    """The living processes that were started with this tag in their environment."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.environ().get("COMMAND_TEST") == tag and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each.pid)
        except psutil.Error:
            continue
    return found


def numbers(path: Path, count: int) -> list[int]:
    found = path.read_text().split() if path.exists() else []
    return [int(each) for each in found] if len(found) == count else []


@RUNNERS
def test_both_streams_and_the_code(runner: Runner) -> None:
    assert runner("echo out; echo err >&2; exit 3", check=False) == Result(3, "out\n", "err\n")
    assert runner(["printf", "%s", "a b"]) == Result(0, "a b", "")


@RUNNERS
def test_folder_environment_and_an_empty_stdin(runner: Runner, tmp_path: Path) -> None:
    found = runner("pwd; echo $WORD; cat", cwd=tmp_path, env={"WORD": "x", "PATH": os.environ["PATH"]})
    assert found.out == f"{tmp_path}\nx\n"


@RUNNERS
def test_a_failure_shows_command_code_and_last_lines(runner: Runner) -> None:
    with pytest.raises(CommandError) as caught:
        runner("for i in $(seq 40); do echo line $i; done; exit 7")
    assert isinstance(caught.value, DevctlError)
    assert caught.value.what.endswith(" failed")
    assert "seq 40" in caught.value.what
    assert caught.value.why == "exit code 7"
    assert caught.value.details[-1] == "line 40"
    assert len(caught.value.details) == 15


@RUNNERS
def test_a_signal_has_its_name(runner: Runner) -> None:
    with pytest.raises(CommandError) as caught:
        runner("kill -KILL $$")
    assert caught.value.why == "killed by SIGKILL"
    assert runner("kill -KILL $$", check=False).code == -signal.SIGKILL


@RUNNERS
def test_what_cannot_be_started_is_said_with_a_hint(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as missing:
        runner(["no-such-command-at-all"])
    assert "no-such-command-at-all" in missing.value.hint
    with pytest.raises(CommandError) as nowhere:
        runner(["true"], cwd=tmp_path / "nowhere")
    assert "folder does not exist" in nowhere.value.why
    with pytest.raises(CommandError):
        runner([])
    with pytest.raises(CommandError):
        runner(["printf", "a\0b"])


@RUNNERS
def test_out_of_time_the_whole_group_dies(runner: Runner, tmp_path: Path, poll: Poll) -> None:
    script = "echo begun; sleep 300 & echo $$ $! > pids; wait"
    with pytest.raises(CommandError) as caught:
        runner(script, cwd=tmp_path, timeout=3.0)
    assert caught.value.why == "no end after 3 s"
    assert caught.value.details == ("begun",)
    for pid in numbers(tmp_path / "pids", 2):
        poll(lambda pid=pid: not alive(pid), what=f"{pid} is gone")


@RUNNERS
def test_who_ignores_sigterm_is_killed(
    runner: Runner, tmp_path: Path, poll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "KILL_AFTER", 0.2)
    with pytest.raises(CommandError):
        runner("trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done", cwd=tmp_path, timeout=3.0)
    (pid,) = numbers(tmp_path / "pid", 1)
    poll(lambda: not alive(pid), what="it is gone")


@RUNNERS
def test_sigterm_comes_first_and_is_given_time(runner: Runner, tmp_path: Path) -> None:
    tidy = "trap 'sleep 0.2; echo tidy > done; exit' TERM; touch begun; while :; do sleep 0.02; done"
    with pytest.raises(CommandError):
        runner(f"({tidy}) & wait", cwd=tmp_path, timeout=3.0)
    assert (tmp_path / "done").read_text() == "tidy\n"


@RUNNERS
def test_what_it_leaves_running_with_its_output_open_does_not_hold_it_up(runner: Runner, tmp_path: Path) -> None:
    began = time.monotonic()
    left = [sys.executable, "-c", "import time; time.sleep(300)"]
    leave = f"import subprocess; print(subprocess.Popen({left!r}, start_new_session=True).pid)"
    result = runner([sys.executable, "-c", leave], timeout=60)
    try:
        assert time.monotonic() - began < 50
        assert result.code == 0
    finally:
        os.kill(int(result.out), signal.SIGKILL)


@RUNNERS
def test_a_lot_of_output_and_bytes_that_are_no_text(runner: Runner) -> None:
    result = runner([sys.executable, "-c", "import sys; sys.stdout.buffer.write(b'\\xff' + b'x' * 3_000_000)"])
    assert result.out == "\N{REPLACEMENT CHARACTER}" + "x" * 3_000_000


def test_input_is_given() -> None:
    assert output(["cat"], input="ä" * 200_000).out == "ä" * 200_000
    assert output("exec 0<&-; sleep 0.7", input="x" * 1_000_000).code == 0


def test_lines_come_as_they_are_written_and_go_to_the_log_too(tmp_path: Path, poll: Poll) -> None:
    lines: list[str] = []
    log = tmp_path / "setup.log"
    log.write_text("before\n")

    def take(line: str) -> None:
        lines.append(line)
        if line == "one":
            (tmp_path / "go").touch()

    script = "echo one; until [ -e go ]; do sleep 0.01; done; echo two >&2; printf 'three'"
    result = asyncio.run(run(script, cwd=tmp_path, on_line=take, log=log, timeout=60))
    assert lines == ["one", "two", "three"]
    assert result == Result(0, "one\ntwo\nthree")
    assert log.read_text() == "before\none\ntwo\nthree"


def test_a_log_that_cannot_be_written_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="log"):
        asyncio.run(run("touch ran", cwd=tmp_path, log=tmp_path / "nowhere" / "x.log"))
    assert not (tmp_path / "ran").exists()


def test_cancelled_the_whole_group_is_gone_before_the_caller_goes_on(tmp_path: Path, poll: Poll) -> None:
    async def history() -> None:
        task = asyncio.create_task(run("sleep 300 & echo $$ $! > pids; wait", cwd=tmp_path))
        deadline = time.monotonic() + 30
        while not numbers(tmp_path / "pids", 2) and time.monotonic() < deadline:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(history())
    pids = numbers(tmp_path / "pids", 2)
    assert len(pids) == 2
    for pid in pids:
        poll(lambda pid=pid: not alive(pid), what=f"{pid} is gone")


def test_cancelled_at_any_moment_of_its_start_nothing_is_left(tmp_path: Path) -> None:
    tag = f"{os.getpid()}-{tmp_path}"

    async def cancelled_after(turns: int) -> None:
        task = asyncio.create_task(run("sleep 300 & sleep 300", env={**os.environ, "COMMAND_TEST": tag}))
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.sleep(turns % 5 / 500)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def history() -> None:
        for turns in range(40):
            await cancelled_after(turns)

    asyncio.run(history())
    assert marked(tag) == []


def test_many_commands_leave_no_descriptor(tmp_path: Path) -> None:
    def open_files() -> int:
        return psutil.Process().num_fds()

    async def several() -> None:
        await asyncio.gather(*(run(f"echo {number}", timeout=60) for number in range(20)))
        for broken in ({"cwd": tmp_path / "nowhere"}, {"log": tmp_path / "nowhere/log"}):
            with pytest.raises(CommandError):
                await run("true", **broken)

    asyncio.run(several())
    before = open_files()
    asyncio.run(several())
    assert open_files() == before


def test_the_way_without_a_loop_imports_no_asyncio() -> None:
    code = "import sys; from devctl.command import output; output('true'); print('asyncio' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
