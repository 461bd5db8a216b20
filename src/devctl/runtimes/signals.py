"""Signals that reach the process that is meant or nobody, and the exit codes of our own children."""

from __future__ import annotations

import os
import signal
import threading

from devctl.runtimes import host
from devctl.runtimes.host import Key


def send(who: Key, number: int) -> bool:
    """Signal that very process, or nothing: where the system has pidfds not even a pid reused just now can be hit.

    False when it is gone. Raises PermissionError when it may not be signalled.
    """
    pid, start = who
    if pid <= 1 or pid in host.protected():
        raise PermissionError(f"process {pid} is init, this process or an ancestor of it")
    try:
        handle = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
    except ProcessLookupError:
        return False
    except OSError:
        handle = -1
    try:
        found = host.here().process(pid)
        if found is None or found.start != start or found.dead:
            return False
        _deliver(handle, pid, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        if handle >= 0:
            os.close(handle)


def _deliver(handle: int, pid: int, number: int) -> None:
    if handle >= 0:
        signal.pidfd_send_signal(handle, number)
    else:
        os.kill(pid, number)


def send_group(leader: Key, number: int) -> bool:
    """Signal the group that ``leader`` leads, if that very process still exists (a zombie too: it holds the number)."""
    pid, start = leader
    found = host.here().process(pid)
    if pid in host.protected() or pid == os.getpgrp() or found is None or found.start != start or found.group != pid:
        return False
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return host.MACOS  # macOS says so when only zombies are left of the group
    return True


def reap(pid: int) -> int | None:
    """The exit code of our dead child ``pid`` (negative: killed by that signal); None when it isn't ours or lives."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if found else None


def peek(pid: int) -> int | None:
    """The exit code of our dead child ``pid``, which stays a zombie, so that its number is not given away."""
    try:
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):
        return None
    if result is None or result.si_pid != pid:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def number(name: str) -> int:
    """The number of a signal by its name, with or without SIG; SIGTERM for a name this system does not know."""
    full = name.upper() if name.upper().startswith("SIG") else f"SIG{name.upper()}"
    return signal.Signals.__members__.get(full, signal.SIGTERM)


def heed_what_was_ignored() -> None:
    """Let no child inherit that we ignore a signal, as a shell's jobs and ``nohup`` make us do; we go on ignoring."""
    if threading.current_thread() is not threading.main_thread():
        return
    for each in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, _ignore)


def _ignore(_number: int, _frame: object) -> None:
    return


def has_zombie() -> bool:
    """Whether any child of ours is dead and not yet reaped."""
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):
        return False
    return result is not None and result.si_pid > 0
