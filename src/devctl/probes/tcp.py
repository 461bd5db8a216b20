"""TCP: does the port accept, and, where PostgreSQL is expected, does it answer as a server that is ready?"""

from __future__ import annotations

import asyncio
import socket
import struct

from devctl.core.model import Runtime, Service, TcpProbe
from devctl.probes.connect import Addresses, connect, receive, refusal

_PROTOCOL = 196608
_STARTING_UP = b"57P03"
_PATIENCE = 1.0
"""Seconds a server of a known protocol has to answer."""
_PROXY = 0.25
"""Seconds in which Docker's proxy, which accepts for a container that does not listen yet, hangs up again: 1 ms on a
quiet machine, over 30 ms on a loaded one."""


class TcpCheck:
    """Checks ports, and remembers at which address each answered."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    async def check(self, service: Service, probe: TcpProbe, timeout: float) -> str:
        """ "" or why not. Raises TimeoutError when nothing answers for ``timeout`` s."""
        addresses = self._addresses.of(probe.host, probe.port) or await _resolve(probe.host, probe.port)
        if not addresses:
            return f"the name {probe.host} cannot be resolved"
        reasons = []
        for address in addresses:
            try:
                reason = await _ask(service, address, probe.port, timeout)
            except TimeoutError:
                raise
            except OSError as error:
                reason = refusal(error, probe.host, probe.port)
            if not reason:
                self._addresses.prefer(probe.host, probe.port, address)
                return ""
            reasons.append(reason)
        return next((reason for reason in reasons if "refused" not in reason), reasons[0])


async def _resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _ask(service: Service, address: str, port: int, timeout: float) -> str:
    stream = await connect(address, port, timeout)
    try:
        if _is(service, port, 5432, "postgres"):
            return await _postgres(stream, service, address, port, timeout)
        if service.runtime is Runtime.CONTAINER:
            if _is(service, port, 6379, "redis", "valkey"):
                return await _redis(stream, port)
            return await _hangs_up(stream, port)
        return ""
    finally:
        stream.close()


def _is(service: Service, port: int, usual: int, *names: str) -> bool:
    return port == usual or any(name in service.name or name in service.compose for name in names)


async def _postgres(stream: socket.socket, service: Service, address: str, port: int, timeout: float) -> str:
    """A startup packet is answered by R, or by E with an SQLSTATE, which says all but "starting up" when it is up.

    What answers otherwise is no PostgreSQL, and up. Who says nothing at all is up only where no proxy can be the one
    that accepted.
    """
    answer = await _said(stream, startup_packet(), min(timeout, _PATIENCE))
    if answer:
        starting = answer[:1] == b"E" and b"C" + _STARTING_UP + b"\0" in answer
        return "PostgreSQL is starting up, stopping or recovering" if starting else ""
    if service.runtime is Runtime.CONTAINER or port == 5432:
        return f"port {port} accepts and says nothing" if answer is None else f"port {port} accepts and hangs up"
    if answer is None:
        return ""
    with await connect(address, port, timeout) as again:
        return await _hangs_up(again, port)


async def _redis(stream: socket.socket, port: int) -> str:
    """PING is answered by +PONG, or by an error that only a server can send ("Protocol specification", redis.io)."""
    if await _said(stream, b"PING\r\n", _PATIENCE):
        return ""
    return f"port {port} accepts, and no Redis answers"


async def _said(stream: socket.socket, words: bytes, patience: float) -> bytes | None:
    """What comes back within ``patience`` s: b"" for a hang-up, None for silence."""
    try:
        stream.send(words)
    except OSError:
        return b""
    return await receive(stream, patience)


def startup_packet() -> bytes:
    """PostgreSQL's StartupMessage of protocol 3.0 (PostgreSQL's manual, "Message Formats")."""
    body = struct.pack("!i", _PROTOCOL) + b"user\0devctl\0database\0postgres\0\0"
    return struct.pack("!i", len(body) + 4) + body


async def _hangs_up(stream: socket.socket, port: int) -> str:
    return f"port {port} accepts and hangs up" if await receive(stream, _PROXY) == b"" else ""
