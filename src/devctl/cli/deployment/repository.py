"""The checks of what is in git: committed, on the right branch, pushed, and changed together with what it is tied
to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from devctl.cli.deployment.case import Case, Task
from devctl.core.model import GitRepository
from devctl.errors import DevctlError, Exit
from devctl.git.facts import RepositoryFacts, look
from devctl.git.repository import Repository
from devctl.safety.release import Head, Tie, clean, pushed, relations, right_branch
from devctl.safety.verdict import Level, Outcome, skipped


class Checkout:
    """A repository of the workspace, looked at once."""

    def __init__(self, said: GitRepository, root: Path) -> None:
        self.said, self.root = said, root
        self.git = Repository(root)
        self._facts: RepositoryFacts | None = None

    def facts(self) -> RepositoryFacts:
        """What is so in it. Raises DevctlError when git can't read it."""
        if self._facts is None:
            found = look(self.root)
            if found.problem:
                raise DevctlError("git can't read it", str(self.root), found.problem, code=Exit.PRECONDITION)
            self._facts = found
        return self._facts


def checkouts(case: Case) -> list[Checkout]:
    """The manifest's repositories, or else the one that the manifest is in. One inside another folder's counts as
    that."""
    found: dict[Path, Checkout] = {}
    for said in case.manifest.git or (GitRepository(path=case.manifest.root),):
        path = Path(os.path.realpath(said.path))
        root = next((each for each in (path, *path.parents) if (each / ".git").exists()), None)
        if root is not None:
            found.setdefault(root, Checkout(said, root))
    return list(found.values())


def tasks(case: Case) -> Iterator[Task]:
    """The checks of every repository. In CI the commit has just been fetched, so that it is pushed is only a
    warning."""
    found = checkouts(case)
    fetched = Level.WARNING if in_actions() else Level.REQUIRED
    for each in found:
        family = "git" if len(found) == 1 else f"git/{os.path.relpath(each.root, case.root)}"
        yield from _of(case, each, family, fetched)
    if found and case.manifest.relations:
        yield Task("relations", Level.WARNING, lambda: _relations(case, found))


def _of(case: Case, checkout: Checkout, family: str, fetched: Level) -> Iterator[Task]:
    yield Task(f"{family}/clean", Level.REQUIRED, lambda: _clean(checkout))
    yield Task(f"{family}/branch", Level.REQUIRED, lambda: right_branch(head_of(checkout), case.strict))
    yield Task(f"{family}/pushed", fetched, lambda: _pushed(checkout))


def in_actions() -> bool:
    """Whether this is a run of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def _clean(checkout: Checkout) -> Outcome:
    facts = checkout.facts()
    return clean([each.path for each in facts.changes], facts.operations, facts.unmerged)


def head_of(checkout: Checkout) -> Head:
    """Where the repository stands. Raises DevctlError."""
    facts, said = checkout.facts(), checkout.said
    base = os.environ.get("GITHUB_BASE_REF", "") if in_actions() else ""
    release = {name: _commit_of(facts, name) for name in said.promote}
    return Head(facts.head, facts.branch, release, said.branch, base)


def _commit_of(facts: RepositoryFacts, branch: str) -> str:
    if branch in facts.branches:
        return facts.branches[branch].head
    return next((facts.tracking[each] for each in facts.tracking if each.partition("/")[2] == branch), "")


def _pushed(checkout: Checkout) -> Outcome:
    import asyncio

    facts = checkout.facts()
    if not facts.head:
        return skipped("there is no commit yet", "git commit")
    return pushed(facts.branch, asyncio.run(_answers(checkout, facts)))


async def _answers(checkout: Checkout, facts: RepositoryFacts) -> Mapping[str, str]:
    """What every remote says of this commit, all asked at once."""
    import asyncio

    named = {} if in_actions() else checkout.said.remotes
    places = {name: name if name in facts.remotes else url for name, url in (named or facts.remotes).items()}
    answers = await asyncio.gather(*(_answer(checkout, facts, place) for place in places.values()))
    return dict(zip(places, answers, strict=True))


async def _answer(checkout: Checkout, facts: RepositoryFacts, place: str) -> str:
    if not place:
        return "it is not set up here"
    pattern = [f"refs/heads/{facts.branch}"] if facts.branch else []
    done = await checkout.git.talk("ls-remote", "--quiet", "--", place, *pattern, timeout=checkout.said.timeout)
    if done is None:
        return f"no answer in {checkout.said.timeout:g} s"
    if done.code:
        return "unreachable, or it wants credentials"
    commits = [line.split("\t")[0] for line in done.out.splitlines() if "\t" in line]
    if facts.head in commits:
        return "has"
    if not commits or not facts.branch:
        return "none"
    contained = checkout.git.ask("merge-base", "--is-ancestor", facts.head, commits[0]).code
    if contained == 0:
        return "has"
    return "behind" if contained == 1 else f"it has {commits[0][:12]}, which is not here: git fetch"


def _relations(case: Case, found: list[Checkout]) -> Outcome:
    changed: set[str] = set()
    since = []
    for checkout in found:
        base, name = base_of(checkout)
        if base:
            since.append(name)
            changed |= _changed(case, checkout, base)
    if not since:
        return skipped("there is nothing to compare with yet: no release branch, no tag, no earlier commit")
    ties = [Tie(each.source, each.target, each.both) for each in case.manifest.relations]
    return relations(changed, ties, ", ".join(dict.fromkeys(since)))


def base_of(checkout: Checkout) -> tuple[str, str]:
    """(commit, its name) that the present one is compared with: where a release branch parted from it; on one, the last
    tag or else the commit before. "" when there is none. Raises DevctlError."""
    head, git = head_of(checkout), checkout.git
    names = [head.base] if head.base else [name for name in head.release if name != head.branch]
    for name in names:
        for ref in (f"refs/heads/{name}", f"refs/remotes/origin/{name}"):
            parted = git.line("merge-base", "HEAD", ref)
            if parted and parted != head.commit:
                return parted, name
    if tag := git.line("describe", "--tags", "--abbrev=0", "HEAD^"):
        return git.line("rev-parse", f"{tag}^{{commit}}"), tag
    before = git.line("rev-parse", "--verify", "--quiet", "HEAD^")
    return before, "the commit before" if before else ""


def _changed(case: Case, checkout: Checkout, base: str) -> set[str]:
    """The services and libraries in whose folder something changed, committed or not."""
    out = checkout.git.do("diff", "--name-only", "--no-renames", "-z", base)
    files = [each for each in os.fsdecode(out).split("\0") if each]
    files += [each.path for each in checkout.facts().changes if each.untracked]
    found = set()
    for service in case.manifest.services.values():
        folder = Path(os.path.realpath(service.path)) if service.path else None
        if folder is not None and folder != checkout.root and folder.is_relative_to(checkout.root):
            inside = folder.relative_to(checkout.root).as_posix()
            if any(each.startswith(f"{inside}/") for each in files):
                found.add(service.name)
    return found
