"""Health checks against real sockets that behave, misbehave and do nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from devctl.core.model import ExecProbe, HealthCheck, HttpProbe, LogProbe, Probe, Runtime, Service, TcpProbe
from devctl.logs import Logs
from devctl.probes import Prober
from devctl.probes.connect import Addresses, connect, is_local
from devctl.probes.plain import NoHttp, status_in
from devctl.probes.tcp import startup_packet

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def service(probe: Probe, name: str = "web", runtime: Runtime = Runtime.PROCESS, timeout: float = 20.0) -> Service:
    return Service(name=name, runtime=runtime, health=HealthCheck(probe=probe, timeout=timeout))


def http(port: int, path: str = "/health", host: str = "localhost", **how: Any) -> Service:
    status = how.pop("status", ((200, 399),))
    return service(HttpProbe(url=f"http://{host}:{port}{path}", status=status), **how)


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


@pytest.fixture
def probing(logs: Logs) -> Callable[[Callable[[Prober], Coroutine[Any, Any, None]]], None]:
    """``probing(test)`` runs ``await test(prober)`` in an event loop."""

    async def nothing(*_: Any) -> tuple[int, str]:
        raise AssertionError("no command was to be run")

    def run(test: Callable[[Prober], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            prober = Prober(logs, nothing, nothing)
            try:
                await test(prober)
            finally:
                await prober.close()

        asyncio.run(whole())

    return run


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1", port: int = 0, **how: Any) -> Any:
    """A server; gives its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, port, **how)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answering(answer: bytes, seen: list[bytes] | None = None) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request)
        writer.write(answer)
        await writer.drain()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_localhost_is_either(probing: Any, host: str) -> None:
    async def test(prober: Prober) -> None:
        async with serving(answering(OK), host) as port:
            for _ in range(3):
                assert await prober.check(http(port)) == ""
            assert await prober.check(service(TcpProbe(host="localhost", port=port), "tcp")) == ""

    probing(test)


def test_refused(probing: Any, free_port: Callable[[], int]) -> None:
    port = free_port()

    async def test(prober: Prober) -> None:
        for probe in (http(port), service(TcpProbe(host="localhost", port=port))):
            assert await prober.check(probe) == f"connection refused on localhost:{port}"
            assert type(await prober.check(probe)) is str, "it is journalled: a subclass would not be encoded"
        assert prober._http._httpx is None, "a refused port costs no client"

    probing(test)


@pytest.mark.parametrize(
    ("status", "reason"),
    [("200 OK", ""), ("204 No Content", ""), ("302 Found\r\nLocation: http://nowhere.invalid/", ""),
     ("404 Not Found", "HTTP 404 from /health"), ("500 Internal Server Error", "HTTP 500 from /health"),
     ("503 Busy", "HTTP 503 from /health")],
)  # fmt: skip
def test_status(probing: Any, status: str, reason: str) -> None:
    async def test(prober: Prober) -> None:
        async with serving(answering(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())) as port:
            assert await prober.check(http(port)) == reason

    probing(test)


