"""The half of a repository's sync that has to do with remotes: reaching them, the last look, pushing, rescuing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from devctl.core.model import GitRepository
from devctl.git import network
from devctl.git.facts import RepositoryFacts
from devctl.git.gate import Gate
from devctl.git.pending import Waiting
from devctl.git.planning import Push, Rescue, Same, listed, rescue_name
from devctl.git.report import Pushed, Result
from devctl.git.repository import Repository
from devctl.git.urls import public

AGAIN = "devctl sync, when it answers again"


class Leaving:
    """The remotes of one repository. ``names`` maps each that can be asked to what git is given for it."""

    def __init__(self, repository: Repository, section: GitRepository, host: str) -> None:
        self._repository, self._section, self._host = repository, section, host
        self._gate = Gate(repository)
        self.facts = RepositoryFacts(path=section.path)
        self.names: dict[str, str] = {}
        self.pushes: dict[tuple[str, str], Pushed] = {}
        self.outgoing: dict[str, dict[str, str]] = {}
        self._rescues: dict[str, list[Rescue]] = {}
        self._reached: dict[str, network.Reached] = {}
        self._spent: dict[str, float] = {}
        self._beside: dict[str, list[tuple[str, ...] | None]] = {}

    def set_up(self, *, dry_run: bool) -> list[str]:
        """Make the remotes that the manifest has a URL for; what was done, in words. Raises GitFailed."""
        said = []
        for name, url in self._section.remotes.items():
            if name in self.facts.remotes:
                self.names[name] = name
            elif url:
                if not dry_run:
                    self._repository.do("remote", "add", "--", name, url)
                self.names[name] = url if dry_run else name
                said.append(f"set up the remote {name}: {public(url)}")
            else:
                hint = f"git -C {self._section.path} remote add {name} URL"
                self._all_told(name, Result.UNREACHABLE, "there is no such remote", hint)
        return said

    async def reach(self, remote: str, *, dry_run: bool) -> None:
        """Learn what a remote has."""
        call = network.peek if dry_run else network.fetch
        reached = await call(self._repository, self.names[remote], self._section.timeout)
        self._reached[remote], self._spent[remote] = reached, reached.took
        if reached.detail:
            self._all_told(remote, Result.UNREACHABLE, reached.detail, AGAIN)

    def theirs(self, facts: RepositoryFacts) -> dict[str, dict[str, str]]:
        """Each remote that answered with its branches."""
        return {name: self._heads(facts, name) for name, each in self._reached.items() if not each.detail}

    def _heads(self, facts: RepositoryFacts, remote: str) -> dict[str, str]:
        reached = self._reached.get(remote)
        if reached and reached.heads is not None:
            return reached.heads
        start = f"{remote}/"
        known = {name.removeprefix(start): at for name, at in facts.tracking.items() if name.startswith(start)}
        there = reached.names if reached and not reached.detail else tuple(known)
        return {name: at for name, at in known.items() if name in there}

    def take(self, step: Push | Rescue | Same) -> None:
        """A step of the plan that is carried out once all is settled on this machine."""
        match step:
            case Push(remote=remote, heads=heads):
                self.outgoing[remote] = dict(heads)
            case Rescue(remote=remote):
                self._rescues.setdefault(remote, []).append(step)
            case Same(remote=remote, branch=branch, behind=behind, reason=reason):
                more = f"the remote has more; {reason}" if reason else "the remote has more"
                self.told(remote, branch, Result.UP_TO_DATE, more if behind else "")

    def rehearse(self, step: Push | Rescue | Same, heads: Mapping[str, str]) -> None:
        """What would become of it. ``heads`` are the branches as they are now: they are looked at, too."""
        self.take(step)
        if isinstance(step, Push):
            for branch in step.heads:
                self.told(step.remote, branch, Result.PUSHED, self._would_take(step.remote, branch, heads))
        elif isinstance(step, Rescue):
            self.told(step.remote, step.branch, Result.RESCUED, step.name)
        for branch in step.heads if isinstance(step, Push) else [step.branch]:
            if branch in heads and not isinstance(step, Same):
                self._stopped(step.remote, branch, heads[branch])

    def _would_take(self, remote: str, branch: str, heads: Mapping[str, str]) -> str:
        """The commits that are there already; the one to come is told of by itself."""
        from devctl.git.history import subjects

        theirs = self._heads(self.facts, remote).get(branch, "")
        return subjects(self._repository.root, heads[branch], theirs) if branch in heads else ""

    def check(self) -> None:
        """The gate: what holds a secret goes to no remote, not even as a rescue. Raises GitFailed, CommandError."""
        for remote, heads in list(self.outgoing.items()):
            kept = {branch: head for branch, head in heads.items() if not self._stopped(remote, branch, head)}
            self.outgoing[remote] = kept
        for remote, steps in list(self._rescues.items()):
            kept_steps = [
                each for each in steps if not each.commit or not self._stopped(remote, each.branch, each.commit)
            ]
            self._rescues[remote] = kept_steps
        self.outgoing = {remote: heads for remote, heads in self.outgoing.items() if heads}

    def _stopped(self, remote: str, branch: str, head: str) -> bool:
        looks = (self._gate.refusal(head, known) for known in self._there(remote))
        refusal = next((each for each in looks if each), None)
        if refusal:
            self.told(remote, branch, Result.REJECTED, str(refusal), refusal.hint)
        return refusal is not None

    def _there(self, remote: str) -> list[tuple[str, ...]]:
        """The commits that are known to be where a push to this remote goes, for each address it goes to."""
        if remote not in self._beside:
            self._beside[remote] = self._asked_beside(remote)
        known = tuple(self._heads(self.facts, remote).values())
        return [known if each is None else each for each in self._beside[remote]]

    def _asked_beside(self, remote: str) -> list[tuple[str, ...] | None]:
        """What each address of pushes (``pushurl``) has that is here too; None for the address that fetches go to."""
        asked = self._repository.line("remote", "get-url", remote)
        urls = self._repository.line("remote", "get-url", "--push", "--all", remote).splitlines()
        return [None if url == asked else self._heads_at(remote, url) for url in urls or [asked]]

    def _heads_at(self, remote: str, url: str) -> tuple[str, ...]:
        reached = asyncio.run(network.ask(self._repository, url, self._left(remote)))
        self._spent[remote] += reached.took
        given = "".join(f"{each}\n" for each in (reached.heads or {}).values()).encode()
        found = self._repository.do("cat-file", "--batch-check=%(objecttype) %(objectname)", given=given).decode()
        return tuple(line.removeprefix("commit ") for line in found.splitlines() if line.startswith("commit "))

    async def push(self, remote: str) -> None:
        """All branches that are ahead, together."""
        heads = self.outgoing[remote]
        new = {branch: self._news(remote, branch, head) for branch, head in heads.items()}
        outcome = await network.push(self._repository, remote, heads, self._left(remote))
        self._spent[remote] += outcome.took
        for branch, head in heads.items():
            if not outcome.detail:
                self.told(remote, branch, Result.PUSHED, new[branch])
            elif not outcome.reached:
                self.told(remote, branch, Result.UNREACHABLE, outcome.detail, AGAIN)
            else:
                why = outcome.branches.get(branch) or outcome.detail
                other = outcome.branches and branch not in outcome.branches
                self.told(remote, branch, Result.REJECTED, f"all or none, and {outcome.detail}" if other else why)
                if outcome.branches:
                    self._rescue_too(remote, branch, head)

    def _news(self, remote: str, branch: str, head: str) -> str:
        theirs = self._heads(self.facts, remote).get(branch)
        if not theirs:
            return "new there"
        number = self._repository.line("rev-list", "--count", f"{theirs}..{head}")
        return f"{number} commit{'' if number == '1' else 's'}"

    def _rescue_too(self, remote: str, branch: str, head: str) -> None:
        """What a remote refused is safe beside; one copy of a commit is enough."""
        steps = self._rescues.setdefault(remote, [])
        if all(step.commit != head for step in steps):
            steps.append(Rescue(remote, branch, rescue_name(self._host, branch), head))

    def to_rescue(self) -> list[str]:
        """The remotes that get rescue branches."""
        return [remote for remote, steps in self._rescues.items() if steps]

    async def rescue(self, remote: str) -> None:
        """Work that could not go to its branch goes beside it."""
        for step in self._rescues[remote]:
            before = self.pushes.get((remote, step.branch))
            why = before.detail if before else f"{step.branch} here and {remote}'s have both moved on"
            outcome = network.Outcome(remote)
            if step.commit:
                outcome = await network.push(self._repository, remote, {step.name: step.commit}, self._left(remote))
                self._spent[remote] += outcome.took
            hint = self._way_out(remote, step, refused=before is not None)
            if not outcome.detail:
                self.told(remote, step.branch, Result.RESCUED, f"safe as {step.name}: {why}", hint)
            else:
                result = Result.REJECTED if outcome.reached else Result.UNREACHABLE
                self.told(remote, step.branch, result, f"{why}; nor as {step.name}: {outcome.detail}", hint)

    def _way_out(self, remote: str, step: Rescue, *, refused: bool) -> str:
        if refused:
            return f"git -C {self._section.path} push {remote} {step.branch}, once {remote} takes it"
        switch = "" if step.branch == self.facts.branch else f"git -C {self._section.path} switch {step.branch} && "
        return f"{switch}git -C {self._section.path} merge {remote}/{step.branch}, then devctl sync"

    def _left(self, remote: str) -> float:
        return max(1.0, self._section.timeout - self._spent.get(remote, 0.0))

    def _all_told(self, remote: str, result: Result, detail: str, hint: str) -> None:
        for branch in listed(self._section, self.facts.branch):
            if branch in self.facts.branches:
                self.told(remote, branch, result, detail, hint)

    def told(self, remote: str, branch: str, result: Result, detail: str, hint: str = "") -> None:
        """What became of a branch at a remote."""
        self.pushes[remote, branch] = Pushed(remote, branch, result, detail, hint)

    def waiting(self) -> list[Waiting]:
        """What each remote still lacks. Raises GitFailed, CommandError."""
        left: dict[str, list[Pushed]] = {}
        for each in self.pushes.values():
            if each.result not in {Result.PUSHED, Result.UP_TO_DATE}:
                left.setdefault(each.remote, []).append(each)
        found = []
        for remote, pushes in left.items():
            branches = tuple(each.branch for each in pushes if each.branch in self.facts.branches)
            commits = self._lacking(remote, branches)
            if commits:
                found.append(Waiting(self._section.path, remote, branches, commits, pushes[0].detail))
        return found

    def _lacking(self, remote: str, branches: tuple[str, ...]) -> int:
        heads = [self.facts.branches[name].head for name in branches]
        if not heads:
            return 0
        theirs = self._heads(self.facts, remote)
        known = [f"^{at}" for name, at in theirs.items() if not name.startswith("rescue/")]
        given = "".join(f"{line}\n" for line in (*heads, *known)).encode()
        return int(self._repository.do("rev-list", "--count", "--stdin", given=given))
