"""The one door to subprocesses that are run and waited for (and to the supervisor, which is only let go)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devctl.errors import DevctlError, Exit

if TYPE_CHECKING:
    import asyncio

Argv = str | Sequence[str]
"""A string is run by /bin/sh, a sequence is not."""

KILL_AFTER = 3.0
"""Seconds between SIGTERM and SIGKILL for a command that ran out of time or is no longer wanted."""
LINGER = 0.5
"""Seconds to wait for the end of the output once the command itself has ended: what it left running may hold it."""
_LAST = 15


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code (negative: the signal), and what it wrote."""

    code: int
    out: str
    err: str = ""


@dataclass(frozen=True)
class Raw:
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


def _arguments(argv: Argv) -> list[str]:
    if not argv:
        raise CommandError("an empty command", "there is nothing to run")
    return ["/bin/sh", "-c", argv] if isinstance(argv, str) else list(argv)


def _not_started(argv: Argv, cwd: object, error: OSError | ValueError) -> CommandError:
    if cwd and not Path(str(cwd)).is_dir():
        return CommandError(argv, "its folder does not exist", cwd=cwd, hint=f"create {cwd}, or correct the manifest")
    name = _arguments(argv)[0]
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return CommandError(argv, f"{name}: {why}", cwd=cwd, hint=f"install {name}, or look at PATH")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _ended(argv: Argv, code: int, cwd: object, output: str) -> CommandError:
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
) -> Raw:
    """As output(), in bytes. Arguments that are no text are given with surrogate escapes."""
    arguments = _arguments(argv)
    try:
        process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _not_started(argv, cwd, error) from error
    with process:
        try:
            out, err = _communicate(process, input, timeout)
        except BaseException as error:
            _end_now(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise _too_long(argv, timeout, cwd, _text(error.output) + _text(error.stderr)) from error
            raise
    if check and process.returncode:
        raise _ended(argv, process.returncode, cwd, _text(out) + _text(err))
    return Raw(process.returncode, out, err)


def _communicate(process: subprocess.Popen[bytes], sent: bytes | None, timeout: float | None) -> tuple[bytes, bytes]:
    """Both streams until they end, or until the process did and something it left running holds them open.

    Raises TimeoutExpired.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = LINGER if deadline is None else min(LINGER, max(0.0, deadline - time.monotonic()))
        ended = process.poll() is not None
        try:
            return process.communicate(sent, left)
        except subprocess.TimeoutExpired as error:
            if ended:
                return error.output or b"", error.stderr or b""
            if process.poll() is None and deadline is not None and time.monotonic() >= deadline:
                raise
            sent = None


def _text(raw: bytes | str | None) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw or ""


def _too_long(argv: Argv, timeout: float | None, cwd: object, output: str) -> OutOfTime:
    return OutOfTime(argv, f"no end after {timeout:g} s", cwd=cwd, output=output)


def _end_now(process: subprocess.Popen[bytes]) -> None:
    """As _end, for who has no loop. SIGTERM first: git removes its lock files then."""
    deadline = time.monotonic() + KILL_AFTER
    _signal(process.pid, signal.SIGTERM)
    while process.poll() is None or _living(process.pid):
        if time.monotonic() > deadline:
            _signal(process.pid, signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.005)


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
    """Run it and wait without holding up the loop. Cancelled or out of time, it is ended with its whole group.

    With ``on_line`` (called for each line) or ``log`` (appended to) the two streams come together, in their order, and
    ``Result.out`` holds both; without, ``out`` and ``err`` are apart. Raises CommandError.
    """
    import asyncio

    together = on_line is not None or log is not None
    with contextlib.ExitStack() as opened:
        keep = _keeper(log, argv, opened)
        streams = [_Stream(on_line, keep) for _ in range(1 if together else 2)]
        for stream in streams:
            opened.callback(stream.close)
        process = await _start(argv, cwd, env, streams)
        try:
            async with asyncio.timeout(timeout):
                code = await _until_end(process, streams)
        except TimeoutError as error:
            await _end(process)
            raise _too_long(argv, timeout, cwd, "".join(each.text() for each in streams)) from error
        except BaseException:
            await asyncio.shield(_end(process))
            raise
    texts = [each.text() for each in streams]
    if check and code:
        raise _ended(argv, code, cwd, "".join(texts))
    return Result(code, *texts)


async def _start(
    argv: Argv, cwd: Path | str | None, env: Mapping[str, str] | None, streams: Sequence[_Stream]
) -> asyncio.subprocess.Process:
    import asyncio

    try:
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *_arguments(argv),
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=streams[0].write_end,
                stderr=streams[-1].write_end,
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:  # asyncio would end the command, but not what it has started by now
            await _end(await starting)
            raise
    except (OSError, ValueError) as error:
        raise _not_started(argv, cwd, error) from error
    finally:
        for stream in streams:
            stream.leave_to_command()


async def _until_end(process: asyncio.subprocess.Process, streams: Sequence[_Stream]) -> int:
    """Its exit code, once it has ended and its output too."""
    import asyncio

    code = await process.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            for stream in streams:
                await stream.ended.wait()
    return code


class _Stream:
    """A pipe the command writes into and the loop reads from. What ``on_line`` raises is the loop's to report."""

    def __init__(self, on_line: Callable[[str], None] | None, keep: Callable[[bytes], None] | None) -> None:
        import asyncio

        self._on_line, self._keep = on_line, keep
        self._parts: list[bytes] = []
        self._line = b""
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._loop.add_reader(self._read_end, self._read)

    def text(self) -> str:
        """All that came."""
        return b"".join(self._parts).decode(errors="replace")

    def leave_to_command(self) -> None:
        """Without a writing end of ours open, the stream ends when the command's do."""
        os.close(self.write_end)

    def close(self) -> None:
        """Read no more; a last line without an end counts as one."""
        if not self.ended.is_set():
            self._finish()
        os.close(self._read_end)

    def _finish(self) -> None:
        self._loop.remove_reader(self._read_end)
        self.ended.set()
        self._tell(self._line)

    def _read(self) -> None:
        try:
            data = os.read(self._read_end, 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._finish()
            return
        self._parts.append(data)
        if self._keep:
            self._keep(data)
        *whole, self._line = (self._line + data).split(b"\n")
        for line in whole:
            self._tell(line + b"\n")

    def _tell(self, line: bytes) -> None:
        if self._on_line and line:
            self._on_line(line.decode(errors="replace").rstrip("\r\n"))


def _keeper(log: Path | None, argv: Argv, opened: contextlib.ExitStack) -> Callable[[bytes], None] | None:
    """What appends output to ``log``. A disk that fills up must not fail the command whose output it is."""
    if log is None:
        return None
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandError(argv, f"its log cannot be written: {error.strerror}", cwd=log) from error
    opened.callback(os.close, descriptor)

    def keep(data: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(descriptor, data)

    return keep


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM to the group, and SIGKILL to what is left of it after KILL_AFTER seconds."""
    import asyncio

    _signal(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(KILL_AFTER):
            await process.wait()
            while _living(process.pid):  # noqa: ASYNC110 - a group that isn't ours to wait for
                await asyncio.sleep(0.01)
    except TimeoutError:
        _signal(process.pid, signal.SIGKILL)
        await process.wait()


def _living(group: int) -> bool:
    """Whether something of the group still runs. A zombie does not, and in a container nobody may ever reap it."""
    if not _signal(group, 0):
        return False
    import psutil

    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def _signal(group: int, number: int) -> bool:
    """Whether there is such a group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def detach(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
    """Start it in a session of its own and let it go; its output is appended to ``log``. Returns its pid."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            list(argv), cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    process.returncode = 0  # it is not ours to wait for, and Popen would warn of that
    return process.pid