def test_the_statuses_asked_for(probing: Any) -> None:
    async def test(prober: Prober) -> None:
        async with serving(answering(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")) as port:
            assert await prober.check(http(port, status=((200, 299), (401, 401)))) == ""
            assert await prober.check(http(port, status=((402, 403),))) == "HTTP 401 from /health"

    probing(test)


def test_what_the_server_sees(probing: Any) -> None:
    seen: list[bytes] = []

    async def test(prober: Prober) -> None:
        async with serving(answering(OK, seen)) as port:
            assert await prober.check(http(port, "/a%20b?c=d")) == ""
            head = seen[0].decode().lower()
            assert head.startswith("get /a%20b?c=d http/1.1\r\n")
            assert f"host: localhost:{port}\r\n" in head
            assert "connection: close" in head
            assert "user-agent: devctl" in head

    probing(test)


def test_a_proxy_of_the_user_is_not_asked(probing: Any, monkeypatch: pytest.MonkeyPatch, free_port: Any) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    async def test(prober: Prober) -> None:
        async with serving(answering(OK)) as port:
            assert await prober.check(http(port)) == ""

    probing(test)


def test_no_answer(probing: Any) -> None:
    async def test(prober: Prober) -> None:
        async with serving(silent) as port:
            assert await prober.check(http(port, timeout=0.3)) == "no answer within 0.3 s from /health"

    probing(test)


async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks first, and waits for an answer that is no HTTP."""
    writer.write(b"220 mail.example ESMTP\r\n")
    await reader.read()


@pytest.mark.parametrize(
    "handler", [hangs_up, answering(b"220 mail.example ESMTP\r\n"), mail, answering(b"HTTP/1.1 2")]
)
def test_no_http(probing: Any, handler: Handler) -> None:
    async def test(prober: Prober) -> None:
        async with serving(handler) as port:
            assert (await prober.check(http(port))).startswith(f"no HTTP answer from localhost:{port}")

    probing(test)


def test_an_answer_in_pieces_after_another_that_is_not_final(probing: Any) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        for byte in hints + b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async def test(prober: Prober) -> None:
        async with serving(slowly) as port:
            assert await prober.check(http(port)) == "HTTP 503 from /health"

    probing(test)


def test_only_what_needs_it_costs_a_client(probing: Any) -> None:
    seen: list[bytes] = []

    async def test(prober: Prober) -> None:
        async with serving(answering(OK, seen)) as port:
            for path in ("", "/a?b"):
                assert await prober.check(http(port, path)) == ""
            assert prober._http._httpx is None
            assert await prober.check(http(port, "/ä b", host="me:secret@localhost")) == ""
            assert prober._http._httpx is not None
        first, second, encoded = seen
        assert first.startswith(b"GET / HTTP/1.1\r\n")
        assert second.startswith(b"GET /a?b HTTP/1.1\r\n")
        assert encoded.startswith(b"GET /%C3%A4%20b HTTP/1.1\r\n")
        assert b"authorization: basic" in encoded.lower()

    probing(test)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", None), (b"HTT", None), (b"HTTP/1.1 200 OK", None), (b"HTTP/1.1 200 OK\r\n", None),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", 200), (b"HTTP/1.0 404\n\n", 404), (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\nrest", 204),
    ],
)  # fmt: skip
def test_the_head_of_an_answer(head: bytes, status: int | None) -> None:
    assert status_in(head) == status


@pytest.mark.parametrize(
    "head", [b"SSH-2.0", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 20\r\n", b"HTTP/1.1 2000 OK\r\n", b"\r\n"]
)
def test_what_is_no_answer(head: bytes) -> None:
    with pytest.raises(NoHttp):
        status_in(head)


def test_an_endless_body_is_not_waited_for(probing: Any) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await reader.read()

    async def test(prober: Prober) -> None:
        async with serving(endless) as port:
            assert await prober.check(http(port)) == ""

    probing(test)


def test_a_stranger_at_the_other_address_is_passed_over(probing: Any, free_port: Callable[[], int]) -> None:
    """Something else holds 127.0.0.1; the service is at ::1 of the same port."""
    port = free_port()

    async def test(prober: Prober) -> None:
        wrong = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        async with serving(answering(wrong), "127.0.0.1", port), serving(answering(OK), "::1", port):
            assert await prober.check(http(port)) == ""

    probing(test)


def test_when_it_goes_down_again(probing: Any) -> None:
    async def test(prober: Prober) -> None:
        async with serving(answering(OK)) as port:
            assert await prober.check(http(port), pid=5) == ""
        assert await prober.check(http(port), pid=5) == f"connection refused on localhost:{port}"
        assert await prober.check(http(port), pid=5) == f"connection refused on localhost:{port}"
        async with serving(answering(OK), "::1", port):
            assert await prober.check(http(port), pid=6) == ""

    probing(test)


def test_a_plain_check_connects_once(probing: Any) -> None:
    """An idle connection each time would fill the logs of servers that report them."""
    connections = []

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await answering(OK)(reader, writer)

    async def test(prober: Prober) -> None:
        async with serving(counting) as port:
            assert await prober.check(http(port)) == ""
            assert await prober.check(http(port)) == ""
            assert len(connections) == 2
            assert await prober.check(http(port, host="me:secret@localhost")) == ""
            assert len(connections) == 3, "through the client too, once it is up"

    probing(test)


def test_a_refusal_at_one_address_does_not_hide_what_the_other_says(probing: Any) -> None:
    """At ::1 somebody answers wrongly, at 127.0.0.1 nobody listens."""
    wrong = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    async def test(prober: Prober) -> None:
        for host in ("::1", "127.0.0.1"):
            async with serving(answering(wrong), host) as port:
                assert await prober.check(http(port)) == "HTTP 404 from /health"

    probing(test)


async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A self-signed certificate for another name."""
    key, chain = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=elsewhere",
         "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context


def test_https_with_a_certificate_of_its_own(probing: Any, certificate: ssl.SSLContext) -> None:
    async def test(prober: Prober) -> None:
        async with serving(answering(OK), ssl=certificate) as port:
            assert await prober.check(service(HttpProbe(url=f"https://localhost:{port}/"))) == ""
        async with serving(no_tls) as port:
            reason = await prober.check(service(HttpProbe(url=f"https://localhost:{port}/")))
            assert reason.startswith(f"no connection to localhost:{port}: ")

    probing(test)


def test_an_unknown_name(probing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    async def test(prober: Prober) -> None:
        reason = await prober.check(http(80, host="nowhere.invalid"))
        assert reason.startswith("no connection to nowhere.invalid:80: ")
        reason = await prober.check(service(TcpProbe(host="nowhere.invalid", port=80)))
        assert reason == "the name nowhere.invalid cannot be resolved"

    probing(test)


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_a_thousand_refusals_open_nothing(probing: Any, free_port: Callable[[], int]) -> None:
    port = free_port()

    async def test(prober: Prober) -> None:
        before = descriptors()
        for _ in range(1000):
            assert await prober.check(http(port))
        assert descriptors() == before

    probing(test)


def test_tcp(probing: Any) -> None:
    async def test(prober: Prober) -> None:
        async with serving(silent) as port:
            for host in ("localhost", "127.0.0.1", "0.0.0.0"):
                assert await prober.check(service(TcpProbe(host=host, port=port))) == ""
        async with serving(hangs_up) as port:
            assert await prober.check(service(TcpProbe(host="localhost", port=port))) == ""

    probing(test)


def test_dockers_proxy_accepts_for_nobody(probing: Any) -> None:
    async def test(prober: Prober) -> None:
        async with serving(hangs_up) as port:
            container = service(TcpProbe(host="localhost", port=port), runtime=Runtime.CONTAINER)
            assert await prober.check(container) == f"port {port} accepts and hangs up"
        async with serving(silent) as port:
            container = service(TcpProbe(host="localhost", port=port), runtime=Runtime.CONTAINER)
            assert await prober.check(container) == ""

    probing(test)


def postgres(answer: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        body = await reader.readexactly(size - 4)
        assert body[:4] == (196608).to_bytes(4, "big")
        assert body[4:].startswith(b"user\0devctl\0")
        assert body.endswith(b"\0\0")
        writer.write(answer)
        await writer.drain()

    return handle


def error(sqlstate: bytes) -> bytes:
    body = b"SFATAL\0VFATAL\0C" + sqlstate + b"\0Msome words\0\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


STARTING = "PostgreSQL is starting up, stopping or recovering"


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (postgres(b"R\0\0\0\x08\0\0\0\0"), ""),
        (postgres(error(b"28P01")), ""),
        (postgres(error(b"3D000")), ""),
        (postgres(error(b"53300")), ""),
        (postgres(error(b"57P03")), STARTING),
        (silent, ""),
        (answering(b"HTTP/1.1 400 Bad\r\n\r\n"), ""),
        (postgres(b""), ""),
        (hangs_up, "port PORT accepts and hangs up"),
    ],
)
def test_postgres(probing: Any, handler: Handler, reason: str) -> None:
    async def test(prober: Prober) -> None:
        async with serving(handler) as port:
            found = await prober.check(service(TcpProbe(host="localhost", port=port), name="my-postgres"))
            assert found == reason.replace("PORT", str(port))

    probing(test)


def test_the_startup_packet_is_the_manuals() -> None:
    packet = startup_packet()
    assert int.from_bytes(packet[:4], "big") == len(packet)
    assert packet[4:8] == b"\0\3\0\0"


def test_a_port_does_not_meet_itself(monkeypatch: pytest.MonkeyPatch, free_port: Callable[[], int]) -> None:
    """Connecting to a free port from the same port number succeeds: to oneself."""
    port = free_port()
    plain = socket.socket

    class Own(plain):  # type: ignore[misc,valid-type]
        def connect_ex(self, address: Any) -> int:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.bind(("127.0.0.1", port))
            return int(super().connect_ex(address))

    async def test() -> None:
        monkeypatch.setattr(socket, "socket", Own)
        with pytest.raises(ConnectionRefusedError):
            await connect("127.0.0.1", port, 5.0)

    asyncio.run(test())


def test_where_two_answer_wrongly_the_reason_stays_the_same(probing: Any) -> None:
    """It is shown: one that changed with each check would seem to say that something happens."""
    first, second = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"

    async def test(prober: Prober) -> None:
        async with (
            serving(answering(first), "127.0.0.1") as port,
            serving(answering(second), "::1", port),
        ):
            said = [await prober.check(http(port)) for _ in range(3)]
            assert said == ["HTTP 404 from /health"] * 3

    probing(test)


def test_addresses() -> None:
    addresses = Addresses()
    assert addresses.of("localhost", 1) == ["127.0.0.1", "::1"]
    addresses.prefer("localhost", 1, "::1")
    assert addresses.of("localhost", 1) == ["::1", "127.0.0.1"]
    assert addresses.of("localhost", 2) == ["127.0.0.1", "::1"]
    assert addresses.of("api.localhost", 1) == ["127.0.0.1", "::1"]
    assert addresses.of("[::1]", 1) == ["::1"]
    assert addresses.of("::", 1) == ["::1"]
    assert addresses.of("192.0.2.1", 1) == ["192.0.2.1"]
    assert addresses.of("example.com", 1) == []
    assert is_local("127.0.0.9")
    assert is_local("x.LOCALHOST.")
    assert not is_local("example.com")
    assert not is_local("192.0.2.1")


class Runs:
    """Commands that were run, and what comes of the next one."""

    def __init__(self, result: tuple[int, str] | Exception) -> None:
        self.result, self.calls = result, list[Any]()

    async def __call__(self, service: Service, command: Any, timeout: float) -> tuple[int, str]:
        self.calls.append((service.name, command, timeout))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ((0, "fine"), ""),
        ((1, "first\n\x1b[31mlast\x1b[0m\n\n"), "exit code 1: last"),
        ((2, ""), "exit code 2"),
        (TimeoutError(), "no answer within 20 s"),
        (FileNotFoundError(2, "No such file or directory"), "the check cannot be run: No such file or directory"),
    ],
)
def test_commands(logs: Logs, result: Any, reason: str) -> None:
    native, inside = Runs(result), Runs((0, ""))

    async def test() -> None:
        prober = Prober(logs, native, inside)
        probe = ExecProbe(command=("pg_isready",))
        assert await prober.check(service(probe)) == reason
        assert native.calls == [("web", ("pg_isready",), 20.0)]
        assert await prober.check(service(probe, "db", Runtime.CONTAINER)) == ""
        assert inside.calls == [("db", ("pg_isready",), 20.0)]
        without = Prober(logs, native)
        assert "no Docker engine" in await without.check(service(probe, "db", Runtime.CONTAINER))

    asyncio.run(test())


