"""The one door to subprocesses that are run and waited for (and to the supervisor, which is only let go)."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devctl.errors import DevctlError, Exit

Argv = str | Sequence[str]
"""A string is run by /bin/sh, a sequence is not."""

KILL_AFTER = 3.0
"""Seconds between SIGTERM and SIGKILL for a command that ran out of time or is no longer wanted."""
_LAST = 15


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code (negative: the signal), and what it wrote."""

    code: int
    out: str
    err: str = ""


class CommandError(DevctlError):
    """A command failed: shows the command, how it ended, and its last lines."""

    def __init__(self, argv: Argv, why: str, *, output: str = "", hint: str = "", cwd: object = "") -> None:
        lines = tuple(line for line in output.splitlines() if line.strip())[-_LAST:]
        super().__init__(
            what=f"{shown(argv)} failed", where=str(cwd or ""), why=why, hint=hint, code=Exit.FAILED, details=lines
        )
        self.output = output


def shown(argv: Argv) -> str:
    """The command as a person would type it, shortened."""
    text = argv if isinstance(argv, str) else " ".join(argv)
    return text if len(text) <= 100 else text[:97] + "…"


def which(name: str) -> str | None:
    """The path of a command, None when it is not installed."""
    return shutil.which(name)


def _arguments(argv: Argv) -> list[str]:
    return ["/bin/sh", "-c", argv] if isinstance(argv, str) else list(argv)


def _not_started(argv: Argv, cwd: object, error: OSError) -> CommandError:
    if cwd and not Path(str(cwd)).is_dir():
        return CommandError(argv, "its folder does not exist", cwd=cwd, hint=f"create {cwd}, or correct the manifest")
    name = _arguments(argv)[0]
    return CommandError(argv, f"{name}: {error.strerror or error}", cwd=cwd, hint=f"install {name}, or look at PATH")


def _ended(argv: Argv, code: int, cwd: object, output: str) -> CommandError:
    why = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
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
    try:
        process = subprocess.Popen(
            _arguments(argv),
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise _not_started(argv, cwd, error) from error
    with process:
        try:
            out, err = process.communicate(None if input is None else input.encode(), timeout)
        except BaseException as error:
            _kill(process.pid)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandError(argv, f"no end after {timeout:g} s", cwd=cwd) from error
            raise
    result = Result(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
    if check and result.code:
        raise _ended(argv, result.code, cwd, result.out + result.err)
    return result


async def run(
    argv: Argv,
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    log: Path | None = None,
) -> Result:
    """Run it and wait without holding up the loop. Its output, both streams together, goes to ``on_line`` line by line,
    to the end of ``log``, and into the result. Cancelled or out of time, it is ended with its whole group.
    Raises CommandError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_arguments(argv),
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=1 << 20,
        )
    except OSError as error:
        raise _not_started(argv, cwd, error) from error
    try:
        async with asyncio.timeout(timeout):
            text = await _read(process, on_line, log)
            code = await process.wait()
    except TimeoutError as error:
        await _end(process)
        raise CommandError(argv, f"no end after {timeout:g} s", cwd=cwd) from error
    except BaseException:
        await asyncio.shield(_end(process))
        raise
    if check and code:
        raise _ended(argv, code, cwd, text)
    return Result(code, text)


async def _read(process: asyncio.subprocess.Process, on_line: Callable[[str], None] | None, log: Path | None) -> str:
    stream = process.stdout
    if stream is None:
        raise RuntimeError("its output is a pipe")
    lines: list[str] = []
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600) if log else None
    try:
        async for raw in _lines(stream):
            if descriptor is not None:
                _append(descriptor, raw)
            line = raw.decode(errors="replace").rstrip("\r\n")
            lines.append(line)
            if on_line:
                on_line(line)
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return "\n".join(lines)


async def _lines(stream: asyncio.StreamReader):  # type: ignore[no-untyped-def]  # an async generator of bytes
    """Lines, however long: one without an end comes in pieces."""
    while True:
        try:
            line = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                yield error.partial
            return
        except asyncio.LimitOverrunError as error:
            line = await stream.readexactly(error.consumed)
        yield line


def _append(descriptor: int, raw: bytes) -> None:
    """A full disk must not fail the command whose output this is."""
    try:
        os.write(descriptor, raw)
    except OSError:
        return


async def _end(process: asyncio.subprocess.Process) -> None:
    _signal(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(KILL_AFTER):
            await process.wait()
    except TimeoutError:
        pass
    _kill(process.pid)
    await process.wait()


def _kill(group: int) -> None:
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def detach(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
    """Start it in a session of its own and let it go; its output is appended to ``log``. Returns its pid."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            list(argv), cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    process.returncode = 0  # it is not ours to wait for, and Popen would warn of that
    return process.pid
