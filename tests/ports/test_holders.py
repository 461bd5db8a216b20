"""Is a port free, and who holds it: real sockets, real processes, macOS's answers as recorded."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devctl.ports import listeners, processes
from devctl.ports.free import is_free
from devctl.ports.holders import holders
from devctl.ports.policy import Container, Devctl, Process, Unknown, describe
from devctl.registry import register
from devctl.workspace import Workspace

HOSTS = ["127.0.0.1", "0.0.0.0", "::1", "::"]


@pytest.mark.parametrize("host", HOSTS)
def test_a_listener_at_any_address_takes_the_port(host: str, start: Any) -> None:
    server = start.serve(host)
    assert not is_free(server.port)
    held = holders([server.port])[server.port]
    assert isinstance(held, Process)
    assert held.pid == server.pid


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("listens", [True, False])
def test_a_port_that_is_bound_at_any_address_is_held_though_nobody_answers(
    host: str, listens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devctl.ports.free._answers", lambda _: False)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        if ":" in host:
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind((host, 0))
        if listens:
            taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_port_that_can_be_bound_but_answers_is_held(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is on macOS beside a wildcard listener, and where a firewall rule sends the port on to a container."""
    monkeypatch.setattr("devctl.ports.free._binds", lambda *_: True)
    assert not any(is_free(start.serve(host).port) for host in HOSTS)


def test_a_port_nobody_holds_is_free_and_stays_so_when_asked(free_port: Callable[[], int]) -> None:
    port = free_port()
    assert all(is_free(port) for _ in range(20))
    assert holders([port]) == {port: None}


def test_a_connection_that_only_waits_for_its_end_does_not_take_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # this side goes first, so TIME_WAIT is here
        client.close()
    with pytest.raises(OSError, match="in use"), socket.socket() as naive:
        naive.bind(("127.0.0.1", port))
    assert is_free(port)


def test_a_full_backlog_still_counts_as_held() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        assert not is_free(port)
        for client in clients:
            client.close()


def test_a_port_that_is_taken_before_anybody_listens_is_not_told_to_be_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert holders([port])[port] == Unknown()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_node_is_named_with_what_a_person_needs_to_know_it(host: str, start: Any) -> None:
    server = start.node(host)
    held = holders([server.port])[server.port]
    assert isinstance(held, Process)
    assert held.pid == server.pid
    assert held.name == "node"
    assert held.folder == processes.shown_folder(str(start.folder))
    assert held.user == processes.user_name(os.getuid())
    words = describe(held)
    assert words.startswith(f"node (pid {server.pid}, `")
    assert f"in {held.folder}, since " in words


def test_when_it_began_is_told_in_wall_clock_time(start: Any) -> None:
    server = start.serve()
    held = holders([server.port])[server.port]
    assert isinstance(held, Process)
    assert abs(held.since - Path(f"/proc/{server.pid}").stat().st_ctime) < 120
    assert held.clock == processes.clock_words(held.since)


def test_below_npm_the_one_that_listens_is_the_holder(start: Any) -> None:
    server = start.npm()
    held = holders([server.port])[server.port]
    assert isinstance(held, Process)
    assert held.pid == server.pid != server.process.pid
    assert held.command == "server.js 127.0.0.1 0"


def test_of_a_master_and_its_workers_the_master_is_the_holder(start: Any) -> None:
    server = start.serve("127.0.0.1", "worker")
    held = holders([server.port])[server.port]
    assert isinstance(held, Process)
    assert held.pid == server.pid


def test_several_ports_are_looked_up_at_once(start: Any, free_port: Callable[[], int]) -> None:
    one, other, nobody = start.serve("127.0.0.1"), start.serve("::1"), free_port()
    found = holders([one.port, nobody, other.port, one.port])
    assert list(found) == [one.port, nobody, other.port]
    assert [held.pid if isinstance(held, Process) else held for held in found.values()] == [one.pid, None, other.pid]


def test_a_mark_tells_the_workspace_and_the_service(start: Any, tmp_path: Path) -> None:
    root = tmp_path / "old"
    root.mkdir()
    workspace = Workspace(root, "old")
    workspace.prepare()
    register(workspace)
    server = start.serve(DEVCTL_SERVICE=f"{workspace.id}/cc-pap/4")
    held = holders([server.port])[server.port]
    assert isinstance(held, Devctl)
    assert (held.workspace, held.service, held.name) == (workspace.id, "cc-pap", "old")
    assert not held.supervised
    assert describe(held) == f"service cc-pap of the devctl workspace old ({processes.shown_folder(str(root))})"
    lock = workspace.acquire()
    assert lock
    again = holders([server.port])[server.port]
    assert isinstance(again, Devctl)
    assert again.supervised
    lock.release()


