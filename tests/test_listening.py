"""One question for all listening ports, asked of the real kernel."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

import pytest

from devctl import listening
from devctl.listening import listening_ports

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone answers")


@linux
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
def test_hundreds_of_them_come_in_several_answers_and_none_is_missed() -> None:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(600)]
    try:
        ports = {server.getsockname()[1] for server in servers}
        assert ports <= (listening_ports() or frozenset())
    finally:
        for server in servers:
            server.close()


@linux
def test_a_connection_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getsockname()[1] not in (listening_ports() or ())


@linux
def test_a_kernel_that_refuses_the_question_means_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_BY_FAMILY", 999)
    assert listening_ports() is None


def test_elsewhere_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> socket.socket:
        raise OSError(97, "address family not supported")

    monkeypatch.setattr(socket, "socket", refuse)
    assert listening_ports() is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert listening_ports() is None
