"""Which TCP ports of this machine somebody listens on, by one question to the kernel (Linux, ``sock_diag(7)``)."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterator

_SOCK_DIAG = 4
_BY_FAMILY, _ERROR, _DONE = 20, 2, 3
_REQUEST_DUMP = 0x301
_LISTEN = 1 << 10
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBBI48x")
_MESSAGE = struct.Struct("=IH")
_PORT = struct.Struct("!H")
_PORT_AT = 20
"""Where a socket's own port stands in a message: after the header, family, state, timer and retransmissions."""


def listening_ports() -> frozenset[int] | None:
    """Every port with a listener in our network namespace, whatever its address; None where the system does not tell.

    About 50 µs, and 0.5 µs for each listener.
    """
    if sys.platform != "linux":
        return None
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            return frozenset(port for family in (socket.AF_INET, socket.AF_INET6) for port in _ask(kernel, family))
    except OSError:
        return None


def _ask(kernel: socket.socket, family: int) -> Iterator[int]:
    """The ports of one family. Raises OSError."""
    question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTEN)
    kernel.send(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST_DUMP, family, 0) + question)
    while True:
        data = kernel.recv(1 << 17)
        at = 0
        while at < len(data):
            length, kind = _MESSAGE.unpack_from(data, at)
            if kind == _DONE:
                return
            if kind == _ERROR or length < _HEADER.size:
                raise OSError(errno.EOPNOTSUPP, "sock_diag does not answer")
            yield _PORT.unpack_from(data, at + _PORT_AT)[0]
            at += (length + 3) & ~3
