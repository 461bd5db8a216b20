"""How a command talks to its workspace's supervisor, and starts one where there is none.

Quick: a socket and JSON, nothing heavier. A supervisor that was killed is started again by whoever asks next; it adopts
what still runs.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator

import msgspec

from devctl import __version__
from devctl.api.protocol import Answer, Failure, Handover, Request, Snapshot, Status, decode_answer, encode
from devctl.command import detach
from devctl.core.plan import Hold
from devctl.errors import DevctlError, Exit
from devctl.workspace import Workspace

START_TIMEOUT = 15.0
"""Seconds a new supervisor may take to answer."""


class NoSupervisor(DevctlError):
    """Nothing runs in this workspace."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(
            what="nothing is running here", where=str(workspace.root), hint="devctl up", code=Exit.PRECONDITION
        )


class Client:
    """One workspace's supervisor, seen from a command."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def ask(self, request: Request) -> Snapshot:
        """One answer. Raises NoSupervisor where there is none and none was killed, DevctlError when it refuses."""
        connection = self._connect() or self._revive()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(encode(request) + b"\n")
            return _checked(lines.readline())

    def stream(self, request: Request) -> Iterator[Snapshot]:
        """Whole Snapshots, each with the ``events`` since the one before, until the supervisor goes."""
        connection = self._connect() or self._revive()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(encode(request) + b"\n")
            whole = _checked(lines.readline())
            yield whole
            for line in lines:
                whole = merge(whole, _checked(line))
                yield whole

    def running(self) -> bool:
        """Whether a supervisor answers."""
        connection = self._connect()
        if connection is None:
            return False
        connection.close()
        return True

    def ensure_running(self) -> None:
        """Start a supervisor where there is none; replace one of another version, whose services run on."""
        if self._connect_and_compare():
            return
        self._start().close()

    def wait_gone(self, timeout: float = 30.0) -> None:
        """Wait until no supervisor holds the workspace. Raises DevctlError when one still does."""
        deadline = time.monotonic() + timeout
        while (pid := self.workspace.holder()) is not None:
            if time.monotonic() > deadline:
                raise DevctlError(f"the supervisor (pid {pid}) does not end", hint=f"kill {pid}")
            time.sleep(0.005)

    def _connect_and_compare(self) -> bool:
        connection = self._connect()
        if connection is None:
            return False
        with connection, connection.makefile("rb") as lines:
            connection.sendall(encode(Status(usage=False)) + b"\n")
            try:
                if _checked(lines.readline()).version == __version__:
                    return True
            except DevctlError:
                pass
            connection.sendall(encode(Handover()) + b"\n")
            lines.readline()
        self.wait_gone()
        return False

    def _connect(self) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self.workspace.socket))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            connection.close()
            return None
        except PermissionError as error:
            connection.close()
            why = "the workspace's supervisor belongs to another user"
            raise DevctlError("may not talk to the supervisor", str(self.workspace.socket), why) from error
        return connection

    def _revive(self) -> socket.socket:
        """A supervisor that left its mark but does not answer was killed, or is just starting or ending."""
        if self.workspace.holder() is None and not self.workspace.alive_mark.exists():
            raise NoSupervisor(self.workspace)
        return self._start()

    def _start(self) -> socket.socket:
        deadline = time.monotonic() + START_TIMEOUT
        launched = False
        while time.monotonic() < deadline:
            if (connection := self._connect()) is not None:
                return connection
            if not launched and self.workspace.holder() is None:
                self._launch()
                launched = True
            time.sleep(0.005)
        raise self._never_came()

    def _launch(self) -> None:
        arguments = [sys.executable, "-m", "devctl.supervisor.daemon", str(self.workspace.root), self.workspace.name]
        self.workspace.prepare()
        detach(arguments, cwd=self.workspace.root, env=dict(os.environ), log=self.workspace.supervisor_log)

    def _never_came(self) -> DevctlError:
        log = self.workspace.supervisor_log
        lines = log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
        return DevctlError(
            what=f"the supervisor did not answer within {START_TIMEOUT:g} s",
            where=str(log),
            why="its last lines follow",
            details=tuple(lines),
        )


def _checked(line: bytes) -> Snapshot:
    if not line:
        raise DevctlError("the supervisor hung up", hint="devctl status")
    try:
        answer: Answer = decode_answer(line)
    except msgspec.DecodeError as error:
        what = "the supervisor speaks another version's language"
        raise DevctlError(what, why=str(error), hint="devctl up replaces it; its services run on") from error
    if isinstance(answer, Failure):
        code = Exit(answer.code) if answer.code in set(Exit) else Exit.FAILED
        raise DevctlError(answer.what, answer.where, answer.why, answer.hint, code)
    return answer


def merge(whole: Snapshot, news: Snapshot) -> Snapshot:
    """A whole snapshot brought up to date by a later one. One that carries a manifest is whole itself."""
    if news.manifest is not None:
        return msgspec.structs.replace(news, usage=news.usage or whole.usage)
    holds: dict[str, Hold] = {hold.service: hold for hold in whole.holds}
    for name in news.released:
        holds.pop(name, None)
    holds |= {hold.service: hold for hold in news.holds}
    return msgspec.structs.replace(
        news,
        manifest=whole.manifest,
        states={**whole.states, **news.states},
        holds=tuple(holds.values()),
        usage=news.usage or whole.usage,
    )
