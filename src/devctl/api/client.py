"""How a command talks to its workspace's supervisor, and starts one where there is none.

Quick: a socket and JSON, nothing heavier. A supervisor that was killed is started again by whoever asks next; it adopts
what still runs.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import time
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from devctl import __version__
from devctl.api.protocol import (
    Answer,
    Failure,
    Handover,
    Request,
    Snapshot,
    Status,
    Up,
    answer_decoder,
    decode_answer,
    encode,
)
from devctl.core.plan import Hold
from devctl.errors import DevctlError, Exit
from devctl.launch import begin, claim, launch
from devctl.workspace import Workspace

START_TIMEOUT = 15.0
"""Seconds a new supervisor may take to answer."""
ANSWER_TIMEOUT = 15.0
"""Seconds a running one may take for its first answer. After that, silence only means that nothing happens."""
ATTEMPTS = 5
"""How often a supervisor that goes before it has answered is asked for anew."""


class NoSupervisor(DevctlError):
    """Nothing runs in this workspace."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(
            what="nothing is running here", where=str(workspace.root), hint="devctl up", code=Exit.PRECONDITION
        )


class HungUp(DevctlError):
    """The supervisor went before it had answered: what was asked did not happen."""

    def __init__(self) -> None:
        super().__init__("the supervisor hung up", hint="devctl status")


