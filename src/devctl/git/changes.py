"""Which services' sources changed since the last ``up``, as git sees it: commits since then and what is not committed.

It only informs: no git, no repository or a slow one means that nothing is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from devctl.command import CommandError, output
from devctl.workspace import Workspace, write_atomic

TIMEOUT = 2.0
"""Seconds one git command may take."""

_EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""git's empty tree, for a repository without a commit."""
_STATUS = ("status", "--porcelain=v2", "--branch", "-z", "--no-renames", "--untracked-files=all")
_BEFORE_PATH = {"1": 8, "u": 10, "?": 1}
"""Fields before the path in an entry of each kind (git-status(1), "Porcelain Format Version 2")."""


class Standing(msgspec.Struct, frozen=True):
    """A repository at one moment: its commit, and for each file that differed from it what tells one edit from the
    next."""

    head: str
    dirty: dict[str, str]


def changed(workspace: Workspace, folders: Mapping[str, str]) -> tuple[str, ...]:
    """The services whose folder holds something that changed since ``record`` was last called. () the first time.

    ``folders`` maps a service to the folder of its sources. One git command for each repository, two where its commit
    is another.
    """
    known = _read(workspace)
    found: set[str] = set()
    for root, members in _repositories(folders).items():
        if root in known:
            files = _changed_files(root, known[root])
            found |= {name for name, inside in members.items() if _touches(inside, files)}
    return tuple(name for name in folders if name in found)


def record(workspace: Workspace, folders: Mapping[str, str]) -> None:
    """Remember each repository as it is now."""
    standings = {root: now for root in _repositories(folders) if (now := _standing(root))}
    try:
        write_atomic(_path(workspace), msgspec.json.encode(standings))
    except (OSError, UnicodeEncodeError):  # a full disk, a file whose name is no text: nothing is known next time
        return


def _path(workspace: Workspace) -> Path:
    return workspace.folder / "last_up.json"


def _read(workspace: Workspace) -> dict[str, Standing]:
    try:
        return msgspec.json.decode(_path(workspace).read_bytes(), type=dict[str, Standing])
    except (OSError, msgspec.DecodeError):
        return {}


def _repositories(folders: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The root of each repository, with the services in it and where in it. Looks for ``.git``: costs no process."""
    found: dict[str, dict[str, str]] = {}
    for name, folder in folders.items():
        path = Path(os.path.realpath(folder))
        root = next((each for each in (path, *path.parents) if (each / ".git").exists()), None)
        if root is not None:
            found.setdefault(str(root), {})[name] = path.relative_to(root).as_posix()
    return found


def _git(root: str, *arguments: str) -> str | None:
    """What git answers, None when it does not. A hook's GIT_DIR would lead it to another repository."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        return output(["git", "-C", root, "--no-optional-locks", *arguments], env=environment, timeout=TIMEOUT).out
    except CommandError:
        return None


def _standing(root: str) -> Standing | None:
    status = _git(root, *_STATUS)
    if status is None:
        return None
    head, paths = _parsed(status)
    return Standing(head=head, dirty={path: _stamp(root, path) for path in paths})


def _parsed(status: str) -> tuple[str, list[str]]:
    head, paths = _EMPTY, list[str]()
    for entry in status.split("\0"):
        if entry.startswith("# branch.oid ") and not entry.endswith("(initial)"):
            head = entry.rpartition(" ")[2]
        elif entry[:1] in _BEFORE_PATH:
            paths.append(entry.split(" ", _BEFORE_PATH[entry[0]])[-1])
    return head, paths


def _stamp(root: str, path: str) -> str:
    """Size and modification time: enough to see that a file was edited again."""
    try:
        facts = Path(root, path).lstat()
    except OSError:
        return "gone"
    return f"{facts.st_size}.{facts.st_mtime_ns}"


def _changed_files(root: str, before: Standing) -> frozenset[str]:
    now = _standing(root)
    if now is None:
        return frozenset()
    committed: set[str] = set()
    if now.head != before.head:
        names = _git(root, "diff", "--name-only", "--no-renames", "-z", before.head, now.head)
        committed = set((names or "").split("\0")) - {""}
    # What already differed then has changed when the file itself is another, committed since or not.
    again = {name for name, stamp in before.dirty.items() if _stamp(root, name) != stamp}
    return frozenset(again | ((committed | now.dirty.keys()) - before.dirty.keys()))


def _touches(inside: str, files: Iterable[str]) -> bool:
    return any(inside in (".", name) or name.startswith(f"{inside}/") for name in files)
