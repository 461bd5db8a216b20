"""The check that somebody can log in: the service itself, started for it on a freshly migrated scratch database.

Nothing of the environment that is deployed to goes in. The service runs as it does on this machine, on a free port,
with the scratch database and with secrets made up for the occasion: what it is, not where it will be, is tried.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from devctl.cli.db.place import Target
from devctl.cli.db.reach import holders_of_address, identity_of
from devctl.cli.deployment.case import Case, Task
from devctl.cli.deployment.moved import address, moved
from devctl.cli.deployment.place import alone, trying
from devctl.core.model import Service
from devctl.core.state import AnyEvent, Exited, Identity, Started, StartFailed
from devctl.errors import DevctlError, Exit
from devctl.manifest.interpolate import TemplateError, fill_all
from devctl.safety.interpreter import native
from devctl.safety.migrations import Migrations, Reach, scripts_of, seed
from devctl.safety.secrets import kind_of
from devctl.safety.url import DatabaseUrl
from devctl.safety.verdict import Level, Outcome, failed, passed

PATIENCE = 30.0
"""Seconds the login itself may take."""
STARTING = 90.0
"""Seconds the service may take to become healthy at least, whatever its start_period: it isn't up in a hurry here."""


def tasks(case: Case, service: Service) -> Iterator[Task]:
    """The login, where the manifest has one."""
    if (service.predeploy or {}).get("login"):
        yield Task(f"{service.name}/login", Level.REQUIRED, lambda: _login(case, service))


def _login(case: Case, service: Service) -> Outcome:
    _set_up(case, service)
    if service.database is None:
        with alone(case):
            return _tried(case, service, made_up(case, service), "")
    with trying(case, service) as (near, url):
        holders = holders_of_address(near)
        if not holders:
            what = f"the address of {service.name}'s database is in no variable"
            hint = "write it as database: {url: ${DATABASE_URL:-…}}, and let the service read DATABASE_URL"
            raise DevctlError(what, hint=hint, code=Exit.PRECONDITION)
        given = {**made_up(case, service), holders[0]: url.text()}
        done = _filled(near, url, given)
        return _tried(case, service, given, done)


def _set_up(case: Case, service: Service) -> None:
    """Run what of its setup is stale: where it usually runs in a container, nothing has made its environment yet."""
    from devctl.setup.run import run

    case.place.workspace.prepare()
    as_process = msgspec.structs.replace(service, process=service.process or service.native)
    asyncio.run(run(as_process, case.place.workspace, case.place.environment))


def made_up(case: Case, service: Service) -> dict[str, str]:
    """A value for every variable of the service that is secret. They are as good as those in production should be."""
    return {name: secrets.token_urlsafe(32) for name in case.named(service) if kind_of(name)}


def _filled(near: Target, url: DatabaseUrl, given: Mapping[str, str]) -> str:
    """Migrate and seed the scratch database; what was done, in words."""
    service, database = near.service, near.service.database
    interpreter = native(service, near.place.environment)
    interpreter = replace(interpreter, environment={**interpreter.environment, **given})
    reach = Reach(interpreter, url.text(), url.name, identity_of(url), holders_of_address(near), [near.url])
    said = []
    if database and database.migrations:
        applied = Migrations(reach, scripts_of(database.migrations, service.path, service.name)).upgrade()
        said.append(f"{len(applied)} migrations")
    if database and database.seed:
        seed(reach, database.seed)
        said.append("the seed")
    return f" after {' and '.join(said)} on a scratch database" if said else ""


def _tried(case: Case, service: Service, given: Mapping[str, str], done: str) -> Outcome:
    trial = moved(service, _free_port(), given)
    said: Any = (service.predeploy or {})["login"]
    shown = said["request"]["url"].partition("?")[0]  # as the manifest has it: filled in, it may hold a secret
    try:
        login: Any = fill_all(said, {**case.place.environment, **given})
    except TemplateError as error:
        raise DevctlError(error.message, f"{service.name}.predeploy.login", hint=error.hint) from error
    usual, port = service.ports[0].number, int((trial.process.environment if trial.process else {})["PORT"])
    url = address(login["request"]["url"], usual, port)
    status = asyncio.run(_Trial(case, trial).request(login["request"], url))
    if any(low <= status <= high for low, high in login["status"]):
        return passed(f"HTTP {status} from {shown}{done}")
    return failed(f"HTTP {status} from {shown}{done}", f"devctl up {service.name}, and log in by hand")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class _Trial:
    """One run of the service. Its log is in a folder of its own, and what it leaves behind is ended with it."""

    def __init__(self, case: Case, service: Service) -> None:
        from devctl.logs import Logs
        from devctl.probes.prober import Prober
        from devctl.runtimes.process import ProcessRuntime

        self._case, self._service = case, service
        self._folder = case.place.workspace.folder / "predeploy"
        self._logs = Logs(self._folder)
        self._runtime = ProcessRuntime(case.root, f"predeploy-{case.place.workspace.id}", self._logs)
        self._prober = Prober(self._logs, self._runtime.execute)
        self._identity: Identity | None = None
        self._ended: str = ""

    async def request(self, request: Mapping[str, Any], url: str) -> int:
        """Start it, wait until it is healthy, ask, stop it; the status of the answer. Raises DevctlError."""
        try:
            await self._runtime.sweep()
            await self._runtime.start(self._service, 1, self._case.place.environment, self._heard)
            await self._healthy()
            return await _asked(request, url)
        finally:
            await asyncio.shield(self._stop())

    async def _stop(self) -> None:
        await self._runtime.stop(self._service, 1, self._identity, lambda _: None)
        await self._prober.close()
        await self._runtime.close()
        with suppress(OSError):
            shutil.rmtree(self._folder)

    def _heard(self, event: AnyEvent) -> None:
        if isinstance(event, Started):
            self._identity = event.identity
        elif isinstance(event, StartFailed):
            self._ended = event.reason
        elif isinstance(event, Exited):
            code = "" if event.code is None else f" with exit code {event.code}"
            self._ended = f"it ended{code}"

    async def _healthy(self) -> None:
        loop = asyncio.get_running_loop()
        health = self._service.health
        deadline = loop.time() + max(health.start_period if health else 0.0, STARTING)
        while reason := self._ended or await self._prober.check(
            self._service, pid=getattr(self._identity, "pid", None)
        ):
            if self._ended or loop.time() > deadline:
                raise self._not_healthy(reason)
            await asyncio.sleep(0.05)

    def _not_healthy(self, reason: str) -> DevctlError:
        words = self._logs.words(self._service.name, 0, 5) if self._logs.path(self._service.name).exists() else ()
        needed = "" if self._ended else " ".join(each.service for each in self._service.depends_on)
        hint = f"devctl up {needed or self._service.name}"
        why = f"{reason}; it needs {needed}" if needed else reason
        return DevctlError(f"{self._service.name} does not become healthy", why=why, hint=hint, details=words)


async def _asked(request: Mapping[str, Any], url: str) -> int:
    import httpx

    body = {"json": request["json"]} if request.get("json") is not None else {}
    body |= {"data": request["form"]} if request.get("form") else {}
    try:
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as client:  # noqa: S501 - itself
            answer = await client.request(request["method"], url, headers=request.get("headers"), **body)
    except httpx.HTTPError as error:
        raise DevctlError("the login was not answered", url, type(error).__name__, "devctl logs shows why") from error
    return answer.status_code
