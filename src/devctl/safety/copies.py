"""Backups on disk: a file each, named by service and time, with a note of what is in it beside it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from devctl.core.model import Value
from devctl.errors import DevctlError, Exit
from devctl.workspace import write_atomic

FOLDER = "backups"
NOTE = ".json"
_NAME = re.compile(
    r"(?P<service>[A-Za-z0-9][\w-]*)-(?P<stamp>\d{8}T\d{6}Z)(?:-(?P<number>\d+))?\.(?P<kind>dump|sqlite)"
)
_UNFINISHED = re.compile(r"\.(?P<pid>\d+)\.part")


class Contents(Value):
    """What a backup holds. ``revisions``: where its schema stands; ``rows``: how many each table has, {} when nobody
    counted; ``server`` is the server's major version; ``tables`` are all of them."""

    revisions: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    rows: dict[str, int] = {}
    server: int = 0


class Note(Value):
    """What is known of a backup beside the file itself. ``when`` is in seconds since the epoch."""

    service: str
    database: str
    when: float
    reason: str
    digest: str
    contents: Contents = Contents()


class Copy(Value):
    """A backup. ``note`` is None for a file that came from elsewhere."""

    file: str
    bytes: int
    when: float
    number: int = 0
    note: Note | None = None

    @property
    def path(self) -> Path:
        """Its file."""
        return Path(self.file)


def copies(state: Path, service: str) -> list[Copy]:
    """The service's backups in the state folder ``.devctl``, the newest first."""
    found = []
    for file in (state / FOLDER).glob(f"{service}-*"):
        match = _NAME.fullmatch(file.name)
        if match and match["service"] == service and file.is_file():
            when = datetime.strptime(match["stamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
            found.append(Copy(str(file), file.stat().st_size, when, int(match["number"] or 0), _note(file)))
    return sorted(found, key=lambda copy: (copy.when, copy.number), reverse=True)


def one(file: Path) -> Copy:
    """A backup by its file. Raises DevctlError (exit 2) where there is none."""
    if not file.is_file():
        hint = "devctl db restore --list shows what there is"
        raise DevctlError("there is no such backup", str(file), hint=hint, code=Exit.USAGE)
    note = _note(file)
    facts = file.stat()
    return Copy(str(file), facts.st_size, note.when if note else facts.st_mtime, note=note)


def _note(file: Path) -> Note | None:
    try:
        return msgspec.json.decode(file.with_name(file.name + NOTE).read_bytes(), type=Note)
    except (OSError, msgspec.DecodeError):
        return None


def keep(
    state: Path, service: str, database: str, reason: str, kind: str, now: float, save: Callable[[Path], Contents]
) -> Copy:
    """Have ``save`` fill a new file, and take it in under a name of its own once it is whole. Files and folder are the
    user's alone. Raises DevctlError, and what ``save`` raises; then nothing is left."""
    folder = state / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        _tidy(folder)
        part = folder / f".{service}.{os.getpid()}.part"
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise DevctlError("backups cannot be written", str(folder), error.strerror or str(error)) from error
    try:
        contents = save(part)
        part.chmod(0o600)
        note = Note(service, database, now, reason, digest(part), contents)
        file = _named(folder, part, f"{service}-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}", kind)
        _noted(file, note)
    except OSError as error:
        raise DevctlError("the backup cannot be written", str(folder), error.strerror or str(error)) from error
    finally:
        part.unlink(missing_ok=True)
    return Copy(str(file), file.stat().st_size, now, note=note)


def _noted(file: Path, note: Note) -> None:
    """The note beside a backup; one without it is none."""
    try:
        write_atomic(file.with_name(file.name + NOTE), msgspec.json.format(msgspec.json.encode(note)))
    except OSError:
        file.unlink()
        raise


def _named(folder: Path, part: Path, stem: str, kind: str) -> Path:
    """The file under a name that nobody has: a hard link is made or fails, whoever else does the same."""
    descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    number = 0
    while True:
        file = folder / f"{stem}{f'-{number}' if number else ''}.{kind}"
        try:
            file.hardlink_to(part)
        except FileExistsError:
            number += 1
        else:
            return file


def _tidy(folder: Path) -> None:
    """What an interrupted backup left: no backup yet, and of nobody who still lives."""
    for file in folder.glob(".*.part"):
        found = _UNFINISHED.search(file.name)
        if found and not _lives(int(found["pid"])):
            with suppress(OSError):
                file.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def must_be_whole(copy: Copy) -> None:
    """Raises DevctlError (exit 3) for a backup that isn't what was written."""
    if copy.note is not None and digest(copy.path) != copy.note.digest:
        raise DevctlError(
            "the backup is damaged: its content is not what was written",
            copy.file,
            hint="take another one: devctl db restore --list",
            code=Exit.PRECONDITION,
        )
