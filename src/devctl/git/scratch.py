"""A copy of a repository's index to build trees in: the real index and the worktree are only read.

The copy lies in git's own folder, and one that a killed process left is removed by the next.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from devctl.git.facts import RepositoryFacts
from devctl.git.repository import GitFailed, Repository, decoded

GITLINK = "160000"
_PREFIX = "devctl-index-"


class Entry(NamedTuple):
    """A path that differs between two trees, or a tree and an index: modes and objects before and after ("" and zeros
    where there is none)."""

    path: str
    old_mode: str
    old: str
    mode: str
    new: str

    @property
    def deleted(self) -> bool:
        """Whether the path is gone."""
        return self.mode == "000000"


class Scratch:
    """An index of our own; a context manager."""

    def __init__(self, repository: Repository, facts: RepositoryFacts) -> None:
        self.repository = repository
        self._folder = Path(facts.git_folder)
        self.file = self._folder / f"{_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._head = facts.head

    def __enter__(self) -> Self:
        _remove_left(self._folder)
        with contextlib.suppress(FileNotFoundError):  # before the first add there is no index
            # Its time comes along: by it git knows which files it has to look into (“racy git”).
            shutil.copy2(self._folder / "index", self.file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in (self.file, self.file.with_name(f"{self.file.name}.lock")):
            name.unlink(missing_ok=True)

    @property
    def variables(self) -> dict[str, str]:
        """What makes git use it."""
        return {"GIT_INDEX_FILE": str(self.file)}

    @property
    def head(self) -> str:
        """HEAD's commit, or the empty tree where there is none."""
        return self._head or self.repository.do("hash-object", "-t", "tree", "--stdin", given=b"").decode().strip()

    def tree(self) -> str:
        """Its content as a tree. Raises GitFailed for one with conflicts."""
        return self.repository.do("write-tree", variables=self.variables).decode().strip()

    def stage(self, paths: Sequence[str]) -> dict[str, str]:
        """Take over these files as they lie in the worktree, filters applied; which could not be taken, and why."""
        if not paths:
            return {}
        words = ("update-index", "-z", "--add", "--remove", "--replace", "--stdin")
        try:
            self.repository.do(*words, given=_joined(paths), variables=self.variables, timeout=300)
        except GitFailed as error:
            if len(paths) == 1:
                return {paths[0]: error.words.splitlines()[0] if error.words else "git does not take it"}
            half = len(paths) // 2
            return self.stage(paths[:half]) | self.stage(paths[half:])
        return {}

    def put(self, entries: Iterable[tuple[str, str, str]]) -> None:
        """Set entries: (mode, object, path); a mode of 0 removes the path with all its stages."""
        given = b"\0".join(os.fsencode(f"{mode} {found}\t{path}") for mode, found, path in entries)
        if given:
            self.repository.do(
                "update-index", "-z", "--replace", "--index-info", given=given + b"\0", variables=self.variables
            )

    def restore(self, paths: Iterable[str]) -> None:
        """These paths as HEAD has them, or not at all."""
        wanted = set(paths)
        differ = self.changes() if wanted else []
        self.put((each.old_mode.replace("000000", "0"), each.old, each.path) for each in differ if each.path in wanted)

    def changes(self) -> list[Entry]:
        """How it differs from HEAD."""
        words = ("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", self.head)
        return entries(self.repository.do(*words, variables=self.variables))

    def move_conflicts(self) -> None:
        """So that a tree can be written: each side of a conflict becomes a file of its own."""
        listed = decoded(self.repository.do("ls-files", "-u", "-z", variables=self.variables))
        moved, gone = [], dict[str, tuple[str, str, str]]()
        for line in filter(None, listed.split("\0")):
            (mode, found, stage), path = line.split("\t", 1)[0].split(" "), line.split("\t", 1)[1]
            gone[path] = ("0", "0" * len(found), path)
            moved.append((mode, found, f".devctl-conflict/{stage}/{path}"))
        self.put([*gone.values(), *moved])


def entries(raw: bytes) -> list[Entry]:
    """What ``--raw -z`` without renames says."""
    fields = decoded(raw).split("\0")
    found = []
    for about, path in zip(fields[0::2], fields[1::2], strict=False):
        old_mode, mode, old, new, _ = about.removeprefix(":").split(" ")
        found.append(Entry(path, old_mode, old, mode, new))
    return found


def _joined(paths: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _remove_left(folder: Path) -> None:
    """Copies whose process is gone."""
    for file in folder.glob(f"{_PREFIX}*"):
        pid = file.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and not _lives(int(pid)):
            file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