class Client:
    """One workspace's supervisor, seen from a command."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._launched: int | None = None
        self._asked = False

    @contextlib.contextmanager
    def early(self) -> Iterator[bool]:
        """Inside, a supervisor is on its way where there was none, so that what is to be asked of it can be worked out
        meanwhile; one that was then asked for nothing goes again. Whether nothing can be running."""
        launched = claim(self.workspace)
        if launched is None:
            if self.running() or self.workspace.holder() is not None:
                yield False
                return
            launched = begin(self.workspace)
        self._launched = launched.pid
        try:
            yield launched.nothing_runs
        finally:
            os.close(launched.leash)
            if not self._asked:
                self._wait_ended()

    def ask(self, request: Request) -> Snapshot:
        """One answer. Raises NoSupervisor where there is none and none was killed, DevctlError when it refuses."""
        connection, lines, answer = self._request(request)
        with connection, lines:
            return _checked(answer)

    def stream(self, request: Request) -> Iterator[Snapshot]:
        """Whole Snapshots, each with the ``events`` since the one before, until the supervisor goes."""
        connection, lines, answer = self._request(request)
        with connection, lines:
            whole = _checked(answer)
            yield whole
            connection.settimeout(None)
            for line in _until_cut(lines):
                whole = merge(whole, _checked(line))
                yield whole

    def _request(self, request: Request) -> tuple[socket.socket, BinaryIO, bytes]:
        """The connection and the first line of the answer. One that was just ending is asked for again, since nobody
        has heard the request; what is to be up needs a supervisor in any case."""
        data = _encoded(request)
        for attempt in range(1, ATTEMPTS + 1):
            connection = self._connect() or (self._start() if isinstance(request, Up) else self._revive())
            lines = connection.makefile("rb")
            try:
                self._asked = True  # from here on it may have heard, also when Ctrl-C comes before its answer
                return connection, lines, self._say(connection, lines, data)
            except BaseException as error:
                lines.close()
                connection.close()
                if not isinstance(error, HungUp) or attempt == ATTEMPTS:
                    raise
        raise HungUp

    def _say(self, connection: socket.socket, lines: BinaryIO, data: bytes) -> bytes:
        """One line there, one back. Raises HungUp, and DevctlError when there is no answer in time."""
        try:
            connection.sendall(data)
            answer_decoder()  # while the supervisor works out its answer
            answer = lines.readline()
        except TimeoutError as error:
            raise self._hangs() from error
        except OSError as error:
            raise HungUp from error
        if not answer.endswith(b"\n"):
            raise HungUp
        return answer

    def _hangs(self) -> DevctlError:
        pid = self.workspace.holder()
        return DevctlError(
            what="the supervisor does not answer",
            where=str(self.workspace.root),
            why=f"pid {pid} has said nothing for {ANSWER_TIMEOUT:g} s",
            hint=f"kill -9 {pid}; services run on, and the next command takes them over",
        )

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
            try:
                answer = self._say(connection, lines, _encoded(Status(usage=False)))
                if _version(answer) == __version__:
                    return True
                self._say(connection, lines, _encoded(Handover()))
            except HungUp:
                pass  # it is going anyway
        self.wait_gone()
        return False

    def _connect(self) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(ANSWER_TIMEOUT)
        try:
            self._reach(connection)
        except (FileNotFoundError, ConnectionError, NotADirectoryError):
            connection.close()
            return None
        except TimeoutError as error:
            connection.close()
            raise self._hangs() from error
        except PermissionError as error:
            connection.close()
            why = "the workspace's supervisor belongs to another user"
            raise DevctlError("may not talk to the supervisor", str(self.workspace.socket), why) from error
        return connection

    def _reach(self, connection: socket.socket) -> None:
        """Connect; where too many wait already, wait with them. Raises OSError, TimeoutError too."""
        deadline = time.monotonic() + ANSWER_TIMEOUT
        while True:
            try:
                return connection.connect(str(self.workspace.socket))
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError from error
                time.sleep(0.01)

    def _revive(self) -> socket.socket:
        """One that holds the workspace but does not listen is just starting or ending. One that left its mark was
        killed, and is started again; one that ended is not."""
        deadline = time.monotonic() + START_TIMEOUT
        while self.workspace.holder() is not None:
            if (connection := self._connect()) is not None:
                return connection
            if time.monotonic() > deadline:
                raise self._never_came()
            time.sleep(0.005)
        if not self.workspace.alive_mark.exists():
            raise NoSupervisor(self.workspace)
        return self._start()

    def _start(self) -> socket.socket:
        deadline = time.monotonic() + START_TIMEOUT
        launched = False
        while time.monotonic() < deadline:
            if (connection := self._connect()) is not None:
                return connection
            if not launched and self.workspace.holder() is None and not self._is_coming():
                self._launched = launch(self.workspace)
                launched = True
            time.sleep(0.0005)
        raise self._never_came()

    def _is_coming(self) -> bool:
        """Whether the supervisor we launched has not ended."""
        if self._launched is not None:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(self._launched, os.WNOHANG) == (0, 0):
                    return True
            self._launched = None
        return False

    def _wait_ended(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while self._is_coming() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _never_came(self) -> DevctlError:
        log = self.workspace.supervisor_log
        lines = log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
        return DevctlError(
            what=f"the supervisor did not answer within {START_TIMEOUT:g} s",
            where=str(log),
            why="its last lines follow",
            details=tuple(lines),
        )


def _encoded(request: Request) -> bytes:
    try:
        return encode(request) + b"\n"
    except UnicodeEncodeError as error:
        what = f"{error.object!r} is not valid UTF-8"
        raise DevctlError(what, hint="give the file, folder or value another name", code=Exit.PRECONDITION) from error


def _until_cut(lines: BinaryIO) -> Iterator[bytes]:
    """The lines until the supervisor goes, however it goes; half a line is none."""
    with contextlib.suppress(ConnectionError):
        yield from itertools.takewhile(lambda line: line.endswith(b"\n"), lines)


def _version(line: bytes) -> str:
    """The version of whoever answered, "" where it cannot be understood."""
    try:
        return _checked(line).version
    except DevctlError:
        return ""


def _checked(line: bytes) -> Snapshot:
    try:
        answer: Answer = decode_answer(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = "the supervisor speaks another version's language"
        raise DevctlError(what, why=str(error), hint="devctl up replaces it; its services run on") from error
    if isinstance(answer, Failure):
        code = Exit(answer.code) if answer.code in set(Exit) else Exit.FAILED
        raise DevctlError(answer.what, answer.where, answer.why, answer.hint, code)
    return answer


def merge(whole: Snapshot, news: Snapshot) -> Snapshot:
    """A whole snapshot brought up to date by a later one, which may be whole itself."""
    if news.whole:
        return msgspec.structs.replace(news, usage=news.usage or whole.usage, touched=None)
    holds = whole.holds
    if news.holds or news.released:
        changed: dict[str, Hold] = {hold.service: hold for hold in holds}
        for name in news.released:
            changed.pop(name, None)
        holds = tuple((changed | {hold.service: hold for hold in news.holds}).values())
    return msgspec.structs.replace(
        news,
        whole=True,
        manifest=whole.manifest,
        states=whole.states | news.states,
        holds=holds,
        wanted=whole.wanted,
        usage=news.usage or whole.usage,
        touched=frozenset((*news.states, *(hold.service for hold in news.holds), *news.released)),
    )
