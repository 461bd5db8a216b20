"""What the setup steps were last run with: ``.devctl/setup.json``. Nothing changed costs a few stat calls."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from devctl.core.model import SetupStep, Value
from devctl.errors import DevctlError
from devctl.setup.policy import Facts, Fingerprint, command_words
from devctl.workspace import write_atomic


class Seen(Value):
    """A file as it was hashed: modification time in ns, size, inode."""

    mtime_ns: int
    size: int
    inode: int
    digest: str


class _File(Value):
    steps: dict[str, Fingerprint] = {}
    seen: dict[str, Seen] = {}


class Records:
    """The records of one workspace. A broken file counts as none: the steps run again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, Seen] = {}

    def facts(self, service: str, step: SetupStep) -> Facts:
        """How the step is, beside how it last ran."""
        file = self._load()
        self._seen = dict(file.seen)
        present = self.fingerprint(step)
        missing = tuple(name for name in step.outputs if not _matches(step.path, name))
        return Facts(recorded=file.steps.get(_key(service, step)), present=present, missing_outputs=missing)

    def fingerprint(self, step: SetupStep) -> Fingerprint:
        """The step's command and the contents of its inputs. Raises DevctlError for an input that is not there."""
        names: dict[str, None] = {}
        for pattern in step.inputs:
            found = _matches(step.path, pattern)
            if not found and not _is_glob(pattern):
                raise DevctlError(
                    what=f"{pattern} is not there, and {command_words(step)} needs it",
                    where=step.path,
                    hint="create it, or correct `inputs` in services.yaml",
                )
            names.update(dict.fromkeys(found))
        digests = {name: self._digest(Path(step.path) / name) for name in names}
        return Fingerprint(command=msgspec.json.encode(step.command).decode(), inputs=digests)

    def record(self, service: str, step: SetupStep, fingerprint: Fingerprint) -> None:
        """The step succeeded with this. A full disk only means that it runs again."""
        file = self._load()
        fresh = _File(steps={**file.steps, _key(service, step): fingerprint}, seen={**file.seen, **self._seen})
        try:
            write_atomic(self._path, msgspec.json.encode(fresh))
        except OSError:
            return

    def twin(self, service: str, step: SetupStep) -> Fingerprint | None:
        """What the same command in the same folder was last run with for another service."""
        ending = _key("", step)
        found = (value for key, value in self._load().steps.items() if key.endswith(ending) and key != service + ending)
        return next(found, None)

    def forget(self, service: str, step: SetupStep) -> None:
        """The step is about to run: should it be interrupted, it did not succeed."""
        file = self._load()
        if _key(service, step) in file.steps:
            left = {key: value for key, value in file.steps.items() if key != _key(service, step)}
            write_atomic(self._path, msgspec.json.encode(_File(steps=left, seen=file.seen)))

    def _load(self) -> _File:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError):
            return _File()

    def _digest(self, path: Path) -> str:
        facts = path.stat()
        seen = self._seen.get(str(path))
        if seen and (seen.mtime_ns, seen.size, seen.inode) == (facts.st_mtime_ns, facts.st_size, facts.st_ino):
            return seen.digest
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._seen[str(path)] = Seen(mtime_ns=facts.st_mtime_ns, size=facts.st_size, inode=facts.st_ino, digest=digest)
        return digest


def _key(service: str, step: SetupStep) -> str:
    return f"{service}\t{step.path}\t{step.name or msgspec.json.encode(step.command).decode()}"


def _is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")


def _matches(folder: str, pattern: str) -> list[str]:
    """Files (or, for an output, folders) that match, relative to ``folder``."""
    base = Path(folder)
    if not _is_glob(pattern):
        return [pattern] if (base / pattern).exists() else []
    return sorted(_relative(base, (path for path in base.glob(pattern) if path.is_file())))


def _relative(base: Path, paths: Iterable[Path]) -> Iterable[str]:
    return (os.fspath(path.relative_to(base)) for path in paths)
