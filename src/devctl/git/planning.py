"""What a sync will do with the branches of a repository, step by step: printed by a dry run, carried out by a real one.

Pure, as policy is: how commits stand to each other is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from devctl.core.model import GitRepository, Value


class Relation(StrEnum):
    """How one commit stands to another."""

    SAME = "same"
    AHEAD = "ahead"
    BEHIND = "behind"
    DIVERGED = "diverged"


class Forward(Value):
    """Bring a branch forward to ``commit``, which is ``source`` ("origin/dev", or a branch): fast-forward only."""

    branch: str
    commit: str
    source: str
    create: bool = False

    def __str__(self) -> str:
        """As it is printed."""
        return (
            f"create {self.branch} at {self.source}" if self.create else f"fast-forward {self.branch} to {self.source}"
        )


class Commit(Value):
    """Commit the files on the current branch."""

    branch: str

    def __str__(self) -> str:
        """As it is printed."""
        return f"commit on {self.branch}"


class Push(Value):
    """Push branches to a remote, all or none. ``heads`` maps a branch to its commit, or to COMING."""

    remote: str
    heads: dict[str, str]

    def __str__(self) -> str:
        """As it is printed."""
        return f"push {', '.join(self.heads)} to {self.remote}"


class Rescue(Value):
    """A branch and the remote's have both moved on: push the work beside it, under ``name``. ``commit`` is "" when it
    is there already."""

    remote: str
    branch: str
    name: str
    commit: str

    def __str__(self) -> str:
        """As it is printed."""
        return f"push {self.branch} to {self.remote} as {self.name}, because both have moved on"


class Same(Value):
    """A branch needs no push. ``behind``: the remote has more, which wasn't brought here because of ``reason``."""

    remote: str
    branch: str
    behind: bool = False
    reason: str = ""

    def __str__(self) -> str:
        """As it is printed."""
        return f"{self.branch} at {self.remote}: " + (f"behind ({self.reason})" if self.behind else "up to date")


class Note(Value):
    """Something worth saying."""

    text: str

    def __str__(self) -> str:
        """As it is printed."""
        return self.text


Step = Forward | Commit | Push | Rescue | Same | Note


class Known(Value):
    """What a plan is made from. ``branches`` maps the local ones to their commit, ``theirs`` each remote that answered
    to its branches. ``elsewhere`` are branches checked out in another worktree, which are left alone. ``current`` is
    the branch checked out here, ``dirty`` whether a commit will be made on it first."""

    current: str
    branches: dict[str, str]
    theirs: dict[str, dict[str, str]]
    elsewhere: tuple[str, ...] = ()
    dirty: bool = False
    host: str = "host"


Related = Callable[[str, str], Relation]
"""How the first commit stands to the second."""
Hindrance = Callable[[str], str]
"""What keeps the worktree from being brought forward to a commit: a file's name and why; "" when nothing does."""


def plan(section: GitRepository, known: Known, related: Related, hindrance: Hindrance) -> tuple[Step, ...]:
    """Everything that is to be done, in order."""
    planner = _Planner(section, known, related, hindrance)
    for branch in dict.fromkeys((*listed(section, known.current), *section.promote, *section.promote.values())):
        planner.bring_forward(branch)
    if known.dirty:
        planner.commit()
    for branch, source in section.promote.items():
        planner.promote(branch, source)
    for remote in known.theirs:
        planner.push(remote)
    if known.current not in listed(section, known.current) and known.current in planner.heads:
        planner.steps.append(Note(f"{known.current} is not among git.sync.branches, so it is pushed nowhere"))
    return tuple(planner.steps)


COMING = "the commit to come"
"""Stands for the commit that a plan will have made."""


