"""One question for all listening ports, asked of the real kernel."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable

import pytest

from devctl import listening
from devctl.listening import listening_ports

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone answers")


@pytest.fixture(params=["one question", "two questions"])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel as it is, and one that does not understand the older question."""
    if request.param == "two questions":
        monkeypatch.setattr(listening, "_OF_BOTH", 999)


@linux
@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("family", "host"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
def test_a_listener_is_seen_whatever_its_address_from_listen_to_close(
    family: socket.AddressFamily, host: str, free_port: Callable[[], int]
) -> None:
    port = free_port()
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, port))
        assert port not in (listening_ports() or ())
        server.listen()
        assert port in (listening_ports() or ())
    assert port not in (listening_ports() or ())


@linux
@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("every", [600, 7], ids=["alike", "mixed"])
def test_hundreds_of_them_come_in_several_answers_and_none_is_missed(every: int) -> None:
    """Those at ::1 are told of at greater length."""
    servers = [
        socket.create_server(("127.0.0.1", 0))
        if number % every
        else socket.create_server(("::1", 0), family=socket.AF_INET6)
        for number in range(600)
    ]
    try:
        ports = {server.getsockname()[1] for server in servers}
        seen = listening_ports() or frozenset()
        assert ports <= seen
        assert len(seen) < len(ports) + 200, "nothing is made up"
    finally:
        for server in servers:
            server.close()


@linux
def test_a_connection_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getsockname()[1] not in (listening_ports() or ())


@linux
def test_a_kernel_that_refuses_the_question_means_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_OF_BOTH", 999)
    monkeypatch.setattr(listening, "_BY_FAMILY", 999)
    assert listening_ports() is None


def test_elsewhere_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> socket.socket:
        raise OSError(97, "address family not supported")

    monkeypatch.setattr(socket, "socket", refuse)
    assert listening_ports() is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert listening_ports() is None


def message(port: int, length: int = 24, kind: int = 20) -> bytes:
    return struct.pack("=IH14x", length, kind) + struct.pack("!H", port).ljust(length - 20, b"\xff")


@pytest.mark.parametrize(
    "data",
    [
        message(8001) + message(8002) + message(8003),
        message(8001) + message(8002, 48) + message(8003),
        message(8001, 48) + message(8002) + message(8003),
        message(8001) + message(8002) + message(8003) + message(1, kind=3),
    ],
    ids=["alike", "one longer", "the first longer", "with the end"],
)
def test_a_part_of_an_answer_whatever_the_lengths_in_it(data: bytes) -> None:
    found: set[int] = set()
    assert listening._take(data, found) == (not data.endswith(message(1, kind=3)))
    assert found == {8001, 8002, 8003}
