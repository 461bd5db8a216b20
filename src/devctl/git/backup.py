"""A snapshot of everything that is not committed, kept by a ref, before anything is changed."""

from __future__ import annotations

import re
from pathlib import Path

from devctl.core.model import Value
from devctl.git.facts import Change, RepositoryFacts
from devctl.git.repository import Repository, decoded
from devctl.git.scratch import Scratch

REFS = "refs/devctl/backup"
LARGEST = 256_000_000
"""Bytes of a file beyond which the snapshot leaves it out: it would be copied, and nothing touches it where it lies."""
_NOBODY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "devctl"), ("EMAIL", "devctl@localhost"), ("DATE", "2000-01-01T00:00:00Z"))
}
"""The same for every snapshot, so that the same content is the same commit and isn't kept twice."""
_UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")


class Backup(Value):
    """``ref`` is "" when everything is committed. ``left_out`` are files too large for it."""

    ref: str = ""
    left_out: tuple[str, ...] = ()


def save(repository: Repository, facts: RepositoryFacts, stamp: str) -> Backup:
    """Keep worktree (untracked files too, ignored ones not) and index under a ref named after ``stamp``.

    The ref's commit is the worktree; its second parent is the index; sides of a conflict lie in the latter's
    ``.devctl-conflict``. Neither worktree nor index nor branches are touched. Raises GitFailed, CommandError.
    """
    if not facts.changes and not facts.unmerged:
        return Backup()
    huge = tuple(change.path for change in facts.changes if change.size > LARGEST)
    parents = _parents(facts)
    with Scratch(repository, facts) as scratch:
        if facts.unmerged:
            scratch.move_conflicts()
        index = _commit(repository, scratch.tree(), "index", parents)
        left = scratch.stage([*(path for path in _differing(facts.changes) if path not in huge), *facts.unmerged])
        commit = _commit(repository, scratch.tree(), f"worktree of {facts.branch or facts.head}", [*parents, index])
    ref = _kept(repository, commit)
    if not ref:
        name = re.sub(r"[^A-Za-z0-9-]+", "-", facts.branch or "detached").strip("-")
        ref = f"{REFS}/{stamp}-{name}-{commit[:8]}"
        repository.do("update-ref", "-m", "devctl: before a sync", ref, commit, "")
    return Backup(ref, (*huge, *left))


def _differing(changes: tuple[Change, ...]) -> list[str]:
    """The paths by which worktree and index differ."""
    found = [change for change in changes if change.unstaged and not change.inside]
    return [path for change in found for path in ((change.path, change.old) if change.old else (change.path,))]


def _commit(repository: Repository, tree: str, message: str, parents: list[str]) -> str:
    words = [word for parent in dict.fromkeys(parents) for word in ("-p", parent)]
    return repository.do("commit-tree", tree, "-m", f"devctl: {message}", *words, variables=_NOBODY).decode().strip()


def _parents(facts: RepositoryFacts) -> list[str]:
    """HEAD, and what an unfinished operation would bring in."""
    found = [facts.head] if facts.head else []
    for name in _UNFINISHED if facts.operations else ():
        path = Path(facts.git_folder) / name
        if path.is_file():
            found += path.read_text(errors="replace").split()
    return found


def _kept(repository: Repository, commit: str) -> str:
    """The backup that holds this very content already."""
    found = repository.do("for-each-ref", "--count=1", "--format=%(refname)", f"--points-at={commit}", REFS)
    return decoded(found).strip()
