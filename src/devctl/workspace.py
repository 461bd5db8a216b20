"""A workspace: its folder, its state folder ``.devctl/``, its socket, and the lock that lets one supervisor in."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from contextlib import suppress
from os.path import normpath
from pathlib import Path

from devctl.core.digest import maker
from devctl.errors import DevctlError, Exit

FILE_NAMES = ("services.yaml", "services.yml")
PLAIN_NAME = re.compile(r"^name:[ \t]+([a-z0-9][a-z0-9_-]*)[ \t]*(?:#.*)?$", re.MULTILINE)
"""A name as nearly all manifests have it, found without reading the rest: quick commands never parse the file."""
LARGEST_MANIFEST = 5_000_000
"""Bytes a manifest surely does not have."""

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
        return f"{self.name}-{_hash(self.root)[:10]}"

    @property
    def socket(self) -> Path:
        """The supervisor's socket; elsewhere, in a private folder, where the workspace's own path is too long."""
        near = self.folder / "devctl.sock"
        if len(os.fsencode(near)) <= LONGEST_SOCKET:
            return near
        return self._far_folder() / f"{_hash(self.root)[:16]}.sock"

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
        if not locked(descriptor):
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


def _hash(folder: Path) -> str:
    digest: str = maker("sha256")(os.fsencode(folder)).hexdigest()
    return digest


def find(start: Path, file: Path | None = None) -> Path:
    """The manifest: ``file`` (relative to ``start``), or services.yaml in ``start`` or the nearest parent with one."""
    if file is not None:
        if not (found := start / file).exists():
            raise DevctlError("there is no such manifest", str(file), code=Exit.USAGE)
        return found
    begin = full(start)
    for folder in (begin, *begin.parents):
        for name in FILE_NAMES:
            if (folder / name).is_file():
                return folder / name
    raise DevctlError(
        "there is no services.yaml",
        str(begin),
        "neither here nor in a parent folder",
        "go to your workspace, or name the file: devctl -f PATH …",
        Exit.USAGE,
    )


def full(path: Path) -> Path:
    """The path from the root, without ``..``. Raises DevctlError where the current folder is gone."""
    return Path(normpath(path if path.is_absolute() else here() / path))


def here() -> Path:
    """The current folder. Raises DevctlError where it is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise DevctlError("the current folder is gone", hint="cd to one that is there", code=Exit.USAGE) from error


def plain_name(manifest: Path) -> str | None:
    """The name the manifest gives its workspace, None where only reading it as a whole can tell."""
    try:
        facts = manifest.stat()
        sensible = stat.S_ISREG(facts.st_mode) and facts.st_size <= LARGEST_MANIFEST
        found = PLAIN_NAME.findall(manifest.read_text(errors="replace")) if sensible else []
    except OSError:
        return None
    return found[0] if len(found) == 1 else None


def locked(descriptor: int, patience: float = PATIENCE) -> bool:
    """Whether the file is ours alone within ``patience`` seconds. Whoever asks for the holder of a workspace shares its
    lock for a moment, so one refusal proves nothing."""
    deadline = time.monotonic() + patience
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


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that every reader sees the old or the new one, whole. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")  # tempfile takes 3 ms to import
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
