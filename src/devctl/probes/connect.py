"""Raw connections: the cheapest way to learn that nobody listens (a refusal costs about 50 µs and no task)."""

from __future__ import annotations

import asyncio
import errno
import functools
import ipaddress
import os
import select
import socket

_WAITING = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY}
_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.ETIMEDOUT: "no answer",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
    errno.EADDRNOTAVAIL: "connection refused",
}


class Addresses:
    """Where names of this machine are to be looked for: ``localhost`` may be 127.0.0.1 only, or ::1 only."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, int], str] = {}

    def of(self, host: str, port: int) -> list[str]:
        """The addresses to try in turn; [] for a name that must be resolved."""
        if is_local_name(host):
            known = self._first.get((host, port), "127.0.0.1")
            return [known, *(other for other in ("127.0.0.1", "::1") if other != known)]
        return [number] if (number := _number(host)) else []

    def prefer(self, host: str, port: int, address: str) -> None:
        """Try ``address`` first from now on."""
        self._first[host, port] = address


@functools.lru_cache(4096)
def _number(host: str) -> str:
    """The address that a numeric host means to a client, "" for a name."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return ""
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return str(address)


@functools.lru_cache(4096)
def is_local_name(host: str) -> bool:
    """``localhost`` and the names below it (RFC 6761)."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


@functools.lru_cache(4096)
def is_local(host: str) -> bool:
    """Whether that is this machine, by name or number."""
    if is_local_name(host):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


async def connect(address: str, port: int, timeout: float) -> socket.socket:
    """A connected, non-blocking socket. ``address`` is a number. Raises OSError, TimeoutError after ``timeout`` s.

    On this machine the answer is there at once, with no timer and no wait.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    stream = socket.socket(family, socket.SOCK_STREAM)
    try:
        stream.setblocking(False)
        code = stream.connect_ex((address, port))
        if code in _WAITING:
            if not _is_decided(stream):
                async with asyncio.timeout(timeout):
                    await ready(stream, write=True)
            code = stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0 and stream.getsockname() == stream.getpeername():
            code = errno.ECONNREFUSED  # it met itself: the port was free and became our own end
    except BaseException:
        stream.close()
        raise
    if code:
        stream.close()
        raise OSError(code, os.strerror(code))
    return stream


def _is_decided(stream: socket.socket) -> bool:
    look = select.poll()
    look.register(stream, select.POLLOUT)
    return bool(look.poll(0))


async def ready(stream: socket.socket, write: bool = False) -> None:
    """Wait until the socket can be written to, or read from."""
    loop, number = asyncio.get_running_loop(), stream.fileno()  # a socket would be put into words for each KeyError
    done: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not done.done():
            done.set_result(None)

    (loop.add_writer if write else loop.add_reader)(number, wake)
    try:
        await done
    finally:
        (loop.remove_writer if write else loop.remove_reader)(number)


async def receive(stream: socket.socket, timeout: float) -> bytes | None:
    """What comes within ``timeout`` s: b"" when the other side has closed, None for silence."""
    try:
        async with asyncio.timeout(timeout):
            await ready(stream)
        return stream.recv(512)
    except (TimeoutError, BlockingIOError):
        return None
    except OSError:
        return b""


def refusal(error: OSError, host: str, port: int) -> str:
    """What an attempt to connect came to, in words."""
    words = _WORDS.get(error.errno or 0) or (error.strerror or str(error)).lower()
    return f"{words} on {host}:{port}"
