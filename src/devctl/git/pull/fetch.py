"""Asks all remotes of a repository at once and brings its branch forward as soon as one of them allows it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from devctl.command import CommandError
from devctl.core.model import GitRepository, Value
from devctl.errors import DevctlError
from devctl.git.facts import RepositoryFacts, apart, look
from devctl.git.network import REWRITTEN
from devctl.git.pull.policy import (
    Current,
    Distance,
    Fetch,
    Pull,
    Standing,
    Stay,
    begin,
    candidates,
    decide,
    git_in,
    obstacle,
    unreachable,
)
from devctl.git.repository import GitFailed, Repository, decoded
from devctl.git.sync import locked
from devctl.git.urls import scrubbed
from devctl.workspace import Workspace

MERGE_TIMEOUT = 600.0
"""Seconds git may take to write the files: filters (LFS) may fetch some, and breaking it off leaves half of them."""
LOCK_PATIENCE = 3.0
"""Seconds another git command may hold the index before it is told."""

ALONE = 20.0
"""Seconds for which another devctl's pull of the same repository is waited for at most."""
GITLINK = "160000"
"""The mode of a submodule's entry in a tree."""
SILENT = "no answer within "
ANOTHER = " was rewritten there"
T = TypeVar("T")
_FETCH = (
    "-c", "fetch.output=full", "fetch", "--no-prune", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap=",
    "--",
)  # fmt: skip
"""Nothing is pruned, and a branch that was rewritten at the remote keeps its old ref here: with no + in the refspec,
nothing that could be reached no longer can."""
_MERGE = ("merge", "--quiet", "--ff-only", "--no-squash", "--no-stat", "--no-autostash", "--no-overwrite-ignore")


class Landed(Value):
    """The branch was brought forward from commit ``before`` to ``after``, which is ``ref``'s; ``files`` differ, and
    ``submodules`` among them stand at another commit by now, which nobody has checked out."""

    path: str
    ref: str
    number: int
    before: str
    after: str
    files: tuple[str, ...]
    submodules: tuple[str, ...] = ()


class Unreached(Value):
    """A remote that gave nothing, why, and what helps ("" when only waiting does)."""

    remote: str
    why: str
    hint: str = ""


class Outcome(Value):
    """What came of one repository; ``stay`` is why it is not pulled, None when it is current."""

    path: str
    number: int = 0
    ref: str = ""
    stay: Stay | None = None
    unreached: tuple[Unreached, ...] = ()


