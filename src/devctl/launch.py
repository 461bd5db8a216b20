"""The start of a workspace's supervisor. Little is imported for it: an ``up`` begins with it, before its verb is
loaded, and reads the manifest while the supervisor gets ready."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from devctl.errors import DevctlError
from devctl.workspace import Workspace, find, here, plain_name

DAEMON = "devctl.supervisor.daemon"


class Launched:
    """A supervisor on its way. ``pid`` is our child. ``leash`` is our end of a pipe: once it is closed, a supervisor
    that has nothing to do goes. ``nothing_runs``: no supervisor was there, nor had one been killed."""

    def __init__(self, pid: int, leash: int, nothing_runs: bool) -> None:
        self.pid, self.leash, self.nothing_runs = pid, leash, nothing_runs


_ahead: dict[Path, Launched] = {}


def ahead(file: Path | None) -> None:
    """Begin where the command line leads, if no supervisor is there; whatever stands in the way is told later."""
    with suppress(DevctlError, OSError):
        manifest = find(here(), file)
        if name := plain_name(manifest):
            workspace = Workspace(manifest.parent, name)
            if workspace.holder() is None:
                _ahead[workspace.root] = begin(workspace)


def claim(workspace: Workspace) -> Launched | None:
    """What was begun ahead for this workspace; the caller's from now on."""
    return _ahead.pop(workspace.root, None)


def begin(workspace: Workspace) -> Launched:
    """A supervisor on a leash. Raises DevctlError, OSError."""
    nothing_runs = not workspace.alive_mark.exists()
    theirs, ours = os.pipe()
    try:
        return Launched(launch(workspace, theirs), ours, nothing_runs)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)


def launch(workspace: Workspace, leash: int | None = None) -> int:
    """Start a supervisor in a session of its own and return its pid; its output is appended to its log. It inherits no
    descriptor but the ``leash``. Raises DevctlError, OSError.

    A command that has hardly begun is copied: that takes 2 ms, a new Python 10 and as much again for what both need.
    With threads about, and on macOS, whose libraries don't bear it, it is started anew.
    """
    workspace.prepare()
    log = os.open(workspace.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if sys.platform == "linux" and "threading" not in sys.modules:
            return _copied(workspace, leash, log)
        return _spawned(workspace, leash, log)
    finally:
        os.close(log)


def _spawned(workspace: Workspace, leash: int | None, log: int) -> int:
    """Found by ``-P``: a file of the workspace that is named like one of Python's modules must not be taken for it."""
    words = ["-P", "-m", DAEMON, str(workspace.root), workspace.name]
    if leash is not None:
        os.set_inheritable(leash, True)
        words.append(str(leash))
    return os.posix_spawn(
        sys.executable,
        [sys.executable, *words],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
            *((os.POSIX_SPAWN_CLOSE, number) for number in _inherited() if number != leash),
        ],
        setsid=True,
    )


def _copied(workspace: Workspace, leash: int | None, log: int) -> int:
    """Waits until the copy has closed what it has of ours. Otherwise the two often share a processor, though another
    is free, until the scheduler looks at its next tick: 4 ms in which neither of them gets on."""
    begun, theirs = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(begun)
        os.close(theirs)
        raise
    if pid:
        os.close(theirs)
        os.read(begun, 1)
        os.close(begun)
        return pid
    code = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        for name in os.listdir("/dev/fd"):  # noqa: PTH208 - names alone
            if int(name) > 2 and int(name) != leash:
                with suppress(OSError):
                    os.close(int(name))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _forget_the_scripts_folder()
        sys.argv[:] = ["-m", str(workspace.root), workspace.name, *([str(leash)] if leash is not None else [])]
        _call_yourself(f"devctl supervisor {workspace.root}")
        code = import_module(DAEMON).main(*sys.argv[1:])
    except BaseException:  # noqa: BLE001 - nothing of the command may go on in the copy
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _forget_the_scripts_folder() -> None:
    """As -P does, see _spawned. Python puts it first by itself, and for ``-m`` the current one."""
    first = "" if sys.flags.safe_path else os.path.realpath(sys.path[0])
    if first in {os.getcwd(), os.path.dirname(os.path.realpath(sys.argv[0]))}:  # noqa: PTH109, PTH120 - names
        del sys.path[0]


def _call_yourself(name: str) -> None:
    """What ``ps`` shows, over the words of the command that was copied (proc(5): arg_start, arg_end in stat)."""
    with suppress(OSError):
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        begin, end = int(fields[45]), int(fields[46])
        with open("/proc/self/mem", "r+b", buffering=0) as memory:  # noqa: PTH123 - as it is, without a buffer
            memory.seek(begin)
            memory.write(os.fsencode(name)[: end - begin - 1].ljust(end - begin, b"\0"))


def _inherited() -> list[int]:
    """Descriptors that a child would get from us because we got them: a shell's ``exec 9>lock``."""
    found = []
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - names alone
        with suppress(OSError):
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found