def test_a_mark_of_a_workspace_nobody_knows_is_still_told(start: Any) -> None:
    server = start.serve(DEVCTL_SERVICE="gone-123/api/1")
    assert describe(holders([server.port])[server.port]) == "service api of the devctl workspace gone-123"


def test_behind_docker_proxy_stands_a_container(start: Any, tmp_path: Path) -> None:
    proxy = tmp_path / "docker-proxy"
    proxy.symlink_to(sys.executable)
    code = (
        "import os,socket,time\ns=socket.create_server(('127.0.0.1',0))\n"
        "print(os.getpid(),s.getsockname()[1],flush=True)\ntime.sleep(999)"
    )
    server = start.heard(start.launch([str(proxy), "-S", "-E", "-c", code]))
    asked: list[int] = []

    def lookup(port: int) -> tuple[str, str, str] | None:
        asked.append(port)
        return "old-postgres-1", "old", "postgres"

    assert holders([server.port], engine_lookup=lookup) == {
        server.port: Container(name="old-postgres-1", project="old", service="postgres")
    }
    assert asked == [server.port]
    without = holders([server.port], engine_lookup=lambda _: None)[server.port]
    assert isinstance(without, Process)
    assert without.name == "docker-proxy"


def test_a_port_that_answers_with_nobody_listening_is_a_containers(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine without docker-proxy sends the port on by a firewall rule: there is no socket to be found."""
    server = start.serve()
    monkeypatch.setattr(listeners, "held", lambda ports: {})
    found = holders([server.port], engine_lookup=lambda _: ("pg", "cc", "postgres"))[server.port]
    assert found == Container(name="pg", project="cc", service="postgres")
    assert holders([server.port])[server.port] == Unknown()


def test_the_engine_is_not_asked_about_a_plain_process_or_a_free_port(start: Any, free_port: Callable[[], int]) -> None:
    server = start.serve()
    holders([server.port, free_port()], engine_lookup=lambda port: pytest.fail(f"asked about {port}"))


def test_somebody_elses_process_that_may_not_be_seen(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As /proc looks to a user who may not read the other's descriptors: the socket's owner is all that is known."""
    server = start.serve()
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / f"proc/{server.pid}/fd").mkdir(parents=True)
    for name in ("tcp", "tcp6"):
        (tmp_path / "proc/net" / name).write_text(Path("/proc/net", name).read_text())
    monkeypatch.setattr(listeners, "held", lambda ports: listeners.held_on_linux(frozenset(ports), f"{tmp_path}/proc"))
    me = processes.user_name(os.getuid())
    assert holders([server.port])[server.port] == Unknown(user=me)
    container = holders([server.port], engine_lookup=lambda _: ("pg", "", ""))[server.port]
    assert container == Container(name="pg")


LSOF_ANSWER = """\
p431
u501
f21
d0x5e1f0a3c9d8b7a01
n*:5000
f22
d0x5e1f0a3c9d8b7a02
n*:5000
p812
u501
f17
n127.0.0.1:5173
p813
u502
f3
n[::1]:5173
f4
n[fe80:1::1]:8000
p901
u501
f5
d0x5e1f0a3c9d8b7a03
n127.0.0.1:8100
p902
u501
f5
d0x5e1f0a3c9d8b7a03
n127.0.0.1:8100
"""


def test_what_lsof_answers_on_macos_is_understood() -> None:
    assert listeners.read_lsof(LSOF_ANSWER, frozenset({5000, 5173, 8100})) == {
        5000: listeners.Held((431,), 501),
        5173: listeners.Held((812, 813), 501),
        8100: listeners.Held((901, 902), 501, shared=((901, 902),)),
    }
    assert listeners.read_lsof("", frozenset({5000})) == {}


@pytest.mark.parametrize("look", [listeners.held_on_macos, listeners._held_by_psutil, listeners.held_on_linux])
def test_every_way_of_looking_finds_the_same(look: Callable[..., Any], start: Any, free_port: Any) -> None:
    servers = [start.serve(host) for host in HOSTS]
    found = look(frozenset([*(server.port for server in servers), free_port()]))
    assert {port: held.pids for port, held in found.items()} == {server.port: (server.pid,) for server in servers}


def test_without_lsof_psutil_has_to_do(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start.serve()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert listeners.held_on_macos(frozenset({server.port}))[server.port].pids == (server.pid,)


def test_psutil_tells_of_a_process_what_proc_does(start: Any) -> None:
    server = start.serve(DEVCTL_SERVICE="w-1/api/2")
    by_psutil, by_proc = processes.Macos().facts(server.pid), processes.Linux().facts(server.pid)
    assert by_psutil
    assert by_proc
    for fact in ("pid", "name", "command", "folder", "user", "mark"):
        assert getattr(by_psutil, fact) == getattr(by_proc, fact), fact
    assert abs(by_psutil.since - by_proc.since) < 60
    assert processes.Macos().facts(2**22 + 1) is processes.Linux().facts(2**22 + 1) is None