def append(logs: Logs, data: bytes) -> None:
    handle = logs.open("web")
    os.write(handle, data)
    os.close(handle)


def test_log(probing: Any, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = service(LogProbe(pattern=r"listening on .*\d$"))
    not_yet = r"no line of its log matches listening on .*\d$ yet"
    read: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *how: (data := pread(*how), read.append(len(data)))[0])

    async def test(prober: Prober) -> None:
        assert await prober.check(ready) == not_yet
        append(logs, b"listening on 1\n")
        begin = logs.mark_run("web")
        assert await prober.check(ready, pid=1, log_offset=begin) == not_yet
        append(logs, b"x" * 100_000 + b"\nlisten")
        assert await prober.check(ready, pid=1, log_offset=begin) == not_yet
        read.clear()
        append(logs, b"ing on \x1b[36m8000\x1b[0m")
        assert await prober.check(ready, pid=1, log_offset=begin) == ""
        assert sum(read) < 100, "only what is new is read"
        os.truncate(logs.path("web"), 0)
        assert await prober.check(ready, pid=1, log_offset=begin) == "", "it was said"
        assert await prober.check(ready, pid=2, log_offset=0) == not_yet

    probing(test)


def test_log_that_was_rotated(probing: Any, logs: Logs) -> None:
    ready = service(LogProbe(pattern="ready"))

    async def test(prober: Prober) -> None:
        append(logs, b"x" * 5000)
        assert await prober.check(ready, log_offset=100)
        logs.rotate("web", max_bytes=10)
        append(logs, b"ready\n")
        assert await prober.check(ready, log_offset=100) == ""

    probing(test)


def test_no_check_no_reason(probing: Any) -> None:
    async def test(prober: Prober) -> None:
        assert await prober.check(Service(name="web", runtime=Runtime.PROCESS)) == ""

    probing(test)


@pytest.mark.parametrize(
    ("handler", "name", "port_reason"),
    [
        (silent, "redis", "port PORT accepts, and no Redis answers"),
        (hangs_up, "redis", "port PORT accepts, and no Redis answers"),
        (silent, "postgres", "port PORT accepts and says nothing"),
        (hangs_up, "postgres", "port PORT accepts and hangs up"),
        (silent, "anything", ""),
    ],
)
def test_a_proxy_that_accepts_for_a_container_is_no_server(
    probing: Any, handler: Handler, name: str, port_reason: str
) -> None:
    async def test(prober: Prober) -> None:
        async with serving(handler) as port:
            subject = Service(
                name=name,
                runtime=Runtime.CONTAINER,
                compose=name,
                health=HealthCheck(probe=TcpProbe(host="localhost", port=port)),
            )
            assert await prober.check(subject) == port_reason.replace("PORT", str(port))

    probing(test)
