"""One repository on its way through a sync: what was found, what was done, what is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from devctl.core.model import GitRepository, Manifest
from devctl.errors import DevctlError
from devctl.git import backup, network
from devctl.git.commit import commit, preview, settle
from devctl.git.facts import RepositoryFacts, look
from devctl.git.gate import Gate
from devctl.git.local import Ancestry, forward, hindrance
from devctl.git.message import written
from devctl.git.pending import Waiting
from devctl.git.planning import (
    COMING,
    Commit,
    Forward,
    Known,
    Note,
    Push,
    Rescue,
    Same,
    Step,
    listed,
    plan,
    rescue_name,
)
from devctl.git.policy import Refuse, Skip, Standing, decide
from devctl.git.report import Decision, Pushed, Refusal, Result, Synced, shown
from devctl.git.repository import GitFailed, Repository
from devctl.git.vetting import Vetted


@dataclass
class Found:
    """What a sync of one repository came to so far."""

    decision: Decision = Decision.SYNC
    reason: str = ""
    hint: str = ""
    commit: str = ""
    backup: str = ""
    refused: tuple[Refusal, ...] = ()
    steps: dict[str, None] = field(default_factory=dict)
    failure: str = ""
    failure_hint: str = ""
    output: tuple[str, ...] = ()
    pushes: dict[tuple[str, str], Pushed] = field(default_factory=dict)


class Work:
    """A repository; its phases are called in order by Sync. ``going``: nothing stands against going on."""

    def __init__(
        self, section: GitRepository, manifest: Manifest, host: str, stamp: str, message: str, *, dry_run: bool
    ) -> None:
        self.section, self._manifest, self._host, self._stamp = section, manifest, host, stamp
        self._message, self._dry_run = message, dry_run
        self.repository = Repository(section.path)
        self.facts = RepositoryFacts(path=section.path)
        self.found = Found()
        self.going = True
        self.asks = False
        self._commits = False
        self._vetted = Vetted()
        self._reached: dict[str, network.Reached] = {}
        self._spent: dict[str, float] = {}
        self.remotes: dict[str, str] = {}
        self.outgoing: dict[str, dict[str, str]] = {}
        self._rescues: dict[str, list[Rescue]] = {}
        self._ancestry = Ancestry(self.repository)
        self._gate = Gate(self.repository)

    def guarded(self, phase: Callable[[], None]) -> None:
        """A phase. What goes wrong in it ends this repository's sync, and no other's."""
        try:
            phase()
        except (DevctlError, OSError) as error:
            told = error if isinstance(error, DevctlError) else DevctlError("it cannot be synced", why=str(error))
            self.stop(Decision.REFUSE, f"{told.what}: {told.details[-1] if told.details else told.why}", told.hint)

    def stop(self, decision: Decision, reason: str, hint: str = "") -> None:
        """Go no further."""
        self.found.decision, self.found.reason, self.found.hint = decision, reason, hint
        self.going = self.asks = False

    def look(self) -> None:
        """Facts, the decision, and what a commit would hold."""
        self.facts = look(self.section.path)
        match decide(_standing(self.facts), self.section):
            case Skip(reason=reason):
                self.stop(Decision.SKIP, reason)
            case Refuse(refusal=refusal):
                self.stop(Decision.REFUSE, str(refusal), refusal.hint)
                if not self._dry_run:
                    self._save()
            case _:
                self._preview()

    def _preview(self) -> None:
        if not self.facts.changes and not self.facts.nested:
            return
        self._vetted = preview(self.repository, self.facts, self.section)
        self.found.refused = self._vetted.refused
        if self._vetted.entries and self.section.commit == "never":
            self._say(f"{len(self._vetted.entries)} changed files stay uncommitted: the manifest says commit: never")
            return
        self._commits = bool(self._vetted.entries)
        self.asks = self._commits and self.section.commit == "ask"

    def leave_uncommitted(self, why: str, hint: str) -> None:
        """Nobody allowed the commit."""
        self.asks = self._commits = False
        self.found.failure, self.found.failure_hint = why, hint

    def _say(self, text: str) -> None:
        self.found.steps[text] = None

    def back_up(self) -> None:
        """A ref that holds all that is not committed, before anything is changed."""
        self._save()

    def _save(self) -> None:
        saved = backup.save(self.repository, self.facts, self._stamp)
        self.found.backup = saved.ref
        for path in saved.left_out:
            self._say(f"{shown(path)} is too large for the backup and stays where it is")

    def set_up_remotes(self) -> None:
        """Which remotes there are; those that the manifest has a URL for are made."""
        for name, url in self.section.remotes.items():
            if name in self.facts.remotes:
                self.remotes[name] = name
            elif url and self._dry_run:
                self._say(f"set up the remote {name}: {url}")
                self.remotes[name] = url
            elif url:
                self.repository.do("remote", "add", "--", name, url)
                self._say(f"set up the remote {name}: {url}")
                self.remotes[name] = name
            else:
                hint = f"git -C {self.section.path} remote add {name} URL"
                for branch in listed(self.section, self.facts.branch):
                    self._told(name, branch, Result.UNREACHABLE, "there is no such remote", hint)

    async def reach(self, remote: str) -> None:
        """Learn what a remote has."""
        call = network.peek if self._dry_run else network.fetch
        reached = await call(self.repository, self.remotes[remote], self.section.timeout)
        self._reached[remote] = reached
        self._spent[remote] = reached.took
        if reached.detail:
            for branch in listed(self.section, self.facts.branch):
                self._told(remote, branch, Result.UNREACHABLE, reached.detail, "devctl sync, when it answers again")

    def rehearse(self) -> None:
        """What would be done, as the steps say it."""
        for step in self._plan(self.facts, dirty=self._commits):
            match step:
                case Push(remote=remote, heads=heads):
                    for branch in heads:
                        self._told(remote, branch, Result.PUSHED, "")
                case Rescue(remote=remote, branch=branch, name=name):
                    self._told(remote, branch, Result.RESCUED, name)
                case Same(remote=remote, branch=branch):
                    self._told(remote, branch, Result.UP_TO_DATE, "")
                case Commit():
                    continue
                case _:
                    self._say(str(step))
        self._rehearse_gate()

    def _rehearse_gate(self) -> None:
        for (remote, branch), pushed in list(self.found.pushes.items()):
            head = self.facts.branches.get(branch)
            if head and pushed.result in {Result.PUSHED, Result.RESCUED}:
                self._refused_at_gate(remote, branch, head.head)

    def work_locally(self) -> None:
        """Fast-forwards, the commit, promotions; then what each remote lacks is known."""
        for step in self._plan(self.facts, dirty=self._commits):
            if isinstance(step, Commit):
                break
            self._carry_out(step)
        self._commit()
        self.facts = look(self.section.path)
        for step in self._plan(self.facts, dirty=False):
            self._carry_out(step)

    def _plan(self, facts: RepositoryFacts, *, dirty: bool) -> tuple[Step, ...]:
        answered = [name for name in self.remotes if name in self._reached and not self._reached[name].detail]
        known = Known(
            current=facts.branch,
            branches={name: each.head for name, each in facts.branches.items()},
            theirs={name: self._theirs(facts, name) for name in answered},
            elsewhere=tuple(name for name, each in facts.branches.items() if each.worktree and name != facts.branch),
            dirty=dirty,
            host=self._host,
        )
        return plan(self.section, known, self._ancestry.related, lambda to: self._hindrance(facts, to))

    def _theirs(self, facts: RepositoryFacts, remote: str) -> dict[str, str]:
        heads = self._reached[remote].heads
        if heads is not None:
            return heads
        start = f"{remote}/"
        return {name.removeprefix(start): at for name, at in facts.tracking.items() if name.startswith(start)}

    def _hindrance(self, facts: RepositoryFacts, target: str) -> str:
        return "" if target == COMING else hindrance(self.repository, facts, target)

    def _carry_out(self, step: Step) -> None:
        match step:
            case Forward():
                self._forward(step)
            case Push(remote=remote, heads=heads):
                self.outgoing[remote] = dict(heads)
            case Rescue(remote=remote):
                self._rescues.setdefault(remote, []).append(step)
            case Same(remote=remote, branch=branch, behind=behind, reason=reason):
                detail = (
                    f"the remote has more; {reason}" if behind and reason else "the remote has more" if behind else ""
                )
                self._told(remote, branch, Result.UP_TO_DATE, detail)
            case Note():
                self._say(str(step))

    def _forward(self, step: Forward) -> None:
        try:
            forward(self.repository, self.facts, step)
            self._say(str(step))
        except GitFailed as error:
            last = error.words.splitlines()[-1] if error.words else error.why
            self._say(f"{step.branch} is not brought forward to {step.source}: {last}")
        self.facts = look(self.section.path)

    def _commit(self) -> None:
        """Only what was shown; and only if the repository is still one that may be committed in."""
        if not self._commits:
            if self._vetted.paths and any(change.staged for change in self.facts.changes) and self.facts.head:
                self._mend_index()
            return
        verdict = decide(_standing(self.facts), self.section)
        if isinstance(verdict, Refuse):
            self.found.failure, self.found.failure_hint = str(verdict.refusal), verdict.refusal.hint
            return
        try:
            made = commit(self.repository, self.facts, self.section, list(self._vetted.paths), self.message)
        except DevctlError as error:
            self.found.failure, self.found.output = f"{error.what}: {error.why}", error.details
            return
        self.found.commit, self.found.failure, self.found.failure_hint = made.commit, made.failure, made.hint
        self.found.output = made.output
        known = {each.where for each in self.found.refused}
        self.found.refused += tuple(each for each in made.refused if each.where not in known)

    def _mend_index(self) -> None:
        if not self._vetted.entries and self.section.commit != "never":
            settle(self.repository, self.facts, self._vetted.paths, self.facts.head)

    @property
    def message(self) -> str:
        """The commit's message."""
        return self._message or written(self._vetted.entries, self._folders())

    def _folders(self) -> dict[str, str]:
        """Each service in this repository with its folder in it."""
        root = os.path.realpath(self.section.path)
        found = {}
        for name, service in self._manifest.services.items():
            folder = os.path.realpath(service.path) if service.path else ""
            if folder == root or folder.startswith(f"{root}/"):
                found[name] = os.path.relpath(folder, root)
        return found

    def check_what_leaves(self) -> None:
        """The gate: what holds a secret goes to no remote, not even as a rescue."""
        for remote, heads in self.outgoing.items():
            for branch, head in list(heads.items()):
                if self._refused_at_gate(remote, branch, head):
                    del heads[branch]
        for remote, steps in self._rescues.items():
            self._rescues[remote] = [
                step for step in steps if not step.commit or not self._refused_at_gate(remote, step.branch, step.commit)
            ]
        self.outgoing = {remote: heads for remote, heads in self.outgoing.items() if heads}

    def _refused_at_gate(self, remote: str, branch: str, head: str) -> bool:
        theirs = self._theirs(self.facts, remote)
        refusal = self._gate.refusal(head, theirs.values())
        if refusal:
            self._told(remote, branch, Result.REJECTED, f"not pushed: {refusal}", refusal.hint)
        return refusal is not None

    async def push(self, remote: str) -> None:
        """All branches that are ahead, together."""
        heads = self.outgoing[remote]
        counts = {branch: self._ahead(remote, branch, head) for branch, head in heads.items()}
        outcome = await network.push(self.repository, remote, heads, self._left(remote))
        self._spent[remote] += outcome.took
        for branch, head in heads.items():
            if not outcome.detail:
                self._told(remote, branch, Result.PUSHED, counts[branch])
            elif not outcome.reached:
                self._told(remote, branch, Result.UNREACHABLE, outcome.detail, "devctl sync, when it answers again")
            else:
                why = outcome.branches.get(branch) or f"all or none: {outcome.detail}"
                self._told(remote, branch, Result.REJECTED, why)
                self._rescue_too(remote, branch, head)

    def _ahead(self, remote: str, branch: str, head: str) -> str:
        theirs = self._theirs(self.facts, remote).get(branch)
        if not theirs:
            return "new there"
        number = self.repository.line("rev-list", "--count", f"{theirs}..{head}")
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
            before = self.found.pushes.get((remote, step.branch))
            why = before.detail if before else f"{step.branch} and {remote}'s have both moved on"
            outcome = network.Outcome(remote)
            if step.commit:
                outcome = await network.push(self.repository, remote, {step.name: step.commit}, self._left(remote))
                self._spent[remote] += outcome.took
            if outcome.detail:
                result = Result.REJECTED if outcome.reached else Result.UNREACHABLE
                self._told(
                    remote, step.branch, result, f"{why}; as {step.name}: {outcome.detail}", self._merge(remote, step)
                )
            else:
                self._told(
                    remote, step.branch, Result.RESCUED, f"safe as {step.name}: {why}", self._merge(remote, step)
                )

    def _merge(self, remote: str, step: Rescue) -> str:
        switch = "" if step.branch == self.facts.branch else f"git -C {self.section.path} switch {step.branch} && "
        return f"{switch}git -C {self.section.path} merge {remote}/{step.branch}, then devctl sync"

    def _left(self, remote: str) -> float:
        return max(1.0, self.section.timeout - self._spent.get(remote, 0.0))

    def _told(self, remote: str, branch: str, result: Result, detail: str, hint: str = "") -> None:
        self.found.pushes[remote, branch] = Pushed(remote, branch, result, detail, hint)

    def waiting(self) -> list[Waiting]:
        """What each remote still lacks."""
        if not self.going:
            return []
        left: dict[str, list[Pushed]] = {}
        for each in self.found.pushes.values():
            if each.result not in {Result.PUSHED, Result.UP_TO_DATE}:
                left.setdefault(each.remote, []).append(each)
        found = []
        for remote, pushes in left.items():
            branches = tuple(each.branch for each in pushes if each.branch in self.facts.branches)
            commits = self._lacking(remote, branches)
            if commits:
                found.append(Waiting(self.section.path, remote, branches, commits, pushes[0].detail))
        return found

    def _lacking(self, remote: str, branches: tuple[str, ...]) -> int:
        heads = [self.facts.branches[name].head for name in branches]
        if not heads:
            return 0
        start = f"{remote}/"
        known = [
            f"^{at}" for name, at in self.facts.tracking.items() if name.startswith(start) and "/rescue/" not in name
        ]
        given = "".join(f"{line}\n" for line in (*heads, *known)).encode()
        return int(self.repository.do("rev-list", "--count", "--stdin", given=given))

    def synced(self) -> Synced:
        """As it is reported."""
        found = self.found
        files = tuple(each.path for each in self._vetted.entries) if self._commits else ()
        return Synced(
            path=self.section.path,
            decision=found.decision,
            reason=found.reason,
            hint=found.hint,
            commit=found.commit,
            backup=found.backup,
            files=files,
            message=self.message if files else "",
            branch=self.facts.branch,
            refused=found.refused,
            steps=tuple(found.steps),
            failure=found.failure,
            failure_hint=found.failure_hint,
            output=found.output,
            pushes=tuple(found.pushes.values()),
        )


def _standing(facts: RepositoryFacts) -> Standing:
    return Standing(
        problem=facts.problem,
        is_root=facts.is_root,
        branch=facts.branch,
        detached=facts.detached,
        operations=facts.operations,
        unmerged=facts.unmerged,
        locked=facts.locked,
    )
