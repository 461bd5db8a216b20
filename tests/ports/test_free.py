"""Freeing a port: who held it is ended, and nobody else, whatever happens in between."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devctl.errors import DevctlError, Exit
from devctl.ports import ending, listeners, processes
from devctl.ports.free import is_free
from devctl.ports.holders import free, holders
from devctl.ports.policy import Container, Devctl, Holder, Process, Unknown
from devctl.registry import register
from devctl.workspace import Workspace


def holder_of(port: int) -> Holder:
    found = holders([port])[port]
    assert found
    return found


def refused(*args: Any, **options: Any) -> DevctlError:
    with pytest.raises(DevctlError) as caught:
        free(*args, **options)
    assert caught.value.code == Exit.PRECONDITION
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_the_holder_is_ended_and_nobody_else(host: str, start: Any, alive: Callable[[int], bool]) -> None:
    sentinels = [start.sentinel(), start.serve("127.0.0.1").process, start.serve("::1", session=False).process]
    server = start.serve(host)
    told = free(holder_of(server.port), server.port)
    assert is_free(server.port)
    assert not alive(server.pid)
    assert f"pid {server.pid}" in told
    assert all(alive(each.pid) for each in sentinels)


def test_node_below_npm_goes_with_npm_and_its_shell(
    start: Any, alive: Callable[[int], bool], poll: Callable[..., Any]
) -> None:
    sentinel, server = start.sentinel(), start.npm()
    free(holder_of(server.port), server.port)
    assert is_free(server.port)
    poll(lambda: not [pid for pid in start.marked() if alive(pid) and pid != sentinel.pid], what="npm's end")
    assert alive(sentinel.pid)


def test_a_script_that_started_several_things_loses_only_the_holder(start: Any, alive: Callable[[int], bool]) -> None:
    """One group, no job control: the sibling and the script are not who holds the port."""
    server, sleeper = start.scripted()
    assert os.getpgid(server.pid) == os.getpgid(sleeper) == server.process.pid
    free(holder_of(server.port), server.port)
    assert not alive(server.pid)
    assert alive(sleeper)
    assert alive(server.process.pid)


def test_a_runner_that_would_start_it_again_goes_too(
    start: Any, free_port: Callable[[], int], alive: Callable[[int], bool], poll: Callable[..., Any]
) -> None:
    sentinel, server = start.sentinel(), start.restarting(free_port())
    free(holder_of(server.port), server.port)
    poll(lambda: not [pid for pid in start.marked() if alive(pid) and pid != sentinel.pid], what="the runner's end")
    assert is_free(server.port)
    assert alive(sentinel.pid)


def test_one_that_ignores_sigterm_is_killed_after_the_grace(start: Any, alive: Callable[[int], bool]) -> None:
    server, sentinel = start.serve("127.0.0.1", "deaf"), start.sentinel()
    free(holder_of(server.port), server.port, grace=0.3)
    assert not alive(server.pid)
    assert alive(sentinel.pid)


def test_one_that_was_stopped_is_made_to_run_on_so_that_sigterm_reaches_it(
    start: Any, alive: Callable[[int], bool], poll: Callable[..., Any]
) -> None:
    server = start.serve()
    os.kill(server.pid, signal.SIGSTOP)
    poll(lambda: Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    free(holder_of(server.port), server.port, grace=60)
    server.process.wait()
    assert server.process.returncode == -signal.SIGTERM


def test_workers_that_share_the_socket_go_with_their_master(start: Any, alive: Callable[[int], bool]) -> None:
    server = start.serve("127.0.0.1", "worker", session=False)
    free(holder_of(server.port), server.port)
    assert is_free(server.port)
    assert not [pid for pid in start.marked() if alive(pid)]


def test_who_listens_at_another_address_of_the_port_is_named_and_not_touched(
    start: Any, alive: Callable[[int], bool]
) -> None:
    """Two checkouts, one at 127.0.0.1 and one at ::1: only one of them was shown."""
    one = start.serve("127.0.0.1")
    other = start.serve("::1", port=one.port)
    seen = holder_of(one.port)
    assert isinstance(seen, Process)
    assert seen.pid == one.pid
    error = refused(seen, one.port)
    assert not alive(one.pid)
    assert alive(other.pid)
    assert f"pid {other.pid}" in error.why
    free(holder_of(one.port), one.port)
    assert not alive(other.pid)


def test_a_helper_without_the_socket_goes_with_its_leader(
    start: Any, alive: Callable[[int], bool], poll: Callable[..., Any]
) -> None:
    """As vite has its esbuild: whoever is left would hold on to files and memory."""
    server = start.serve("127.0.0.1", "helper")
    poll(lambda: len(start.marked()) == 2, what="the helper")
    free(holder_of(server.port), server.port)
    poll(lambda: not [pid for pid in start.marked() if alive(pid)], what="the helper's end")


def test_in_our_own_group_only_the_holder_is_signalled(start: Any, alive: Callable[[int], bool]) -> None:
    """This test itself would be hit by a signal to the group."""
    server, sibling = start.serve(session=False), start.serve(session=False)
    assert os.getpgid(server.pid) == os.getpgid(0)
    free(holder_of(server.port), server.port)
    assert not alive(server.pid)
    assert alive(sibling.pid)


def test_a_pid_that_is_somebody_elses_by_now_is_not_signalled(start: Any, alive: Callable[[int], bool]) -> None:
    server = start.serve()
    seen = holder_of(server.port)
    assert isinstance(seen, Process)
    earlier = msgspec.structs.replace(seen, start=seen.start - 1)
    error = refused(earlier, server.port)
    assert "somebody else" in error.what
    assert alive(server.pid)


def test_a_port_that_changed_hands_is_left_to_its_new_holder(start: Any, alive: Callable[[int], bool]) -> None:
    first = start.serve()
    seen = holder_of(first.port)
    os.kill(first.pid, signal.SIGKILL)
    first.process.wait()
    second = start.serve(port=first.port)
    error = refused(seen, second.port)
    assert f"pid {first.pid}" in error.why
    assert f"pid {second.pid}" in error.why
    assert alive(second.pid)


def test_a_process_that_let_go_of_the_port_is_not_touched(start: Any, alive: Callable[[int], bool]) -> None:
    server, other = start.serve(), start.serve()
    assert "free already" in free(holder_of(server.port), _unused())
    process = holder_of(server.port)
    assert isinstance(process, Process)
    with pytest.raises(DevctlError, match="does not hold the port any more"):
        ending.end(process, other.port, lambda: listeners.held([other.port]).get(other.port), 1)
    assert alive(server.pid)
    assert alive(other.pid)


def test_the_end_itself_wants_the_very_process_too(start: Any, alive: Callable[[int], bool]) -> None:
    server = start.serve()
    process = holder_of(server.port)
    assert isinstance(process, Process)
    earlier = msgspec.structs.replace(process, start=process.start - 1)
    with pytest.raises(DevctlError, match="does not hold the port any more"):
        ending.end(earlier, server.port, lambda: listeners.held([server.port]).get(server.port), 1)
    assert alive(server.pid)


def _unused() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_identity_is_looked_at_right_before_each_signal(
    start: Any, alive: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pid is given away after the victims were chosen: the signal must not reach the new one."""
    server = start.serve()
    process = holder_of(server.port)
    assert isinstance(process, Process)
    choose = ending._victims

    def reused(*args: Any) -> list[processes.Entry]:
        return [entry._replace(start=entry.start - 1) for entry in choose(*args)]

    monkeypatch.setattr(ending, "_victims", reused)
    ending.end(process, server.port, lambda: listeners.held([server.port]).get(server.port), 0.2)
    assert alive(server.pid)


