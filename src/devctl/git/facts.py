"""What is so in a repository: gathered by four git commands, changed by none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from devctl.core.model import Value
from devctl.git.repository import Repository, decoded

OPERATIONS = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
    "sequencer": "cherry-pick or revert",
}
"""What git leaves lying while an operation is unfinished → its name."""


FOREIGN = "it belongs to another user, and git refuses to work in it"


class Kind(StrEnum):
    """What happened to a file, worktree and index taken together."""

    NEW = "new"
    CHANGED = "changed"
    RENAMED = "renamed"
    DELETED = "deleted"


class Change(Value):
    """A file that differs from HEAD. ``path`` is relative to the root, with surrogate escapes where it is no text.

    ``size`` is in bytes as it lies in the worktree; ``old`` is a renamed file's path before. ``untracked``: git does
    not know it yet; ``staged``: the index differs from HEAD; ``unstaged``: the worktree differs from the index.
    ``submodule``: it is one; ``inside``: what differs is inside the submodule and cannot be committed from here.
    """

    path: str
    kind: Kind
    size: int = 0
    old: str = ""
    untracked: bool = False
    staged: bool = False
    unstaged: bool = True
    submodule: bool = False
    inside: bool = False


class Branch(Value):
    """A local branch. ``upstream`` is a full ref or ""; ``worktree`` the folder it is checked out in, or ""."""

    name: str
    head: str
    upstream: str = ""
    worktree: str = ""


class Standing(Value):
    """A branch against a remote, as of the last fetch or push. ``known``: the remote had it then."""

    branch: str
    remote: str
    ahead: int = 0
    behind: int = 0
    known: bool = True


class RepositoryFacts(Value):
    """A repository at one moment.

    ``problem`` says why git cannot read it, "" when it can. ``is_root``: the folder is the root of a repository with a
    worktree. ``head`` is a commit or "" (no commit yet), ``branch`` "" when HEAD is detached. ``operations`` are
    unfinished ones. ``unmerged`` are paths in conflict; ``nested`` folders that are repositories of their own and not
    submodules. ``remotes`` maps a name to its URL; ``tracking`` a remote branch ("origin/dev") to its commit.
    """

    path: str
    problem: str = ""
    is_root: bool = True
    git_folder: str = ""
    head: str = ""
    branch: str = ""
    operations: tuple[str, ...] = ()
    locked: str = ""
    changes: tuple[Change, ...] = ()
    unmerged: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    branches: dict[str, Branch] = {}
    remotes: dict[str, str] = {}
    tracking: dict[str, str] = {}
    shallow: bool = False
    linked: bool = False
    submodules: bool = False

    @property
    def detached(self) -> bool:
        """HEAD is at a commit and on no branch."""
        return bool(self.head) and not self.branch


def look(path: Path | str) -> RepositoryFacts:
    """The facts of the repository whose root should be ``path``. Raises CommandError when git hangs or is missing."""
    repository = Repository(path)
    if not Path(path).is_dir():
        return RepositoryFacts(path=str(path), is_root=False, problem="there is no such folder")
    place = _place(repository)
    if isinstance(place, RepositoryFacts):
        return place
    folder, shallow, linked, operations, locked = place
    head, branch, changes, unmerged, nested = _status(repository)
    branches, tracking = _refs(repository)
    return RepositoryFacts(
        path=str(path),
        git_folder=folder,
        head=head,
        branch=branch,
        operations=operations,
        locked=locked,
        changes=changes,
        unmerged=unmerged,
        nested=nested,
        branches=branches,
        remotes=remotes(repository),
        tracking=tracking,
        shallow=shallow,
        linked=linked,
        submodules=(repository.root / ".gitmodules").is_file(),
    )


def _place(repository: Repository) -> RepositoryFacts | tuple[str, bool, bool, tuple[str, ...], str]:
    """(git's folder, shallow, linked worktree, unfinished operations, index.lock or ""), or facts without these."""
    marks = [word for mark in (*OPERATIONS, "index.lock") for word in ("--git-path", mark)]
    basics = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir", "--is-shallow-repository")
    done = repository.ask("rev-parse", *basics, *marks)
    path = str(repository.root)
    if done.code:
        why = _why_not(decoded(done.err))
        return RepositoryFacts(path=path, is_root=why == FOREIGN, problem=why)
    top, folder, common, shallow, *found = decoded(done.out).splitlines()
    if os.path.realpath(top) != os.path.realpath(path):
        return RepositoryFacts(path=path, is_root=False, problem=f"it is a folder inside the repository {top}")
    *operations, lock = [os.path.join(path, each) for each in found]  # noqa: PTH118 - may be absolute, may be no text
    unfinished = dict.fromkeys(
        name for name, at in zip(OPERATIONS.values(), operations, strict=True) if os.path.lexists(at)
    )
    linked = os.path.realpath(folder) != os.path.realpath(os.path.join(path, common))  # noqa: PTH118 - as above
    return folder, shallow == "true", linked, _without_doubles(unfinished), lock if os.path.lexists(lock) else ""


def _without_doubles(names: dict[str, None]) -> tuple[str, ...]:
    """A cherry-pick of several commits leaves two marks; one name says it."""
    vague = OPERATIONS["sequencer"]
    return tuple(name for name in names if name != vague or not names.keys() & {"cherry-pick", "revert"})


def _why_not(words: str) -> str:
    if "dubious ownership" in words:
        return FOREIGN
    if "not a git repository" in words:
        return "it is not a repository"
    if "must be run in a work tree" in words:
        return "it is a repository without a worktree"
    return words.strip().removeprefix("fatal: ").splitlines()[0] if words.strip() else "git cannot read it"


_Status = tuple[str, str, tuple[Change, ...], tuple[str, ...], tuple[str, ...]]


def _status(repository: Repository) -> _Status:
    """(head, branch, changes, unmerged, nested repositories)."""
    out = repository.do(
        "--no-optional-locks", "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--renames"
    )
    head = branch = ""
    changes, unmerged, nested = list[Change](), list[str](), list[str]()
    entries = iter(decoded(out).split("\0"))
    for entry in entries:
        if entry.startswith("# branch.oid ") and not entry.endswith("(initial)"):
            head = entry.rpartition(" ")[2]
        elif entry.startswith("# branch.head ") and not entry.endswith(" (detached)"):
            branch = entry.removeprefix("# branch.head ")
        elif entry.startswith("u "):
            unmerged.append(entry.split(" ", 10)[10])
        elif entry.startswith("? ") and entry.endswith("/"):
            nested.append(entry[2:].rstrip("/"))
        elif entry[:2] in {"1 ", "2 ", "? "}:
            changes.append(_change(repository.root, entry, entries))
    return head, branch, tuple(changes), tuple(unmerged), tuple(nested)


def _change(root: Path, entry: str, more: Iterator[str]) -> Change:
    if entry[0] == "?":
        path = entry[2:]
        return Change(path=path, kind=Kind.NEW, size=_size(root, path), untracked=True)
    renamed = entry[0] == "2"
    fields = entry.split(" ", 9 if renamed else 8)
    path, states, submodule = fields[-1], fields[1], fields[2]
    old = next(more) if renamed else ""
    inside = submodule[0] == "S" and submodule[1] == "." and states[0] == "."
    return Change(
        path=path,
        kind=_kind(states, bool(old)),
        size=_size(root, path),
        old=old,
        staged=states[0] != ".",
        unstaged=states[1] != ".",
        submodule=submodule[0] == "S",
        inside=inside,
    )


def _kind(states: str, renamed: bool) -> Kind:
    if states[1] == "D" or states == "D.":
        return Kind.DELETED
    if renamed:
        return Kind.RENAMED
    return Kind.NEW if states[0] == "A" or states[1] == "A" else Kind.CHANGED


def _size(root: Path, path: str) -> int:
    try:
        facts = os.lstat(os.path.join(root, path))  # noqa: PTH118 - the name may be no text
    except OSError:
        return 0
    return facts.st_size if stat.S_ISREG(facts.st_mode) else 0


def _refs(repository: Repository) -> tuple[dict[str, Branch], dict[str, str]]:
    """(local branches, remote branches with their commit)."""
    fields = "%(refname)%00%(objectname)%00%(upstream)%00%(worktreepath)%00%(symref)"
    out = decoded(repository.do("for-each-ref", f"--format={fields}", "refs/heads", "refs/remotes"))
    branches, tracking = dict[str, Branch](), dict[str, str]()
    for line in out.split("\n"):
        if not line:
            continue
        ref, commit, upstream, worktree, symbolic = line.split("\0")
        if ref.startswith("refs/heads/"):
            name = ref.removeprefix("refs/heads/")
            branches[name] = Branch(name=name, head=commit, upstream=upstream, worktree=worktree)
        elif not symbolic:
            tracking[ref.removeprefix("refs/remotes/")] = commit
    return branches, tracking


def remotes(repository: Repository) -> dict[str, str]:
    """Every remote with its URL, in the order of git's configuration."""
    out = decoded(repository.ask("config", "-z", "--get-regexp", r"^remote\..*\.url$").out)
    found: dict[str, str] = {}
    for entry in out.split("\0"):
        key, _, url = entry.partition("\n")
        if key:
            found.setdefault(key.removeprefix("remote.").removesuffix(".url"), url)
    return found


def standing(repository: Repository, facts: RepositoryFacts, branch: str, remote: str) -> Standing:
    """How far a branch and what the remote had at the last fetch are apart: a git command when they differ."""
    theirs = facts.tracking.get(f"{remote}/{branch}", "")
    ours = facts.branches[branch].head if branch in facts.branches else ""
    if not theirs or not ours:
        ahead = _count(repository, ours, f"--remotes={remote}") if ours else 0
        return Standing(branch=branch, remote=remote, ahead=ahead, known=bool(theirs))
    if ours == theirs:
        return Standing(branch=branch, remote=remote)
    ahead, behind = apart(repository, ours, theirs)
    return Standing(branch=branch, remote=remote, ahead=ahead, behind=behind)


def apart(repository: Repository, ours: str, theirs: str) -> tuple[int, int]:
    """(commits only in ``ours``, commits only in ``theirs``)."""
    ahead, _, behind = (
        repository.do("rev-list", "--left-right", "--count", f"{ours}...{theirs}").decode().partition("\t")
    )
    return int(ahead), int(behind)


def _count(repository: Repository, commit: str, without: str) -> int:
    return int(repository.do("rev-list", "--count", commit, "--not", without).decode())
