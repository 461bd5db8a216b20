"""A service as it runs for a trial: its native process on a free port, with another database. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from devctl.core.model import HealthCheck, HttpProbe, ProcessSpec, Runtime, Service, TcpProbe
from devctl.errors import DevctlError, Exit

CHECK = "login"


def moved(service: Service, port: int, variables: Mapping[str, str]) -> Service:
    """The service as a process of its own on ``port``, its ``variables`` set over everything else.

    The port is put wherever the command or the environment say the usual one, and into PORT. Raises DevctlError (exit
    3) where it has no process or says no port, since two services at one port can't be told apart.
    """
    spec = service.process or service.native
    if spec is None:
        hint = "give it a native: {command: …} beside compose:"
        raise DevctlError(
            f"{service.name} can't be started for it: it has no command", hint=hint, code=Exit.PRECONDITION
        )
    usual = service.ports[0].number if service.ports else 0
    there = _with_port(spec, usual, port)
    if there == spec:
        why = f"neither its command nor its environment says {usual}" if usual else "it has no port"
        hint = "say the port in its command, such as --port 8000, and under ports:"
        raise DevctlError(f"{service.name} can't be started beside itself", why=why, hint=hint, code=Exit.PRECONDITION)
    own = {name: value.replace("$", "$$") for name, value in {**variables, "PORT": str(port)}.items()}
    there = msgspec.structs.replace(there, environment={**there.environment, **own}, setup=())
    return msgspec.structs.replace(
        service, runtime=Runtime.PROCESS, process=there, health=_health(service.health, usual, port)
    )


def _with_port(spec: ProcessSpec, usual: int, port: int) -> ProcessSpec:
    command: str | tuple[str, ...]
    if isinstance(spec.command, str):
        command = ported(spec.command, usual, port)
    else:
        command = tuple(ported(word, usual, port) for word in spec.command)
    environment = {
        name: ported(value, usual, port) if is_port(name) else value for name, value in spec.environment.items()
    }
    return msgspec.structs.replace(spec, command=command, environment=environment)


def is_port(name: str) -> bool:
    """Whether a variable says where to listen."""
    return re.search(r"(^|_)(PORT|LISTEN|BIND|ADDR|ADDRESS)$", name.upper()) is not None


def ported(text: str, usual: int, port: int) -> str:
    """``text`` with every ``usual`` that stands as a number of its own replaced: in ``--port 8000``, ``:8000``, not in
    ``18000`` or ``8000.5``."""
    return re.sub(rf"(?<![\w.]){usual}(?![\w.])", str(port), text) if usual else text


def _health(health: HealthCheck | None, usual: int, port: int) -> HealthCheck:
    if health is None:
        return HealthCheck(TcpProbe("localhost", port))
    match health.probe:
        case HttpProbe(url=url):
            probe = msgspec.structs.replace(health.probe, url=address(url, usual, port))
            return msgspec.structs.replace(health, probe=probe)
        case TcpProbe():
            return msgspec.structs.replace(health, probe=TcpProbe("localhost", port))
    return health


def address(url: str, usual: int, port: int) -> str:
    """A URL of the service with its trial's port. Raises DevctlError for one that leads elsewhere."""
    found = re.fullmatch(r"(https?://)([^/?#]*)(.*)", url, re.DOTALL)
    if found is None:
        return f"http://localhost:{port}/{url.lstrip('/')}"
    host, _, given = found[2].rpartition("@")[2].partition(":")
    number = int(given) if given.isdigit() else 443 if found[1] == "https://" else 80
    if number != usual or host.lower() not in {"localhost", "127.0.0.1", "0.0.0.0"}:  # noqa: S104 - compared with
        what = "its address is not the service's own"
        raise DevctlError(what, found[2], hint="write the path alone, such as /login", code=Exit.PRECONDITION)
    return f"{found[1]}{host}:{port}{found[3]}"
