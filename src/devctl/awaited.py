"""The one door to subprocesses, for who waits on a loop: devctl.command without holding anything up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devctl import command
from devctl.command import (
    Argv,
    CommandError,
    Result,
    arguments_of,
    ended,
    group_lives,
    not_started,
    signal_group,
    too_long,
)


async def run(
    argv: Argv,
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    log: Path | None = None,
    input: str | None = None,  # noqa: A002 - subprocess's own word
) -> Result:
    """Run it and wait without holding up the loop. Cancelled or out of time, it is ended with its whole group.

    With ``on_line`` (called for each line) or ``log`` (appended to) the two streams come together, in their order, and
    ``Result.out`` holds both; without, ``out`` and ``err`` are apart. Raises CommandError.
    """
    together = on_line is not None or log is not None
    with contextlib.ExitStack() as opened:
        keep = _keeper(log, argv, opened)
        streams = [_Stream(on_line, keep) for _ in range(1 if together else 2)]
        for stream in streams:
            opened.callback(stream.close)
        process = await _start(argv, cwd, env, streams, subprocess.DEVNULL if input is None else subprocess.PIPE)
        try:
            async with asyncio.timeout(timeout):
                await _tell(process, input)
                code = await _until_end(process, streams)
        except TimeoutError as error:
            await _end(process)
            raise too_long(argv, timeout, cwd, "".join(each.text() for each in streams)) from error
        except BaseException:
            await asyncio.shield(_end(process))
            raise
    texts = [each.text() for each in streams]
    if check and code:
        raise ended(argv, code, cwd, "".join(texts))
    return Result(code, *texts)


async def _start(
    argv: Argv, cwd: Path | str | None, env: Mapping[str, str] | None, streams: Sequence[_Stream], stdin: int
) -> asyncio.subprocess.Process:
    try:
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *arguments_of(argv),
                cwd=cwd,
                env=env,
                stdin=stdin,
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
        raise not_started(argv, cwd, error) from error
    finally:
        for stream in streams:
            stream.leave_to_command()


async def _tell(process: asyncio.subprocess.Process, given: str | None) -> None:
    """Write its standard input, whether or not it reads it."""
    if process.stdin is None or given is None:
        return
    with contextlib.suppress(ConnectionError):
        process.stdin.write(given.encode())
        await process.stdin.drain()
    process.stdin.close()


async def _until_end(process: asyncio.subprocess.Process, streams: Sequence[_Stream]) -> int:
    """Its exit code, once it has ended and its output too."""
    code = await process.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(command.LINGER):
            for stream in streams:
                await stream.ended.wait()
    return code


class _Stream:
    """A pipe the command writes into and the loop reads from. What ``on_line`` raises is the loop's to report."""

    def __init__(self, on_line: Callable[[str], None] | None, keep: Callable[[bytes], None] | None) -> None:
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
    """SIGTERM to the group, and SIGKILL to what is left of it after command.KILL_AFTER seconds."""
    signal_group(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(command.KILL_AFTER):
            await process.wait()
            while group_lives(process.pid):  # noqa: ASYNC110 - a group that isn't ours to wait for
                await asyncio.sleep(0.01)
    except TimeoutError:
        signal_group(process.pid, signal.SIGKILL)
        await process.wait()
