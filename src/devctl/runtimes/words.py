"""What is said of a process that ended, or never began."""

from __future__ import annotations

import errno
import os
import signal

from devctl.core.model import Service
from devctl.core.state import StartFailed, StopFailed, Stopped
from devctl.errors import DevctlError
from devctl.runtimes import host
from devctl.runtimes.tree import KILL_PATIENCE, Ended

_NOTES = {
    signal.SIGKILL: "perhaps the machine ran out of memory",
    signal.SIGSEGV: "it crashed",
    signal.SIGABRT: "it aborted itself",
    signal.SIGBUS: "it crashed",
    signal.SIGILL: "it crashed",
}
_SHELL_NOTES = {126: "a command is not executable", 127: "a command was not found"}
_PASSING = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.ETXTBSY}
_HINTS = {
    errno.EACCES: "make it executable: chmod +x",
    errno.ENOEXEC: "let its first line say what runs it, as in #!/bin/sh",
    errno.ENOSPC: "free some disk space",
    errno.EMFILE: "raise the number of open files: ulimit -n",
    errno.EAGAIN: "raise the number of processes: ulimit -u",
}


def exit_note(code: int | None, ended: Ended) -> str:
    """What the exit code and the leftovers say together; "" when nothing needs to be said."""
    if ended.found and code == 0:
        return "it went to the background (daemonized): run it in the foreground"
    parts = [_code_note(code)]
    if ended.found:
        parts.append(f"left {ended.found} process{'es' if ended.found > 1 else ''} behind, which were stopped")
    if ended.survivors:
        parts.append("still there: " + ", ".join(str(entry.pid) for entry in ended.survivors))
    return "; ".join(part for part in parts if part)


def _code_note(code: int | None) -> str:
    if code is None or code == 0:
        return ""
    number = -code if code < 0 else code - 128
    try:
        name = signal.Signals(number)
    except ValueError:
        return _SHELL_NOTES.get(code, "")
    note = _NOTES.get(name, "")
    if code < 0:
        return note
    return f"{name.name}: {note}" if note else f"{name.name} inside of it"


def start_failure(service: Service, run: int, error: DevctlError | OSError) -> StartFailed:
    """The event for what stopped a start. Final unless another try may find more memory, disk or descriptors."""
    if isinstance(error, DevctlError):
        return StartFailed(service=service.name, run=run, reason=_sentence(error), hint=error.hint, final=True)
    number = error.errno or 0
    what = f"{os.strerror(number).lower()}: {error.filename}" if error.filename else str(error)
    return StartFailed(
        service=service.name, run=run, reason=what, hint=_HINTS.get(number, ""), final=number not in _PASSING
    )


def stop_outcome(service: Service, run: int, ended: Ended, code: int | None) -> Stopped | StopFailed:
    """The event for the end of a stop; what would not die is named."""
    if not ended.survivors:
        return Stopped(service=service.name, run=run, code=code)
    names = ", ".join(f"{entry.pid} ({host.here().command(entry.pid) or '?'})" for entry in ended.survivors)
    reason = f"still there {KILL_PATIENCE:g} s after SIGKILL: {names}"
    return StopFailed(service=service.name, run=run, reason=reason)


def stop_blind(service: Service, run: int, error: OSError) -> StopFailed:
    """The event for a stop that could not see what runs."""
    return StopFailed(service=service.name, run=run, reason=f"what runs of it cannot be seen: {error}")


def _sentence(error: DevctlError) -> str:
    where = f" ({error.where})" if error.where else ""
    return f"{error.what}{where}" + (f": {error.why}" if error.why else "")
