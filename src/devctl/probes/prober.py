"""One door to all kinds of health checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from devctl.core.model import ExecProbe, HealthCheck, HttpProbe, LogProbe, Runtime, Service, TcpProbe
from devctl.logs import Logs, plain
from devctl.probes.connect import Addresses
from devctl.probes.http import HttpCheck
from devctl.probes.log import LogCheck
from devctl.probes.tcp import TcpCheck

Command = str | tuple[str, ...]
Runner = Callable[[Service, Command, float], Awaitable[tuple[int, str]]]
"""Runs a command for a service, at most so many seconds → exit code, end of the output. May raise OSError."""


class Prober:
    """Checks services. ``run`` executes the commands of native services, ``exec_in_container`` those of containers."""

    def __init__(self, logs: Logs, run: Runner, exec_in_container: Runner | None = None) -> None:
        addresses = Addresses()
        self._http, self._tcp, self._log = HttpCheck(addresses), TcpCheck(addresses), LogCheck(logs)
        self._run, self._exec_in_container = run, exec_in_container
        self._up: dict[str, int | None] = {}

    async def check(self, service: Service, *, pid: int | None = None, log_offset: int = 0) -> str:
        """ "" when it is healthy, else a short plain reason. Takes at most about the check's timeout; never raises for
        what the service does. ``pid`` tells this run from the one before, ``log_offset`` is where its log begins."""
        if service.health is None:
            return ""
        try:
            reason = await self._check(service, service.health, pid, log_offset)
        except TimeoutError:
            reason = f"no answer within {service.health.timeout:g} s"
        if reason:
            self._up.pop(service.name, None)
        else:
            self._up[service.name] = pid
        return reason

    async def _check(self, service: Service, health: HealthCheck, pid: int | None, log_offset: int) -> str:
        probe, timeout = health.probe, health.timeout
        match probe:
            case HttpProbe():
                was_up = service.name in self._up and self._up[service.name] == pid
                return await self._http.check(probe, was_up, timeout)
            case TcpProbe():
                return await self._tcp.check(service, probe, timeout)
            case LogProbe():
                return self._log.check(service.name, pid, probe.pattern, log_offset)
            case ExecProbe():
                return await self._execute(service, probe.command, timeout)

    async def _execute(self, service: Service, command: Command, timeout: float) -> str:
        inside = service.runtime is Runtime.CONTAINER
        runner = self._exec_in_container if inside else self._run
        if runner is None:
            return "its check runs inside the container, and no Docker engine is connected"
        try:
            code, output = await runner(service, command, timeout)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            return f"the check cannot be run: {error.strerror or error}"
        if code == 0:
            return ""
        lines = [text for line in output.splitlines() if (text := plain(line.encode()).strip())]
        return f"exit code {code}" + (f": {lines[-1][:200]}" if lines else "")

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.close()
