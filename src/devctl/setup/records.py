"""What the setup steps were last run with: ``.devctl/setup.json``. Nothing changed costs a few stat calls."""

from __future__ import annotations

import glob
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from devctl.core.model import SetupStep, Value
from devctl.errors import DevctlError
from devctl.setup.policy import Facts, Fingerprint, command_words
from devctl.workspace import write_atomic

FRESH = 2_000_000_000
"""Nanoseconds for which a modification time proves nothing: a second edit may carry the same one."""


class Seen(Value):
    """A file as it was hashed: modification time in ns, size, inode."""

    mtime_ns: int
    size: int
    inode: int
    digest: str


class _File(Value):
    """``steps`` maps service, number of the step and folder to the last success; ``seen`` the files hashed for it."""

    steps: dict[str, Fingerprint] = {}
    seen: dict[str, Seen] = {}


class Records:
    """The records of one workspace. A broken file counts as none: the steps run again.

    A step is known by its service, its number there and its folder, so that its command may change.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, Seen] = {}
        self.learned = False
        """Whether a file was hashed that need not be the next time, once that is recorded."""

    def facts(self, service: str, number: int, step: SetupStep) -> Facts:
        """How the step is, beside how it last ran. Raises DevctlError."""
        file = self._load()
        self._seen = dict(file.seen)
        present = self.fingerprint(step)
        own = _key(service, number, step)
        return Facts(
            recorded=file.steps.get(own),
            present=present,
            missing_outputs=tuple(name for name in step.outputs if not _there(step.path, name)),
            elsewhere=tuple(each for key, each in file.steps.items() if key != own and _is_of(key, each, step)),
        )

    def fingerprint(self, step: SetupStep) -> Fingerprint:
        """The step's command and the contents of its inputs. Raises DevctlError for an input that is not there."""
        names: dict[str, None] = {}
        for pattern in step.inputs:
            found = _files(step.path, pattern)
            if not found and not glob.has_magic(pattern) and not Path(step.path, pattern).is_dir():
                raise _unusable(step, pattern, "is not there")
            names.update(dict.fromkeys(found))
        digests = {name: self._digest(step, name) for name in names}
        return Fingerprint(command=_command(step), inputs=digests)

    def record(self, service: str, number: int, step: SetupStep, fingerprint: Fingerprint) -> None:
        """The step succeeded with this. A full disk only means that it runs again."""
        file = self._load()
        steps = {**file.steps, _key(service, number, step): fingerprint}
        seen = {path: each for path, each in {**file.seen, **self._seen}.items() if Path(path).exists()}
        try:
            write_atomic(self._path, msgspec.json.encode(_File(steps=steps, seen=seen)))
        except (OSError, UnicodeEncodeError):
            return

    def forget(self, step: SetupStep) -> None:
        """The step is about to run: should it be interrupted, it is done for no service. Raises DevctlError."""
        file = self._load()
        left = {key: each for key, each in file.steps.items() if not _is_of(key, each, step)}
        if len(left) == len(file.steps):
            return
        try:
            write_atomic(self._path, msgspec.json.encode(_File(steps=left, seen=file.seen)))
        except OSError as error:
            why = error.strerror or str(error)
            raise DevctlError("the record of the setup cannot be written", str(self._path), why, "df -h") from error

    def _load(self) -> _File:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError):
            return _File()

    def _digest(self, step: SetupStep, name: str) -> str:
        path = Path(step.path, name)
        try:
            facts = path.stat()
            seen = self._seen.get(str(path))
            if seen and (seen.mtime_ns, seen.size, seen.inode) == (facts.st_mtime_ns, facts.st_size, facts.st_ino):
                return seen.digest
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unusable(step, name, f"cannot be read ({error.strerror})") from error
        if time.time_ns() - facts.st_mtime_ns > FRESH:
            known = Seen(mtime_ns=facts.st_mtime_ns, size=facts.st_size, inode=facts.st_ino, digest=digest)
            self._seen[str(path)] = known
            self.learned = True
        return digest


def _command(step: SetupStep) -> str:
    return msgspec.json.encode(step.command).decode()


def _key(service: str, number: int, step: SetupStep) -> str:
    return f"{service}\t{number}\t{step.path}"


def _is_of(key: str, recorded: Fingerprint, step: SetupStep) -> bool:
    """Whether the record is this step's: the same folder and command, whoever's."""
    return key.split("\t", 2)[-1] == step.path and recorded.command == _command(step)


def _unusable(step: SetupStep, name: str, why: str) -> DevctlError:
    return DevctlError(
        what=f"{name} {why}, and {command_words(step)} needs it",
        where=step.path,
        hint="create it, or correct `inputs` in services.yaml",
    )


def _there(folder: str, pattern: str) -> bool:
    """Whether an output is there: a file or folder, or at least one match of a glob."""
    return Path(folder, pattern).exists() or next(_matches(folder, pattern), None) is not None


def _files(folder: str, pattern: str) -> list[str]:
    """The files that match, relative to ``folder``; of a folder all in it."""
    path = Path(folder, pattern)
    if path.is_file():
        return [pattern]
    if path.is_dir():
        pattern = os.path.join(glob.escape(pattern), "**")  # noqa: PTH118 - it stays relative
    return sorted(name for name in _matches(folder, pattern) if Path(folder, name).is_file())


def _matches(folder: str, pattern: str) -> Iterator[str]:
    """Unlike Path.glob it takes ``../shared/*`` and absolute patterns, too."""
    if not glob.has_magic(pattern):
        return iter(())
    return glob.iglob(pattern, root_dir=folder, recursive=True, include_hidden=True)  # noqa: PTH207 - see above
