"""Which services' sources changed since the last ``up``, as git sees it: commits since then and what is not committed.

It only informs: no git, no repository or a slow one means that nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from devctl.command import CommandError, output
from devctl.errors import DevctlError
from devctl.workspace import Workspace, write_atomic

TIMEOUT = 2.0
"""Seconds one git command may take."""

_EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""git's empty tree."""


def changed(workspace: Workspace, folders: Mapping[str, str]) -> tuple[str, ...]:
    """The services whose folder holds something that changed since ``record`` was last called. () the first time."""
    known = _read(workspace)
    found: set[str] = set()
    for root, members in _repositories(folders).items():
        if root in known:
            files = _changed_files(root, known[root])
            found |= {name for name in members if _touches(root, folders[name], files)}
    return tuple(name for name in folders if name in found)


def record(workspace: Workspace, folders: Mapping[str, str]) -> None:
    """Remember each repository as it is now."""
    heads = {root: state for root in _repositories(folders) if (state := _state(root))}
    try:
        write_atomic(_path(workspace), msgspec.json.encode(heads))
    except OSError:
        return


class Standing(msgspec.Struct, frozen=True):
    """A repository at one moment: its commit, and a hash of each file that differed from it."""

    head: str
    dirty: dict[str, str]


def _path(workspace: Workspace) -> Path:
    return workspace.folder / "last_up.json"


def _read(workspace: Workspace) -> dict[str, Standing]:
    try:
        return msgspec.json.decode(_path(workspace).read_bytes(), type=dict[str, Standing])
    except (OSError, msgspec.DecodeError):
        return {}


def _repositories(folders: Mapping[str, str]) -> dict[str, list[str]]:
    """The root of each repository, with the services whose folder lies in it. Looks for ``.git``, so it costs no
    process."""
    found: dict[str, list[str]] = {}
    for name, folder in folders.items():
        path = Path(folder)
        for candidate in (path, *path.parents):
            if (candidate / ".git").exists():
                found.setdefault(str(candidate), []).append(name)
                break
    return found


def _git(root: str, *arguments: str) -> str | None:
    try:
        return output(["git", "-C", root, "--no-optional-locks", *arguments], timeout=TIMEOUT).out
    except (CommandError, DevctlError):
        return None


def _state(root: str) -> Standing | None:
    head = (_git(root, "rev-parse", "--verify", "-q", "HEAD") or _EMPTY).strip()
    dirty = _dirty(root)
    return None if dirty is None else Standing(head=head, dirty=dirty)


def _dirty(root: str) -> dict[str, str] | None:
    """Files that differ from HEAD, with size and modification time: enough to see that one changed again."""
    status = _git(root, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")
    if status is None:
        return None
    return {entry[3:]: _stamp(Path(root) / entry[3:]) for entry in status.split("\0") if entry}


def _stamp(path: Path) -> str:
    try:
        facts = path.lstat()
    except OSError:
        return "gone"
    return f"{facts.st_size}.{facts.st_mtime_ns}"


def _changed_files(root: str, before: Standing) -> frozenset[str]:
    now = _state(root)
    if now is None:
        return frozenset()
    files = {name for name in before.dirty.keys() | now.dirty.keys() if before.dirty.get(name) != now.dirty.get(name)}
    if now.head != before.head:
        committed = set((_git(root, "diff", "--name-only", "-z", before.head, now.head) or "").split("\0"))
        # What was merely committed since, as it stood in the folder then, is no change.
        files = {name for name in files if name in now.dirty} | (committed - before.dirty.keys())
    return frozenset(files - {""})


def _touches(root: str, folder: str, files: Iterable[str]) -> bool:
    inside = Path(folder).relative_to(root).as_posix()
    return any(inside in (".", name) or name.startswith(f"{inside}/") for name in files)
