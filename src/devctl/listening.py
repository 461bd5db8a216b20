"""Which TCP ports of this machine somebody listens on, by one question to the kernel (Linux, ``sock_diag(7)``)."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Sequence

_SOCK_DIAG = 4
_OF_BOTH, _BY_FAMILY, _ERROR, _DONE = 18, 20, 2, 3
_REQUEST_DUMP = 0x301
_LISTEN = 1 << 10
_HEADER = struct.Struct("=IHHII")
_OLD_QUESTION = struct.Struct("=BBBB48xII")
_QUESTION = struct.Struct("=BBBBI48x")
_MESSAGE = struct.Struct("=IH")
_PORT = struct.Struct("!H")
_PORT_AT = 20
"""Where a socket's own port stands in a message: after the header, family, state, timer and retransmissions."""


def listening_ports() -> frozenset[int] | None:
    """Every port with a listener in our network namespace, whatever its address; None where the system does not tell.

    By one question of the older kind, which is of both families, or where that is not answered by two of the newer.
    About 45 µs, and 0.5 µs for each listener.
    """
    if sys.platform != "linux":
        return None
    newer = [_QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTEN) for family in (socket.AF_INET, socket.AF_INET6)]
    for kind, questions in ((_OF_BOTH, [_OLD_QUESTION.pack(0, 0, 0, 0, _LISTEN, 0)]), (_BY_FAMILY, newer)):
        with contextlib.suppress(OSError):
            return _answer(kind, questions)
    return None


def _answer(kind: int, questions: Sequence[bytes]) -> frozenset[int]:
    """Raises OSError, also when a question is not understood."""
    found: set[int] = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        for question in questions:
            kernel.send(_HEADER.pack(_HEADER.size + len(question), kind, _REQUEST_DUMP, 0, 0) + question)
            while _take(kernel.recv(1 << 17), found):
                pass
    return frozenset(found)


def _take(data: bytes, found: set[int]) -> bool:
    """Add the ports of a part of an answer; whether more is to come. Raises OSError."""
    if size := _equal(data):
        pairs = bytearray(2 * len(data[::size]))
        pairs[::2], pairs[1::2] = data[_PORT_AT::size], data[_PORT_AT + 1 :: size]
        found.update(struct.unpack(f"!{len(pairs) // 2}H", pairs))
        return True
    at = 0
    while at < len(data):
        length, kind = _MESSAGE.unpack_from(data, at)
        if kind == _DONE:
            return False
        if kind == _ERROR or length < _HEADER.size:
            raise OSError(errno.EOPNOTSUPP, "sock_diag does not answer")
        found.update(_PORT.unpack_from(data, at + _PORT_AT))
        at += (length + 3) & ~3
    return True


def _equal(data: bytes) -> int:
    """The length of each message when all are of one length and tell of sockets, as most parts of an answer do; else 0.
    Going through hundreds one by one takes as long as the kernel took to write them."""
    length, kind = _MESSAGE.unpack_from(data)
    if kind in {_ERROR, _DONE} or length % 4 or length < _HEADER.size or len(data) % length:
        return 0
    count = len(data) // length
    return length if all(data[at::length] == data[at : at + 1] * count for at in range(_MESSAGE.size)) else 0
