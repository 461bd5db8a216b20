"""The one door to subprocesses that are run and waited for.

``devctl.awaited`` is the same door for who must not hold up a loop.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from devctl.errors import DevctlError, Exit

Argv = str | Sequence[str]
"""A string is run by /bin/sh, a sequence is not."""

KILL_AFTER = 3.0
"""Seconds between SIGTERM and SIGKILL for a command that ran out of time or is no longer wanted."""
LINGER = 0.5
"""Seconds to wait for the end of the output once the command itself has ended: what it left running may hold it."""
_LAST = 15


class Result(msgspec.Struct, frozen=True):
    """How a command ended: its exit code (negative: the signal), and what it wrote."""

    code: int
    out: str
    err: str = ""


class Raw(msgspec.Struct, frozen=True):
    """As Result, with the bytes as they came: file names may be no text."""

    code: int
    out: bytes
    err: bytes = b""


class CommandError(DevctlError):
    """A command failed: shows the command, how it ended, and its last lines."""

    def __init__(self, argv: Argv, why: str, *, output: str = "", hint: str = "", cwd: object = "") -> None:
        lines = tuple(line for line in output.splitlines() if line.strip())[-_LAST:]
        super().__init__(
            what=f"{shown(argv)} failed", where=str(cwd or ""), why=why, hint=hint, code=Exit.FAILED, details=lines
        )
        self.output = output


class OutOfTime(CommandError):
    """It had not ended when its time was over, and was ended with its whole group."""


def shown(argv: Argv) -> str:
    """The command as a person would type it, shortened."""
    text = argv if isinstance(argv, str) else " ".join(argv)
    return text if len(text) <= 100 else text[:97] + "…"


def which(name: str) -> str | None:
    """The path of a command, None when it is not installed."""
    return shutil.which(name)


def arguments_of(argv: Argv) -> list[str]:
    """What is really run. Raises CommandError for nothing."""
    if not argv:
        raise CommandError("an empty command", "there is nothing to run")
    return ["/bin/sh", "-c", argv] if isinstance(argv, str) else list(argv)


def not_started(argv: Argv, cwd: object, error: OSError | ValueError) -> CommandError:
    """Why it could not even begin."""
    if cwd and not Path(str(cwd)).is_dir():
        return CommandError(argv, "its folder does not exist", cwd=cwd, hint=f"create {cwd}, or correct the manifest")
    name = arguments_of(argv)[0]
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CommandError(argv, f"{name}: {why}", cwd=cwd, hint=f"install {name}, or look at PATH")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def ended(argv: Argv, code: int, cwd: object, output: str) -> CommandError:
    """It ended with another code than 0."""
    why = f"exit code {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
    return CommandError(argv, why, cwd=cwd, output=output)


def output(
    argv: Argv,
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = 30,
    check: bool = True,
    input: str | None = None,  # noqa: A002 - subprocess's own word
) -> Result:
    """Run it and wait; ``timeout`` in seconds. Raises CommandError (also, with ``check``, for a code other than 0)."""
    given = None if input is None else input.encode()
    done = raw(argv, cwd=cwd, env=env, timeout=timeout, check=check, input=given)
    return Result(done.code, _text(done.out), _text(done.err))


def raw(
    argv: Argv,
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = 30,
    check: bool = True,
    input: bytes | None = None,  # noqa: A002 - subprocess's own word
    source: IO[bytes] | None = None,
    target: IO[bytes] | None = None,
) -> Raw:
    """As output(), in bytes. Arguments that are no text are given with surrogate escapes. It reads from the open file
    ``source`` and writes into ``target``, where these are given: what is too large to hold."""
    arguments = arguments_of(argv)
    try:
        process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=env,
            stdin=source or (subprocess.DEVNULL if input is None else subprocess.PIPE),
            stdout=target or subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise not_started(argv, cwd, error) from error
    with process:
        try:
            out, err = _communicate(process, input, timeout)
        except BaseException as error:
            _end_now(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise too_long(argv, timeout, cwd, _text(error.output) + _text(error.stderr)) from error
            raise
    if check and process.returncode:
        raise ended(argv, process.returncode, cwd, _text(out) + _text(err))
    return Raw(process.returncode, out, err)


def _communicate(process: subprocess.Popen[bytes], sent: bytes | None, timeout: float | None) -> tuple[bytes, bytes]:
    """Both streams until they end, or until the process did and something it left running holds them open.

    Raises TimeoutExpired.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = LINGER if deadline is None else min(LINGER, max(0.0, deadline - time.monotonic()))
        gone = process.poll() is not None
        try:
            out, err = process.communicate(sent, left)
            return out or b"", err or b""
        except subprocess.TimeoutExpired as error:
            if gone:
                return error.output or b"", error.stderr or b""
            if process.poll() is None and deadline is not None and time.monotonic() >= deadline:
                raise
            sent = None


def _text(raw: bytes | str | None) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw or ""


def too_long(argv: Argv, timeout: float | None, cwd: object, output: str) -> OutOfTime:
    """It had not ended in time."""
    return OutOfTime(argv, f"no end after {timeout:g} s", cwd=cwd, output=output)


def _end_now(process: subprocess.Popen[bytes]) -> None:
    """As _end, for who has no loop. SIGTERM first: git removes its lock files then."""
    deadline = time.monotonic() + KILL_AFTER
    signal_group(process.pid, signal.SIGTERM)
    while process.poll() is None or group_lives(process.pid):
        if time.monotonic() > deadline:
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.005)


def group_lives(group: int) -> bool:
    """Whether something of the group still runs. A zombie does not, and in a container nobody may ever reap it."""
    if not signal_group(group, 0):
        return False
    import psutil

    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def signal_group(group: int, number: int) -> bool:
    """Whether there is such a group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
