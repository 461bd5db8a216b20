"""Commands that are run to their end: health checks, in the service's folder and environment."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping

from devctl.runtimes import host, signals
from devctl.runtimes.environment import arguments_of
from devctl.runtimes.exits import Exits

Spawn = Callable[[list[str], str, Mapping[str, str], int], int]
_OUTPUT = 4096
_KILL_PATIENCE = 5.0


class Checks:
    """Runs short commands. ``pids`` are those whose exit code is still wanted: nobody else may reap them."""

    def __init__(self, spawn: Spawn, exits: Exits) -> None:
        self._spawn, self._exits = spawn, exits
        self.pids: set[int] = set()

    async def run(
        self, command: str | tuple[str, ...], path: str, environment: Mapping[str, str], timeout: float
    ) -> tuple[int, str]:
        """Exit code and the end of the output (4 KB at most). Whatever it leaves in its group is killed.

        Raises TimeoutError after ``timeout`` seconds and OSError when it cannot be started.
        """
        import tempfile  # 3 ms of a supervisor's start

        with tempfile.TemporaryFile() as output:
            pid = self._spawn(arguments_of(command), path, environment, output.fileno())
            self.pids.add(pid)
            try:
                code = await self._wait(pid, timeout)
            finally:
                self.pids.discard(pid)
            output.seek(max(0, output.seek(0, os.SEEK_END) - _OUTPUT))
            return code, output.read().decode("utf-8", "replace")

    async def _wait(self, pid: int, timeout: float) -> int:
        key, done = (pid, host.identity(pid).start), asyncio.get_running_loop().create_future()
        cancel = self._exits.watch(key, lambda: None if done.done() else done.set_result(None))
        try:
            async with asyncio.timeout(timeout):
                await done
        finally:
            cancel()
            signals.send_group(key, signal.SIGKILL)
            code = await _collect(pid)
        return code


async def _collect(pid: int) -> int:
    """Reap a child that is dead or about to die of SIGKILL."""
    pause, waited = 0.001, 0.0
    while (code := signals.reap(pid)) is None and waited < _KILL_PATIENCE:
        await asyncio.sleep(pause)
        waited += pause
        pause = min(0.1, pause * 2)
    return -signal.SIGKILL if code is None else code
