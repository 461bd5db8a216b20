"""What there is to carry: of a source in a repository what git would commit, of any other folder every file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from devctl.core.globs import Globs
from devctl.core.model import Mirror, Value
from devctl.errors import DevctlError
from devctl.git.facts import look
from devctl.git.mirror.policy import ABSENT, FOLDER, OTHER
from devctl.git.mirror.record import NAME, is_inside
from devctl.git.mirror.tree import Tree
from devctl.git.policy import forbidden
from devctl.git.repository import Repository, decoded

NOT_CHECKED_OUT, NEW, PLAIN = "S", "?", ""
"""git's tags of a file that is not on the disk on purpose, and of one it doesn't know yet; of a file outside git."""
SPARSE = "is not checked out"
_BATCH = 200
"""Paths one git command is given."""
_LIST = ("ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard")


class Source(Value):
    """``wanted``: path → state. ``unknown``: paths whose state can't be told. ``notes``: what isn't carried and why."""

    wanted: dict[str, str]
    unknown: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


class Selection:
    """Which paths a mirror is about. A folder's ``.git`` and the record are nobody's to carry."""

    def __init__(self, mirror: Mirror) -> None:
        self._include, self._exclude = Globs(mirror.include), Globs(mirror.exclude)

    def __contains__(self, path: object) -> bool:
        return (
            isinstance(path, str)
            and is_inside(path)
            and self._include.take_in(path)
            and not self._exclude.take_in(path)
        )


def repository_of(folder: Path) -> Path | None:
    """The root of the repository that a folder lies in."""
    return next((each for each in (folder, *folder.parents) if os.path.lexists(each / ".git")), None)


def source_of(tree: Tree, selection: Selection) -> Source:
    """Everything that is to be carried, as it is now. Raises DevctlError where that can't be told."""
    root = repository_of(tree.root)
    listed = _committable(tree.root, root) if root else dict.fromkeys(tree.below(), PLAIN)
    wanted: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for path, tag in listed.items():
        name = path.rstrip("/")
        if name not in selection:
            continue
        state = OTHER if tag == NOT_CHECKED_OUT else tree.state(name)[0]
        if why := _why_not(name, tag, state):
            unknown[name] = why
        elif state != ABSENT:
            wanted[name] = state
    notes = tuple(f"{name} {why}: it is not carried over" for name, why in unknown.items() if why != SPARSE)
    return Source(wanted=wanted, unknown=frozenset(unknown), notes=notes)


def _why_not(name: str, tag: str, state: str) -> str:
    """Why a path that is there is not carried over, "" when it is."""
    if tag == NOT_CHECKED_OUT:
        return SPARSE
    if state == FOLDER:
        return "is a repository of its own"
    if state == OTHER:
        return "is no file, or cannot be read"
    return f"is never committed ({why})" if tag == NEW and (why := forbidden(name)) else ""


def _committable(folder: Path, root: Path) -> dict[str, str]:
    """Path → git's tag of all that git would commit below a folder of a repository (and of what is deleted there)."""
    facts = look(root)
    unfinished = facts.operations or (("merge",) if facts.unmerged else ())
    if unfinished:
        raise DevctlError(
            f"a {unfinished[0]} is unfinished, so nothing is carried over",
            str(root),
            hint=f"git -C {root} status",
        )
    done = Repository(folder).ask(*_LIST)
    if done.code:
        raise DevctlError("git cannot say what is to be carried over", str(folder), decoded(done.err).strip())
    entries = (decoded(entry) for entry in done.out.split(b"\0") if entry)
    return {entry[2:]: entry[0] for entry in entries}


def origin_of(tree: Tree, target: Tree) -> str:
    """The commit that the source is at; "" outside git, and where both lie in one repository: there every commit has
    both as they belong together."""
    root = repository_of(tree.root)
    if root is None or root == repository_of(target.root):
        return ""
    return Repository(tree.root).line("rev-parse", "--verify", "-q", "HEAD")


def refuse_to_go_back(tree: Tree, head: str, origins: Iterable[str]) -> None:
    """Raises DevctlError where the target has what came from a later commit of the source, which isn't here."""
    repository = Repository(tree.root)
    for origin in origins if head else ():
        behind = repository.ask("merge-base", "--is-ancestor", head, origin).code
        unknown = behind > 1 and repository.line("rev-parse", "--is-shallow-repository") != "true"
        if unknown or (behind == 0 and head != origin):
            what = "the source lacks the commit" if unknown else "the source is behind what was carried over last"
            hint = f"git -C {tree.root} pull; a commit that is gone for good is forgotten with its line in {NAME}"
            raise DevctlError(what, str(tree.root), f"that came from {origin[:10]}", hint)


def earlier_versions(tree: Tree, target: Tree, paths: Iterable[str]) -> frozenset[str]:
    """Those of ``paths`` whose content in the target is a version that the source's history holds at that very path.

    None of them where the source lies in no repository.
    """
    if repository_of(tree.root) is None:
        return frozenset()
    repository = Repository(tree.root)
    hash_name = repository.line("rev-parse", "--show-object-format") or "sha1"
    wanted = {path: blob for path in paths if (blob := _blob(target, path, hash_name))}
    found: set[str] = set()
    for batch in _batches(list(wanted)):
        for path, blob in _history(repository, batch):
            found |= {path} if wanted.get(path) == blob else set()
    return frozenset(found)


def _blob(target: Tree, path: str, hash_name: str) -> str:
    """The name git gives the content of a file or link; "" for anything else."""
    content = target.content(path)
    if content is None:
        return ""
    return hashlib.new(hash_name, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _batches(paths: list[str]) -> Iterator[list[str]]:
    return (paths[at : at + _BATCH] for at in range(0, len(paths), _BATCH))


def _history(repository: Repository, paths: list[str]) -> Iterator[tuple[str, str]]:
    """(path, blob) of every version of these paths that any ref holds."""
    words = ("log", "--all", "-m", "--full-history", "--raw", "-z", "--no-abbrev", "--no-renames", "--relative")
    done = repository.ask(*words, "--format=", "--", *paths, variables={"GIT_LITERAL_PATHSPECS": "1"})
    fields = [] if done.code else done.out.split(b"\0")
    for head, path in pairwise(fields):
        parts = head.lstrip(b"\n").split(b" ")
        if head.lstrip(b"\n").startswith(b":") and len(parts) == 5:
            for blob in parts[2:4]:
                yield decoded(path), blob.decode()
