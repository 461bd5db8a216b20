"""Moving branches forward on this machine: never over work, never backwards."""

from __future__ import annotations

import os
from pathlib import Path

from devctl.git.facts import RepositoryFacts, apart
from devctl.git.planning import Forward, Relation
from devctl.git.report import shown
from devctl.git.repository import GitFailed, Repository
from devctl.git.scratch import entries

MERGE_TIME = 300.0
"""Seconds that a fast-forward of the worktree may take, LFS's downloads included."""


class Ancestry:
    """How commits stand to each other, asked once a pair."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._known: dict[tuple[str, str], Relation] = {}

    def related(self, one: str, other: str) -> Relation:
        """How ``one`` stands to ``other``. A commit that isn't here counts as diverged."""
        if (one, other) not in self._known:
            self._known[one, other] = self._ask(one, other)
        return self._known[one, other]

    def _ask(self, one: str, other: str) -> Relation:
        try:
            ahead, behind = apart(self._repository, one, other)
        except GitFailed:
            return Relation.DIVERGED
        if ahead and behind:
            return Relation.DIVERGED
        return Relation.AHEAD if ahead else Relation.BEHIND if behind else Relation.SAME


def hindrance(repository: Repository, facts: RepositoryFacts, target: str) -> str:
    """What a fast-forward of the worktree to ``target`` would write over, "" when nothing.

    git itself writes over ignored files without a word; they may be the only copy of a configuration.
    """
    if not facts.head:
        return "there is no commit here yet"
    words = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-commit-id")
    changed = entries(repository.do(*words, facts.head, target))
    own = {path for each in facts.changes for path in (each.path, each.old) if path}
    gone = {each.path for each in changed if each.deleted}
    for entry in changed:
        if entry.path in own:
            return f"{shown(entry.path)} is changed here too"
        new = not entry.old_mode.strip("0")
        if new and (_in_the_way(repository.root, entry.path, gone) or _is_above(entry.path, own)):
            return f"{shown(entry.path)} is here already and not known to git"
        if any(entry.path.startswith(f"{path}/") for path in own):
            return f"{shown(entry.path)} is in the way of work here"
    return ""


def _in_the_way(root: Path, path: str, gone: set[str]) -> bool:
    """Whether something lies where a new file would come, and does not go with the old version's ``gone`` files: the
    file itself, or a file where it needs a folder."""
    above = list(Path(path).parents)[:-1]
    if any(str(each) in gone for each in above):
        return False
    there = root / path
    if _is_folder(there):
        return any(str(each.relative_to(root)) not in gone for each in there.rglob("*") if not _is_folder(each))
    return os.path.lexists(there) or any((root / each).is_file() or (root / each).is_symlink() for each in above)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_above(path: str, own: set[str]) -> bool:
    return any(each.startswith(f"{path}/") for each in own)


def forward(repository: Repository, facts: RepositoryFacts, step: Forward) -> None:
    """Move a branch to a commit that holds all of it. Raises GitFailed when it moved meanwhile, CommandError."""
    if step.branch == facts.branch:
        # git's own checks: fast-forward only, no changed file written over. It leaves all as it is when it says no.
        words = ("-c", "submodule.recurse=false", "merge", "--ff-only", "--quiet", "--no-autostash", step.commit)
        repository.do(*words, timeout=MERGE_TIME)
        return
    before = "" if step.create else facts.branches[step.branch].head
    if before and repository.ask("merge-base", "--is-ancestor", before, step.commit).code:
        raise GitFailed(["update-ref", step.branch], 1, "it would lose commits", repository.root)
    zeros = "0" * len(step.commit)
    about, ref = f"devctl: fast-forward to {step.source}", f"refs/heads/{step.branch}"
    repository.do("update-ref", "-m", about, ref, step.commit, before or zeros)
