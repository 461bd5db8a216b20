"""A workspace: its folder, its state folder ``.devctl/``, its socket, and the lock that lets one supervisor in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from pathlib import Path

from devctl.errors import DevctlError

LONGEST_SOCKET = 103
"""Bytes a Unix socket's path may have (macOS; Linux allows 107)."""
PATIENCE = 0.3
"""Seconds after which a refused lock counts as held."""


class Lock:
    """The single-instance lock, held while its descriptor is open. The flock is the truth, the pid in it a help."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the next one in."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


class Workspace:
    """Everything that lies beside one manifest. ``root`` is its real folder, ``name`` the manifest's."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = Path(os.path.realpath(root))
        self.name = name
        self.folder = self.root / ".devctl"
        self.logs = self.folder / "logs"
        self.run = self.folder / "run"
        self.journal = self.folder / "journal.jsonl"
        self.supervisor_log = self.folder / "supervisor.log"
        self.alive_mark = self.folder / "running"
        self._lock_file = self.folder / "supervisor.lock"

    @property
    def id(self) -> str:
        """Tells this workspace from every other on this machine: name and hash of the folder."""
        return f"{self.name}-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:10]}"

    @property
    def socket(self) -> Path:
        """The supervisor's socket; elsewhere, in a private folder, where the workspace's own path is too long."""
        near = self.folder / "devctl.sock"
        if len(os.fsencode(near)) <= LONGEST_SOCKET:
            return near
        return _private_folder() / f"{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]}.sock"

    def prepare(self) -> None:
        """Make the state folder (mode 0700, ignored by git). Raises DevctlError."""
        try:
            for folder in (self.folder, self.logs, self.run):
                folder.mkdir(mode=0o700, exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            why = error.strerror or str(error)
            raise DevctlError("the state folder cannot be made", str(self.folder), why, "check its rights") from error

    def acquire(self) -> Lock | None:
        """Become the only supervisor; None when there is one."""
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return Lock(descriptor)

    def holder(self) -> int | None:
        """The pid of the supervisor that holds the lock, None when nobody does (0 while it cannot be read)."""
        try:
            descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 32)
            return int(text) if text.isdigit() else 0
        finally:
            os.close(descriptor)
        return None


def _locked(descriptor: int) -> bool:
    """Whoever asks for the holder shares the lock for a moment, so one refusal proves nothing."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _private_folder() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "devctl" if base else Path(tempfile.gettempdir()) / f"devctl-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if facts.st_uid != os.getuid() or facts.st_mode & 0o077 or folder.is_symlink():
        raise DevctlError("the folder for sockets is not private", str(folder), hint=f"rm -r {folder}")
    return folder


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that every reader sees the old or the new one, whole. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