class Puller:
    """One repository's pull. ``landed`` is called, in a thread, each time the branch was brought forward."""

    def __init__(self, section: GitRepository, workspace: Workspace, landed: Callable[[Landed], None]) -> None:
        self._section, self._workspace, self._landed = section, workspace, landed
        self._shown = min(section.path, os.path.relpath(section.path), key=len)
        self._repository = Repository(section.path)
        self._moving = asyncio.Lock()
        self._number, self._ref, self._git_folder, self._branch = 0, "", "", ""
        self._unreached: list[Unreached] = []
        self.asked: tuple[str, ...] = ()
        """Remotes that have not answered yet."""
        self.done = False

    async def run(self) -> Outcome:
        """Ask and bring forward. Cancelled, it ends what asks; what brings forward goes on to its end."""
        try:
            return await self._run()
        finally:
            self.done = True

    async def _run(self) -> Outcome:
        found = await asyncio.to_thread(self._told, self._begin)
        if not isinstance(found, Fetch):
            return self._outcome(found)
        self.asked = found.remotes
        async with _alone(self._git_folder, min(ALONE, self._section.timeout)), asyncio.TaskGroup() as group:
            for remote in found.remotes:
                group.create_task(self._ask(remote))
        return self._outcome(await self._settled())

    def _outcome(self, stay: Stay | None) -> Outcome:
        return Outcome(self._section.path, self._number, self._ref, stay, tuple(self._unreached))

    def _told(self, work: Callable[[], T]) -> T | Stay:
        """What git cannot do is a reason to stay."""
        try:
            return work()
        except CommandError as error:
            return Stay(f"not pulled: {scrubbed(str(error))}", f"{git_in(self._shown)} status")
        except DevctlError as error:
            return Stay(f"not pulled: {error.what}", error.hint)
        except (GitFailed, OSError) as error:
            return Stay(f"not pulled: {scrubbed(str(error))}", f"{git_in(self._shown)} status")

    def _begin(self) -> Fetch | Stay:
        if self._section.pull == "never":
            return begin(Standing(path=self._section.path), "never")
        facts = look(self._section.path)
        self._git_folder, self._branch = facts.git_folder, facts.branch
        return begin(standing(self._section, facts, self._shown))

    async def _ask(self, remote: str) -> None:
        """Fetch from one remote, and bring forward what it has."""
        words = await self._fetch(remote)
        if words and unreachable(words)[0] == "another git command is at work":
            words = await self._fetch(remote)
        self.asked = tuple(name for name in self.asked if name != remote)
        if words:
            self._unreached.append(Unreached(remote, *self._meaning(remote, words)))
            return
        if self.asked:
            await self._settled()

    def _meaning(self, remote: str, words: str) -> tuple[str, str]:
        """Why a remote gave nothing, and the way out."""
        if words.startswith(SILENT):
            return words, ""
        if words.endswith(ANOTHER):
            return words, f"{git_in(self._shown)} fetch {remote}, and compare before you take it over"
        return unreachable(words)

    async def _fetch(self, remote: str) -> str:
        """git's words when it failed, "" when it did not."""
        seconds = self._section.timeout
        try:
            heads = f"refs/heads/*:refs/remotes/{remote}/*"
            done = await self._repository.talk(*_FETCH, remote, heads, timeout=seconds)
        except CommandError as error:
            return scrubbed(str(error))
        if done is None:
            return f"{SILENT}{seconds:g} s"
        if not done.code:
            return ""
        if rewritten := REWRITTEN.findall(done.err):
            return f"{self._branch}{ANOTHER}" if self._branch in rewritten else ""
        return scrubbed(done.err or done.out or f"exit code {done.code}")

    async def _settled(self) -> Stay | None:
        async with self._moving:
            return await asyncio.to_thread(self._told, self._settle)

    def _settle(self) -> Stay | None:
        """Look anew, since the user goes on working, and bring forward when that may be; not beside a sync."""
        with locked(self._workspace):
            return self._settle_alone()

    def _settle_alone(self) -> Stay | None:
        facts = look(self._section.path)
        present = standing(self._section, facts, self._shown)
        if isinstance(again := begin(present), Stay):
            return again
        decision = self._decide(present)
        if isinstance(decision, Current):
            return None
        if isinstance(decision, Stay):
            return decision
        return self._bring_forward(facts, decision)

    def _decide(self, present: Standing) -> Pull | Stay | Current:
        refs = candidates(present)
        distances = {
            ref: Distance(*apart(self._repository, present.head, present.tracking[ref]))
            if present.tracking[ref] != present.head
            else Distance(0, 0)
            for ref in refs
        }
        contains = {ref: [other for other in refs if self._contains(present, ref, other)] for ref in refs}
        return decide(present, distances, contains)

    def _contains(self, present: Standing, ref: str, other: str) -> bool:
        ours, theirs = present.tracking[ref], present.tracking[other]
        return ours == theirs or self._repository.ask("merge-base", "--is-ancestor", theirs, ours).code == 0

    def _bring_forward(self, facts: RepositoryFacts, pull: Pull) -> Stay | None:
        incoming = self._incoming(facts.head, pull.commit)
        local = _differing(facts)
        added = [name for name, (status, _) in incoming.items() if status == "A" and name not in local]
        ignored = [name for name in added if os.path.lexists(os.path.join(self._section.path, name))]  # noqa: PTH118 - maybe no text
        if stay := obstacle(pull, incoming, local, ignored, self._shown):
            return stay
        words = self._merge(pull.commit)
        if words:
            return Stay(f"not pulled: git says: {words}", f"{git_in(self._shown)} merge --ff-only {pull.ref}")
        self._number, self._ref = self._number + pull.number, pull.ref
        path = self._section.path
        submodules = tuple(name for name, (_, is_submodule) in incoming.items() if is_submodule)
        self._landed(Landed(path, pull.ref, pull.number, facts.head, pull.commit, tuple(incoming), submodules))
        return None

    def _incoming(self, before: str, after: str) -> dict[str, tuple[str, bool]]:
        """Every path that differs between two commits: git's letter for how, and whether a submodule stands there."""
        differ = ("diff", "--raw", "--no-renames", "--no-ext-diff", "-z", before, after)
        words = decoded(self._repository.do(*differ)).split("\0")
        facts = (meta.split() for meta in words[0::2])
        return {name: (each[4], each[1] == GITLINK) for name, each in zip(words[1::2], facts, strict=False)}

    def _merge(self, commit: str) -> str:
        """git's words when it would not, "" when it did."""
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                self._repository.do(*_MERGE, commit, timeout=MERGE_TIMEOUT)
            except GitFailed as error:
                if "index.lock" not in error.words or time.monotonic() > deadline:
                    return _gist(error.words)
                time.sleep(0.05)
            else:
                return ""


def standing(section: GitRepository, facts: RepositoryFacts, shown: str) -> Standing:
    """What decides, from all that is known."""
    branch = facts.branches.get(facts.branch)
    upstream = branch.upstream.removeprefix("refs/remotes/") if branch else ""
    return Standing(
        path=shown,
        wanted=section.branch,
        problem=facts.problem,
        is_root=facts.is_root,
        head=facts.head,
        branch=facts.branch,
        operations=facts.operations,
        unmerged=facts.unmerged,
        upstream=upstream,
        remotes=tuple(facts.remotes),
        trusted=tuple(section.remotes),
        tracking=facts.tracking,
    )


def _differing(facts: RepositoryFacts) -> set[str]:
    changes = {path for change in facts.changes for path in (change.path, change.old) if path}
    return {*changes, *facts.nested, *facts.unmerged}


def _gist(words: str) -> str:
    """The first line that says something."""
    lines = [line.strip() for line in scrubbed(words).splitlines() if line.strip()]
    said = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "no")
    return said.removeprefix("fatal: ").removeprefix("error: ").rstrip(".:")


@asynccontextmanager
async def _alone(git_folder: str, patience: float) -> AsyncIterator[None]:
    """One devctl at a time asks for a repository; the next one then finds everything there. After ``patience`` seconds,
    and where no lock can be had, it goes on: git has locks of its own."""
    try:
        descriptor = os.open(Path(git_folder, "devctl.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + patience
        while not _locked(descriptor) and time.monotonic() < deadline:  # noqa: ASYNC110 - another process's lock
            await asyncio.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
