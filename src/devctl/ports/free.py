"""Is a port free? Asked at every start, so with nothing heavier than a socket."""

from __future__ import annotations

import errno
import socket
import sys

_EVERYWHERE = (
    (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - nothing listens: the bind is only tried
    (socket.AF_INET6, "::"),
)
_ADDRESSES = (
    _EVERYWHERE  # which Linux refuses beside a listener at any address
    if sys.platform == "linux"
    else (*_EVERYWHERE, (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
)


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port``, at every address. Costs less than 1 ms.

    A bind alone is not enough: on macOS it succeeds beside a wildcard listener, and an engine may publish a port with
    no listener at all. So nobody may answer there either.
    """
    return all(_binds(family, host, port) for family, host in _ADDRESSES) and not _answers(port)


def _binds(family: socket.AddressFamily, host: str, port: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((host, port))
    except OSError as error:  # no IPv6 here, or a port for root only: that says nothing about who holds it
        return error.errno != errno.EADDRINUSE
    return True


def _answers(port: int) -> bool:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(0.2)
                probe.connect((host, port))
                if probe.getsockname() != probe.getpeername():  # else it has met itself
                    return True
        except OSError:
            continue
    return False
