"""A workspace: its folder, its state folder ``.devctl/``, its socket, and the lock that lets one supervisor in."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from devctl.errors import DevctlError

LONGEST_SOCKET = 103
"""Bytes a Unix socket's path may have (macOS; Linux allows 107)."""
SHARED = Path("/tmp")  # noqa: S108 - a folder in it is looked at before it is used; TMPDIR may be too long for a socket
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
        return self._far_folder() / f"{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]}.sock"

    def _far_folder(self) -> Path:
        """Written down, since a shell started another way (ssh, cron) may have another XDG_RUNTIME_DIR or none."""
        note = self.folder / "socket-folder"
        try:
            noted = Path(os.fsdecode(note.read_bytes()))
        except OSError:
            noted = Path()
        if noted.is_absolute() and _is_private(noted):
            return noted
        folder = _private_folder()
        with suppress(OSError):  # no state folder yet: the next one writes it down
            write_atomic(note, os.fsencode(folder))
        return folder

    def prepare(self) -> None:
        """Make the state folder (mode 0700, ignored by git). Raises DevctlError."""
        try:
            for folder in (self.folder, self.logs, self.run):
                folder.mkdir(mode=0o700, exist_ok=True)
            self.folder.chmod(0o700)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            why = error.strerror or str(error)
            raise DevctlError("the state folder cannot be made", str(self.folder), why, "check its rights") from error

    def acquire(self) -> Lock | None:
        """Become the only supervisor; None when there is one. Raises DevctlError."""
        try:
            descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            why = error.strerror or str(error)
            raise DevctlError("the lock cannot be taken", str(self._lock_file), why, "check its rights") from error
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
    """A folder for sockets that is this user's alone. Raises DevctlError."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path(runtime) / "devctl"] if runtime.startswith("/") and len(os.fsencode(runtime)) <= 60 else []
    places += [SHARED / f"devctl-{os.getuid()}"]
    for folder in places:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            continue
        if _is_private(folder):
            return folder
    raise DevctlError(
        what="the folder for sockets is not private",
        where=str(places[-1]),
        why="it must be a folder of yours that nobody else may enter",
        hint=f"mv {places[-1]} {places[-1]}.old, or put the workspace into a folder with a shorter path",
    )


def _is_private(folder: Path) -> bool:
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o077


class _Known(msgspec.Struct, frozen=True):
    name: str
    root: str


def register(workspace: Workspace) -> None:
    """Let the user's other workspaces know of this one. Without a home that can be written to, they never learn."""
    try:
        with _registry() as file:
            known = _read_registry(file)
            kept = {key: each for key, each in known.items() if (Path(each.root) / ".devctl").is_dir()}
            fresh = kept | {workspace.id: _Known(name=workspace.name, root=str(workspace.root))}
            if fresh != known:
                write_atomic(file, msgspec.json.encode(fresh))
    except (OSError, UnicodeEncodeError):  # the latter for a folder whose name is no text
        return


def known_workspaces() -> dict[str, Workspace]:
    """All workspaces of this user that were ever supervised and still stand, by id."""
    known = _read_registry(_registry_file())
    found = [Workspace(Path(each.root), each.name) for each in known.values() if Path(each.root).is_dir()]
    return {each.id: each for each in found}


def others() -> dict[str, tuple[str, str]]:
    """Every workspace of this user that was ever supervised and still stands: id → its name and folder."""
    return {key: (each.name, str(each.root)) for key, each in known_workspaces().items()}


def _registry_file() -> Path:
    """``$XDG_STATE_HOME/devctl/workspaces.json`` (XDG Base Directory Specification: a relative value is ignored)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    home = os.path.expanduser("~")  # noqa: PTH111 - unlike Path.home it never raises
    return (Path(state) if state.startswith("/") else Path(home) / ".local/state") / "devctl/workspaces.json"


@contextmanager
def _registry() -> Iterator[Path]:
    """The registry's file, for one writer at a time. Raises OSError."""
    file = _registry_file()
    if not file.is_absolute():
        raise FileNotFoundError(file)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file.parent / "workspaces.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(descriptor)


def _read_registry(file: Path) -> dict[str, _Known]:
    """A broken file counts as none: each workspace registers again with its next ``up``."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, _Known])
    except (OSError, msgspec.DecodeError):
        return {}


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that every reader sees the old or the new one, whole. Raises OSError."""
    import tempfile

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