def test_an_ancestor_of_ours_is_never_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line of defence, whatever was decided before. Nothing is really sent here."""
    sent: list[object] = []
    monkeypatch.setattr(ending, "_deliver", lambda *args: sent.append(args))
    spared = processes.spared()
    assert {0, 1, os.getpid(), os.getppid()} <= spared
    for pid in spared:
        ending._send(processes.Entry(pid, 0, pid, 0, "S"), signal.SIGTERM)
        if entry := processes.here().entry(pid):
            ending._send(entry, signal.SIGTERM)
    assert not sent


def test_a_group_with_us_or_with_somebody_else_in_it_is_not_signalled(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start.serve("127.0.0.1", "worker")
    leader = processes.here().entry(server.pid)
    assert leader
    assert leader.group == leader.pid
    assert ending._group_is_ours_to_end(leader)
    assert not ending._group_is_ours_to_end(leader._replace(group=os.getpgid(0)))
    facts = processes.Linux.facts

    def of_eva(table: processes.Linux, pid: int) -> Process | None:
        found = facts(table, pid)
        return msgspec.structs.replace(found, user="eva") if found and pid != server.pid else found

    monkeypatch.setattr(processes.Linux, "facts", of_eva)
    assert not ending._group_is_ours_to_end(leader)
    monkeypatch.setattr(processes.Linux, "facts", lambda table, pid: facts(table, pid) if pid == server.pid else None)
    assert ending._group_is_ours_to_end(leader), "one that ended just now counts as a stranger"


def test_a_port_we_hold_ourselves_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "devctl itself" in refused(holder_of(port), port).why


def test_another_users_process_is_refused(
    start: Any, alive: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start.serve()
    mine = processes.user_name
    monkeypatch.setattr(processes, "user_name", lambda number: mine(number) if number != os.getuid() else "me")
    seen = holder_of(server.port)
    assert isinstance(seen, Process)
    calls = iter(["eva"])
    monkeypatch.setattr(processes, "user_name", lambda number: next(calls, "me"))
    error = refused(seen, server.port)
    assert error.why == "it belongs to the user eva"
    assert error.hint == f"sudo kill {server.pid}"
    assert alive(server.pid)


def test_a_service_of_this_workspace_is_left_to_its_supervisor(start: Any, alive: Callable[[int], bool]) -> None:
    server = start.serve(DEVCTL_SERVICE="cc-1/api/3")
    error = refused(holder_of(server.port), server.port, workspace="cc-1")
    assert error.hint == "devctl down api"
    assert alive(server.pid)


def test_a_supervised_service_of_another_workspace_is_left_to_its_supervisor(
    start: Any, tmp_path: Path, alive: Callable[[int], bool]
) -> None:
    (tmp_path / "old").mkdir()
    old = Workspace(tmp_path / "old", "old")
    old.prepare()
    register(old)
    server = start.serve(DEVCTL_SERVICE=f"{old.id}/api/3")
    lock = old.acquire()
    assert lock
    error = refused(holder_of(server.port), server.port, workspace="cc-1")
    assert error.hint.endswith("/old && devctl down api")
    assert alive(server.pid)
    lock.release()
    free(holder_of(server.port), server.port, workspace="cc-1")
    assert not alive(server.pid)


def test_a_container_is_stopped_by_its_name(start: Any) -> None:
    container = Container(name="old-postgres-1", project="old", service="postgres")
    server = start.serve()
    stopped: list[str] = []

    def stop(name: str) -> None:
        stopped.append(name)
        server.process.kill()

    def as_proxy(pid: int) -> Process | None:
        return Process(pid=pid, start=1, name="docker-proxy")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes.Linux, "facts", lambda _, pid: as_proxy(pid))
        told = free(
            container, server.port, engine_lookup=lambda _: ("old-postgres-1", "old", "postgres"), stop_container=stop
        )
    assert stopped == ["old-postgres-1"]
    assert told.startswith(f"port {server.port} is free: container old-postgres-1 (Compose project old")
    assert told.endswith("was stopped")


def test_a_container_and_no_way_to_stop_it_is_refused_with_the_command(start: Any) -> None:
    server = start.serve()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes.Linux, "facts", lambda _, pid: Process(pid=pid, start=1, name="docker-proxy"))
        error = refused(Container(name="pg"), server.port, engine_lookup=lambda _: ("pg", "", ""))
    assert error.hint == "docker stop pg"


def test_a_holder_that_cannot_be_seen_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert f"-iTCP:{port}" in refused(Unknown(), port).hint


def test_a_port_taken_again_at_once_is_told(start: Any, alive: Callable[[int], bool], poll: Any) -> None:
    """A watcher outside the group starts it anew: who that is, is said; the watcher is not hunted down."""
    server = start.serve()
    seen = holder_of(server.port)
    again: list[Any] = []
    real = ending.end

    def end(*args: Any) -> None:
        real(*args)
        again.append(start.serve(port=server.port))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ending, "end", end)
        error = refused(seen, server.port)
    assert "held again" in error.what
    assert f"pid {again[0].pid}" in error.why
    assert alive(again[0].pid)


def test_a_mark_alone_makes_a_devctl_holder_that_can_be_freed(start: Any, alive: Callable[[int], bool]) -> None:
    server = start.serve(DEVCTL_SERVICE="gone-1/api/2")
    seen = holder_of(server.port)
    assert isinstance(seen, Devctl)
    free(seen, server.port)
    assert not alive(server.pid)
