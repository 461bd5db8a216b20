"""A folder by its descriptor: nothing in it is reached through a link, and no path leads out of it.

Paths are relative, with ``/``. Every step is taken from the descriptor of the folder above, so that a folder that is
replaced by a link meanwhile leads nowhere.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from devctl.git.mirror.policy import ABSENT, FOLDER, OTHER

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FOLDER = {errno.ENOTDIR, errno.ELOOP}
CHUNK = 1 << 20
LARGEST = 64 << 20
"""Bytes of a file that is held in memory whole."""


class Blocked(Exception):
    """``path``, where a folder would have to be, is something else."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Tree:
    """The folder ``root``, open until ``close``. Raises OSError."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Give the descriptor, and with it the lock, back."""
        os.close(self.descriptor)

    def lock(self) -> bool:
        """Be the only one who changes it; False when another is."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextmanager
    def above(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """(descriptor of the folder that holds ``path``, its name there). ``make``: with the folders that are missing.

        Raises Blocked, and FileNotFoundError where a folder is missing.
        """
        *folders, name = path.split("/")
        if not {"", ".", ".."}.isdisjoint((*folders, name)):
            raise Blocked(path)
        with self.folder(folders, make=make) as folder:
            yield folder, name

    @contextmanager
    def folder(self, folders: Sequence[str], *, make: bool = False) -> Iterator[int]:
        """The descriptor of a folder, given by the names that lead to it. Raises as ``above``."""
        present = os.dup(self.descriptor)
        try:
            for number, name in enumerate(folders):
                present = _entered(present, name, "/".join(folders[: number + 1]), make=make)
            yield present
        finally:
            os.close(present)

    def state(self, path: str) -> tuple[str, str]:
        """(its state, "" or what stands where a folder above it would be)."""
        try:
            with self.above(path) as (folder, name):
                return state_at(folder, name), ""
        except FileNotFoundError:
            return ABSENT, ""
        except Blocked as blocked:
            return ABSENT, blocked.path

    def below(self, path: str = "") -> list[str]:
        """Everything in a folder and its folders that is no folder itself, sorted. Raises OSError."""
        found: list[str] = []
        with suppress(FileNotFoundError, Blocked), self.folder(path.split("/") if path else []) as folder:
            with os.scandir(folder) as entries:
                listed = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in entries)
            for name, is_folder in listed:
                inside = f"{path}/{name}" if path else name
                found += self.below(inside) if is_folder else [inside]
        return found

    def content(self, path: str, limit: int = LARGEST) -> bytes | None:
        """A file's content or a link's text; None for anything else, what is larger and what can't be read."""
        try:
            with self.above(path) as (folder, name):
                if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    return os.fsencode(os.readlink(name, dir_fd=folder))
                with opened(folder, name) as file:
                    return None if os.fstat(file).st_size > limit else b"".join(pieces(file))
        except (OSError, Blocked):
            return None


def _entered(present: int, folder: str, walked: str, *, make: bool) -> int:
    """The descriptor of a folder in another, which is given back. Raises Blocked, FileNotFoundError."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(folder, dir_fd=present)
    try:
        inner = os.open(folder, _FOLDER, dir_fd=present)
    except OSError as error:
        if error.errno in _NO_FOLDER:
            raise Blocked(walked) from error
        raise
    os.close(present)
    return inner


def state_at(folder: int, name: str) -> str:
    """The state of an entry of an open folder."""
    try:
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            return FOLDER
        if stat.S_ISLNK(facts.st_mode):
            return "l:" + hashlib.sha256(os.fsencode(os.readlink(name, dir_fd=folder))).hexdigest()
        if not stat.S_ISREG(facts.st_mode):
            return OTHER
        with opened(folder, name) as file:
            return _state_of(file)
    except FileNotFoundError:
        return ABSENT
    except OSError:
        return OTHER


@contextmanager
def opened(folder: int, name: str) -> Iterator[int]:
    """A regular file of an open folder. Raises OSError for anything else."""
    file = os.open(name, _FILE, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "is no file", name)
        yield file
    finally:
        os.close(file)


def pieces(file: int) -> Iterator[bytes]:
    """The rest of a file."""
    while piece := os.read(file, CHUNK):
        yield piece


def _state_of(file: int) -> str:
    digest = hashlib.sha256()
    for piece in pieces(file):
        digest.update(piece)
    return f"{kind_of(os.fstat(file).st_mode)}:{digest.hexdigest()}"


def kind_of(mode: int) -> str:
    """A file's kind: whether its owner may execute it is all of a mode that git, and so a clone, keeps."""
    return "x" if mode & stat.S_IXUSR else "f"
