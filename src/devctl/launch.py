"""The start of a workspace's supervisor. Little is imported for it: an ``up`` begins with it, before its verb is
loaded, and reads the manifest while the supervisor gets ready."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from devctl.errors import DevctlError
from devctl.workspace import Workspace, find, here, plain_name


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
    """Start a supervisor in a session of its own and return its pid; its output is appended to its log.

    It inherits no descriptor but the ``leash``, and is found by ``-P``: a file of the workspace that is named like one
    of Python's modules must not be taken for it. Raises DevctlError, OSError.
    """
    workspace.prepare()
    words = ["-P", "-m", "devctl.supervisor.daemon", str(workspace.root), workspace.name]
    log = os.open(workspace.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
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
    finally:
        os.close(log)


def _inherited() -> list[int]:
    """Descriptors that a child would get from us because we got them: a shell's ``exec 9>lock``."""
    found = []
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - names alone
        with suppress(OSError):
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found
