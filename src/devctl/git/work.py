"""One repository on its way through a sync: what was found, what was done on this machine, what is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from devctl.core.model import GitRepository, Manifest
from devctl.errors import DevctlError
from devctl.git import backup
from devctl.git.commit import commit, preview, settle
from devctl.git.facts import RepositoryFacts, look
from devctl.git.leaving import Leaving
from devctl.git.local import Ancestry, forward, hindrance
from devctl.git.message import written
from devctl.git.pending import Waiting
from devctl.git.planning import COMING, Commit, Forward, Known, Note, Step, plan
from devctl.git.policy import Refuse, Skip, Standing, decide, marker_line
from devctl.git.report import Decision, Refusal, Result, Synced, shown
from devctl.git.repository import GitFailed, Repository
from devctl.git.urls import scrubbed
from devctl.git.vetting import Vetted


@dataclass
class Found:
    """What a sync of one repository came to so far, but for its pushes."""

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


@dataclass(frozen=True)
class Meant:
    """How a sync is meant. ``push_only``: nothing is committed or moved here."""

    dry_run: bool = False
    push_only: bool = False
    message: str = ""
    host: str = "host"
    stamp: str = ""


class Work:
    """A repository; its phases are called in order by Sync. ``going``: nothing stands against going on."""

    def __init__(self, section: GitRepository, manifest: Manifest, meant: Meant) -> None:
        self.section, self._manifest, self._meant = section, manifest, meant
        self.repository = Repository(section.path)
        self.facts = RepositoryFacts(path=section.path)
        self.found = Found()
        self.leaving = Leaving(self.repository, section, meant.host)
        self.going = True
        self.asks = False
        self._commits = False
        self._vetted = Vetted()
        self._ancestry = Ancestry(self.repository)

    def guarded(self, phase: Callable[[], None]) -> None:
        """A phase. What goes wrong in it ends this repository's sync, and no other's."""
        try:
            phase()
        except (DevctlError, OSError) as error:
            told = error if isinstance(error, DevctlError) else DevctlError("it cannot be synced", why=str(error))
            why = scrubbed(told.details[-1] if told.details else told.why)
            self.stop(Decision.REFUSE, f"{told.what}: {why}", told.hint)

    def stop(self, decision: Decision, reason: str, hint: str = "") -> None:
        """Go no further."""
        self.found.decision, self.found.reason, self.found.hint = decision, reason, hint
        self.going = self.asks = False

    def look(self) -> None:
        """Facts, the decision, and what a commit would hold."""
        self._look()
        match decide(_standing(self.facts, self._conflict()), self.section):
            case Skip(reason=reason):
                self.stop(Decision.SKIP, reason)
            case Refuse(refusal=refusal):
                self.stop(Decision.REFUSE, str(refusal), refusal.hint)
                if not self._meant.dry_run:
                    self.back_up()
            case _ if not self._meant.push_only:
                self._preview()

    def _conflict(self) -> str:
        """The first file in conflict, with the line of its marker."""
        if not self.facts.unmerged:
            return ""
        path = self.facts.unmerged[0]
        try:
            with (self.repository.root / path).open("rb") as file:
                line = marker_line(file.read(self.section.max_file_size), b"")
        except OSError:
            line = 0
        return f"{shown(path)}:{line}" if line else shown(path)

    def _look(self) -> None:
        self.facts = self.leaving.facts = look(self.section.path)

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
        if self._meant.push_only:
            return
        saved = backup.save(self.repository, self.facts, self._meant.stamp)
        self.found.backup = saved.ref
        for path in saved.left_out:
            self._say(f"{shown(path)} is not in the backup (too large, or git cannot read it) and stays where it is")

    def set_up_remotes(self) -> None:
        """Which remotes there are; those that the manifest has a URL for are made."""
        for said in self.leaving.set_up(dry_run=self._meant.dry_run):
            self._say(said)

    def rehearse(self) -> None:
        """What would be done, as the steps say it."""
        heads = {name: each.head for name, each in self.facts.branches.items()}
        for step in self._plan(dirty=self._commits):
            if isinstance(step, Forward | Note):
                self._say(str(step))
            elif not isinstance(step, Commit):
                self.leaving.rehearse(step, heads)

    def work_locally(self) -> None:
        """Fast-forwards, the commit, promotions; then what each remote lacks is known."""
        self._look()  # the tracking refs are what was fetched now
        if not self._meant.push_only:
            for step in self._before_commit():
                self._carry_out(step)
            self._commit()
            if self._commits:
                self._look()
        for step in self._plan(dirty=False):
            self._carry_out(step)
        self.leaving.check()

    def _before_commit(self) -> tuple[Step, ...]:
        """What comes before the commit: above all, being brought forward, so that nothing diverges."""
        steps = self._plan(dirty=self._commits)
        places = [number for number, step in enumerate(steps) if isinstance(step, Commit)]
        return steps[: places[0]] if places else ()

    def look_again(self) -> None:
        """After the pushes: the tracking refs say now what is left to be pushed."""
        if not all(each.result in {Result.PUSHED, Result.UP_TO_DATE} for each in self.leaving.pushes.values()):
            self._look()

    def _plan(self, *, dirty: bool) -> tuple[Step, ...]:
        facts = self.facts
        branches = facts.branches.values()
        known = Known(
            current=facts.branch,
            branches={each.name: each.head for each in branches},
            theirs=self.leaving.theirs(facts),
            elsewhere=tuple(each.name for each in branches if each.worktree and each.name != facts.branch),
            dirty=dirty,
            host=self._meant.host,
        )
        return plan(self.section, known, self._ancestry.related, self._hindrance)

    def _hindrance(self, target: str) -> str:
        return "" if target == COMING else hindrance(self.repository, self.facts, target)

    def _carry_out(self, step: Step) -> None:
        match step:
            case Forward():
                if not self._meant.push_only:
                    self._forward(step)
            case Note():
                self._say(str(step))
            case Commit():
                return
            case _:
                self.leaving.take(step)

    def _forward(self, step: Forward) -> None:
        try:
            forward(self.repository, self.facts, step)
            self._say(str(step))
        except GitFailed as error:
            said = _first_error(error.words) or error.why
            self._say(f"{step.branch} is not brought forward to {step.source}: {said}")
        self._look()

    def _commit(self) -> None:
        """Only what was shown; and only if the repository is still one that may be committed in."""
        if not self._commits:
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
        if made.behind:
            self._say("the index is locked and behind the commit: git status looks odd until the next sync mends it")
        known = {each.where for each in self.found.refused}
        self.found.refused += tuple(each for each in made.refused if each.where not in known)

    def _mend_index(self) -> None:
        """Where a killed sync had committed and could not tell the index any more."""
        staged = {change.path for change in self.facts.changes if change.staged}
        behind = staged & set(self._vetted.paths)
        if behind and self.facts.head and not self._vetted.entries and self.section.commit != "never":
            settle(self.repository, self.facts, behind, self.facts.head)

    @property
    def message(self) -> str:
        """The commit's message."""
        return self._meant.message or written(self._vetted.entries, self._folders())

    def _folders(self) -> dict[str, str]:
        """Each service in this repository with its folder in it."""
        root = os.path.realpath(self.section.path)
        found = {}
        for name, service in self._manifest.services.items():
            folder = os.path.realpath(service.path) if service.path else ""
            if folder == root or folder.startswith(f"{root}/"):
                found[name] = os.path.relpath(folder, root)
        return found

    def waiting(self) -> list[Waiting]:
        """What remotes still lack."""
        try:
            return self.leaving.waiting() if self.going else []
        except DevctlError:  # it can be counted the next time
            return []

    def synced(self) -> Synced:
        """As it is reported."""
        found, order = self.found, list(self.section.remotes)
        pushes = sorted(self.leaving.pushes.values(), key=lambda each: order.index(each.remote))
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
            pushes=tuple(pushes),
        )


def _first_error(words: str) -> str:
    """What git said first that is an error, with the file that it names in the next line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    at = next((at for at, line in enumerate(lines) if line.startswith(("error: ", "fatal: "))), -1)
    said = " ".join(lines[at : at + 2] if at >= 0 and lines[at].endswith(":") else lines[at:][:1])
    return said.removeprefix("error: ").removeprefix("fatal: ")


def _standing(facts: RepositoryFacts, conflict: str = "") -> Standing:
    return Standing(
        problem=facts.problem,
        is_root=facts.is_root,
        branch=facts.branch,
        detached=facts.detached,
        operations=facts.operations,
        unmerged=facts.unmerged,
        conflict=conflict,
        locked=facts.locked,
    )
