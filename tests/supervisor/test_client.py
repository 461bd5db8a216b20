"""The client and a supervisor that dies, hangs, ends or talks nonsense."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from devctl.api import client as api
from devctl.api.client import Client, NoSupervisor
from devctl.api.protocol import Down, Follow, Restart, Snapshot, Status, encode
from devctl.core.state import State
from devctl.errors import DevctlError

WHOLE = encode(Snapshot(version="1", pid=1, started=0.0, clock=(0.0, 0.0))) + b"\n"


@contextmanager
def impostor(desk: Any, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Something on the workspace's socket that does what a dying supervisor may do, once."""
    desk.workspace.prepare()
    lock = desk.workspace.acquire()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(desk.workspace.socket))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            answer(connection)
        listener.close()
        desk.workspace.socket.unlink(missing_ok=True)
        lock.release()

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()


def test_a_supervisor_that_hangs_is_an_error_that_names_it(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.bring_up(desk.service("a"))
    monkeypatch.setattr(api, "ANSWER_TIMEOUT", 0.3)
    pid = desk.pid()
    os.kill(pid, signal.SIGSTOP)
    for request in (Status(), Follow()):
        with pytest.raises(DevctlError, match="does not answer") as told:
            list(desk.client.stream(request))
        assert str(pid) in f"{told.value}{told.value.hint}"
    with pytest.raises(DevctlError, match="does not answer"):
        desk.client.ask(Status())
    with pytest.raises(DevctlError, match="does not answer"):
        desk.client.ensure_running()
    os.kill(pid, signal.SIGCONT)
    monkeypatch.undo()
    assert desk.status().states["a"].state is State.RUNNING


def test_more_questions_than_a_hung_supervisor_can_hold_get_the_same_answer(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.client.ensure_running()
    monkeypatch.setattr(api, "ANSWER_TIMEOUT", 0.3)
    pid, held = desk.pid(), []
    os.kill(pid, signal.SIGSTOP)
    try:
        while True:
            waiting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            waiting.setblocking(False)
            held.append(waiting)
            waiting.connect(str(desk.workspace.socket))
    except BlockingIOError:
        pass
    try:
        with pytest.raises(DevctlError, match="does not answer"):
            desk.client.ask(Status())
    finally:
        for waiting in held:
            waiting.close()
        os.kill(pid, signal.SIGCONT)


def test_an_answer_may_take_its_time_once_it_listens(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.client.ensure_running()
    monkeypatch.setattr(api, "ANSWER_TIMEOUT", 0.5)
    stream = desk.client.stream(desk.up(desk.service("a", setup="sleep 1.5")))
    assert any(seen.states["a"].state is State.RUNNING for seen in stream)
    stream.close()


def test_a_supervisor_killed_in_the_middle_of_a_line_has_gone(desk: Any) -> None:
    def half(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(WHOLE + WHOLE[:20])

    with impostor(desk, half):
        assert len(list(desk.client.stream(Restart(names=("a",))))) == 1


def test_a_connection_reset_is_no_crash(desk: Any) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(1)  # closing with unread bytes resets

    with impostor(desk, reset), pytest.raises(DevctlError):
        desk.client.ask(Status())


def test_an_up_that_meets_a_supervisor_on_its_way_out_starts_the_next(desk: Any) -> None:
    with impostor(desk, lambda connection: connection.recv(1 << 20)):
        seen = next(iter(desk.client.stream(desk.up(desk.service("a")))))
    assert seen.wanted == ("a",)


def test_a_down_that_meets_a_supervisor_on_its_way_out_finds_nothing_running(desk: Any) -> None:
    with impostor(desk, lambda connection: connection.recv(1 << 20)), pytest.raises(NoSupervisor):
        list(desk.client.stream(Down(exit=True)))
    assert desk.workspace.holder() is None


def test_whoever_asks_while_it_ends_starts_no_other(desk: Any, poll: Callable[..., Any]) -> None:
    desk.workspace.prepare()
    lock = desk.workspace.acquire()
    threading.Timer(0.3, lock.release).start()
    with pytest.raises(NoSupervisor):
        desk.client.ask(Status())
    assert desk.workspace.holder() is None


def test_many_ups_and_downs_at_once_all_end_in_words(desk: Any) -> None:
    service, errors = desk.service("a"), []

    def once(number: int) -> None:
        client = Client(desk.workspace)
        try:
            if number % 2:
                client.ensure_running()
                next(iter(client.stream(desk.up(service))))
            else:
                list(client.stream(Down(exit=True)))
        except NoSupervisor:
            pass
        except DevctlError as error:
            errors.append(error)

    for _ in range(3):
        threads = [threading.Thread(target=once, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads[1::2]:
            thread.join(120)
        desk.down()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    assert not errors, errors


def test_a_supervisor_nobody_asks_for_anything_goes_by_itself(desk: Any) -> None:
    desk.client.ensure_running()
    desk.poll(lambda: desk.workspace.holder() is None, 60, "it goes")
    assert not desk.workspace.alive_mark.exists()


def test_what_is_no_text_is_said_and_no_crash(desk: Any) -> None:
    with pytest.raises(DevctlError, match="UTF-8"):
        desk.client.ask(desk.up(desk.service("a", ("echo", "\udcff"))))


def test_an_early_one_that_is_then_asked_for_nothing_is_gone_at_once(desk: Any) -> None:
    client = Client(desk.workspace)
    with client.early() as nothing_runs:
        assert nothing_runs
    assert desk.workspace.holder() is None
    assert not desk.workspace.alive_mark.exists()


def test_after_ctrl_c_nobody_waits_for_the_end_of_one_that_was_asked(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, waits = Client(desk.workspace), list[str]()

    def interrupted(connection: socket.socket, lines: Any, data: bytes) -> bytes:
        connection.sendall(data)
        lines.readline()
        raise KeyboardInterrupt

    def up() -> None:
        with client.early():
            client.ensure_running()
            monkeypatch.setattr(client, "_wait_ended", lambda: waits.append("waits"))
            monkeypatch.setattr(client, "_say", interrupted)
            next(client.stream(desk.up(desk.service("a"))))

    with pytest.raises(KeyboardInterrupt):
        up()
    assert waits == []
    desk.poll(lambda: desk.status().wanted == ("a",), what="it does what it was asked")


def test_an_early_one_serves_what_it_is_asked_for_and_stays(desk: Any) -> None:
    client = Client(desk.workspace)
    a = desk.service("a")
    with client.early():
        client.ensure_running()
        pid = desk.pid()
        assert client._launched == pid
        next(iter(client.stream(desk.up(a))))
    desk.poll(lambda: desk.ready(desk.status(), a), what="it runs")
    assert desk.pid() == pid


def test_where_one_runs_none_is_started_early(desk: Any) -> None:
    desk.bring_up(desk.service("a"))
    client = Client(desk.workspace)
    with client.early() as nothing_runs:
        assert not nothing_runs
    assert client._launched is None
    assert desk.status().wanted == ("a",)


def test_after_a_kill_the_early_one_takes_over_what_runs(desk: Any) -> None:
    desk.bring_up(desk.service("a"))
    desk.kill()
    client = Client(desk.workspace)
    with client.early() as nothing_runs:
        assert not nothing_runs
        assert client.ask(Status()).states["a"].active
    assert desk.status().wanted == ("a",)


def test_an_early_one_that_died_is_started_again(desk: Any) -> None:
    client = Client(desk.workspace)
    with client.early():
        assert client._launched is not None
        os.kill(client._launched, signal.SIGKILL)
        client.ensure_running()
        client.ask(Status())


def test_who_started_one_and_was_killed_takes_it_along(desk: Any) -> None:
    theirs, ours = os.pipe()
    code = (
        "import sys; from devctl.supervisor import daemon; daemon.UNASKED = 600; sys.exit(daemon.main(*sys.argv[1:]))"
    )
    desk.workspace.prepare()
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code, str(desk.root), "desk", str(theirs)], pass_fds=[theirs], start_new_session=True
    )
    os.close(theirs)
    desk.poll(desk.client.running, 60, "it answers")
    assert supervisor.poll() is None
    os.close(ours)
    assert supervisor.wait(60) == 0
    assert not desk.workspace.alive_mark.exists()