class _Planner:
    """The branches as they will be after the steps so far."""

    def __init__(self, section: GitRepository, known: Known, related: Related, hindrance: Hindrance) -> None:
        self.section, self.known, self._known_relation, self._hindrance = section, known, related, hindrance
        self.heads = dict(known.branches)
        self.hindered: dict[str, str] = {}
        self.steps: list[Step] = []
        self._base = ""

    def related(self, one: str, other: str) -> Relation:
        """How one commit, perhaps the one to come, stands to another."""
        if one == other:
            return Relation.SAME
        if other == COMING:
            return _INVERSE[self.related(other, one)]
        if one != COMING:
            return self._known_relation(one, other)
        base = self.related(self._base, other)
        return {Relation.SAME: Relation.AHEAD, Relation.BEHIND: Relation.DIVERGED}.get(base, base)

    def bring_forward(self, branch: str) -> None:
        """To every remote that is purely ahead, in order."""
        for remote, theirs in self.known.theirs.items():
            target = theirs.get(branch)
            if not target:
                continue
            if branch not in self.heads:
                if branch in self.section.promote:
                    self._forward(branch, target, f"{remote}/{branch}", create=True)
            elif self.related(self.heads[branch], target) is Relation.BEHIND:
                self._forward(branch, target, f"{remote}/{branch}")

    def commit(self) -> None:
        """On the current branch."""
        current = self.known.current
        self.steps.append(Commit(current))
        self._base = self.heads.get(current, "")
        self.heads[current] = COMING

    def _forward(self, branch: str, target: str, source: str, *, create: bool = False) -> None:
        why = "it is checked out in another worktree" if branch in self.known.elsewhere else ""
        if branch == self.known.current:
            why = self._hindrance(target)
        if why:
            self.hindered[branch] = why
            self.steps.append(Note(f"{branch} is not brought forward to {source}: {why}"))
            return
        self.steps.append(Forward(branch, target, source, create))
        self.heads[branch] = target

    def promote(self, branch: str, source: str) -> None:
        """Bring ``branch`` forward to ``source``, unless that is not settled itself."""
        why = self._not_promoted(branch, source)
        if why:
            self.steps.append(Note(f"{branch} is not promoted to {source}: {why}"))
        elif self.related(self.heads[branch], self.heads[source]) is Relation.BEHIND:
            self._forward(branch, self.heads[source], source)

    def _not_promoted(self, branch: str, source: str) -> str:
        missing = next((each for each in (source, branch) if each not in self.heads), "")
        if missing:
            return f"there is no branch {missing}"
        for remote, theirs in self.known.theirs.items():
            if source in theirs and self.related(self.heads[source], theirs[source]) in _UNSETTLED:
                return f"{source} and {remote}'s are not the same line of work yet"
        if self.related(self.heads[branch], self.heads[source]) in {Relation.DIVERGED, Relation.AHEAD}:
            return f"it has commits that {source} has not"
        return ""

    def push(self, remote: str) -> None:
        """What this remote lacks: branches that are ahead go together, one that has diverged goes beside."""
        theirs, heads = self.known.theirs[remote], dict[str, str]()
        for branch in listed(self.section, self.known.current):
            if branch not in self.heads:
                continue
            head = self.heads[branch]
            relation = self.related(head, theirs[branch]) if branch in theirs else Relation.AHEAD
            if relation is Relation.AHEAD:
                heads[branch] = head
            elif relation is Relation.DIVERGED:
                self.steps.append(self._rescue(remote, branch, head))
            else:
                behind = relation is Relation.BEHIND
                self.steps.append(Same(remote, branch, behind, self.hindered.get(branch, "") if behind else ""))
        if heads:
            self.steps.append(Push(remote, heads))

    def _rescue(self, remote: str, branch: str, head: str) -> Step:
        name, theirs = rescue_name(self.known.host, branch), self.known.theirs[remote]
        if name in theirs:
            relation = self.related(head, theirs[name])
            if relation in {Relation.SAME, Relation.BEHIND}:
                return Rescue(remote, branch, name, "")
            if relation is Relation.DIVERGED:
                name = f"{name}-{head[:10]}" if head != COMING else f"{name}-…"
        return Rescue(remote, branch, name, head)


_INVERSE = {
    Relation.SAME: Relation.SAME,
    Relation.AHEAD: Relation.BEHIND,
    Relation.BEHIND: Relation.AHEAD,
    Relation.DIVERGED: Relation.DIVERGED,
}
_UNSETTLED = {Relation.DIVERGED, Relation.BEHIND}


def listed(section: GitRepository, current: str) -> tuple[str, ...]:
    """The branches that are pushed: those the manifest lists, or the day's, or the current one."""
    return section.sync_branches or ((section.branch or current,) if section.branch or current else ())


def rescue_name(host: str, branch: str) -> str:
    """The branch that work is pushed to when a branch and the remote's have both moved on."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", host).strip("-")
    return f"rescue/{plain or 'host'}/{branch}"
