"""What a sync decided and did: values for the screen, for ``--json`` and for the file of what is still to be pushed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from devctl.core.model import Value
from devctl.git.mirrored import Outcome, names
from devctl.git.mirrored import Result as Conclusion


class Decision(StrEnum):
    """What was decided of a repository (the words of ``sync --json``)."""

    SYNC = "sync"
    SKIP = "skip"
    REFUSE = "refuse"


class Result(StrEnum):
    """What became of a branch at a remote (the words of ``sync --json``)."""

    PUSHED = "pushed"
    UP_TO_DATE = "up-to-date"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    RESCUED = "rescued"


class Refusal(Value):
    """Something that is not done: ``where`` is ``file:line``, a file or a folder; ``hint`` the way out."""

    reason: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.where}: {self.reason}" if self.where else self.reason


class Pushed(Value):
    """A branch at a remote. ``hint`` is the next command to type, "" when there is nothing to do."""

    remote: str
    branch: str
    result: Result
    detail: str = ""
    hint: str = ""


class Synced(Value):
    """One repository. ``files`` are those committed (with ``--dry-run``: that would be); ``refused`` what was left out;
    ``steps`` says in words what was done besides; ``failure`` is what kept the commit from being made."""

    path: str
    decision: Decision
    reason: str = ""
    hint: str = ""
    commit: str = ""
    backup: str = ""
    files: tuple[str, ...] = ()
    message: str = ""
    branch: str = ""
    refused: tuple[Refusal, ...] = ()
    steps: tuple[str, ...] = ()
    failure: str = ""
    failure_hint: str = ""
    output: tuple[str, ...] = ()
    pushes: tuple[Pushed, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing was refused and nothing failed."""
        fine = all(each.result in {Result.PUSHED, Result.UP_TO_DATE} for each in self.pushes)
        return self.decision is not Decision.REFUSE and fine and not self.refused and not self.failure


class Report(Value):
    """A whole sync."""

    repositories: tuple[Synced, ...] = ()
    mirrors: tuple[Outcome, ...] = ()
    dry_run: bool = False

    @property
    def good(self) -> bool:
        """Whether everything is in sync."""
        return all(each.good for each in self.repositories) and all(
            each.result is not Conclusion.CONFLICT for each in self.mirrors
        )


def record(report: Report) -> dict[str, Any]:
    """The object ``sync --json`` prints."""
    return {
        "repositories": [_repository(each) for each in report.repositories],
        "mirrors": [_mirror(each) for each in report.mirrors],
    }


def _mirror(outcome: Outcome) -> dict[str, Any]:
    source, target = names(outcome.mirror)
    return {
        "from": shown(source),
        "to": shown(target),
        "result": outcome.result.value,
        "reason": shown(outcome.reason),
        "files": [shown(each.path) for each in outcome.files],
        "conflicts": [shown(each.path) for each in outcome.files if each.change == "conflict"],
    }


def _repository(synced: Synced) -> dict[str, Any]:
    reasons = [synced.reason, synced.failure, *(f"not committed: {each}" for each in synced.refused)]
    return {
        "path": shown(synced.path),
        "decision": synced.decision.value,
        "reason": shown("; ".join(each for each in reasons if each)),
        "commit": synced.commit or None,
        "backup": synced.backup or None,
        "pushes": [
            {
                "remote": each.remote,
                "branch": shown(each.branch),
                "result": each.result.value,
                "detail": shown("; ".join(part for part in (each.detail, each.hint) if part)),
            }
            for each in synced.pushes
        ],
    }


def shown(name: str) -> str:
    """A file name as it can be printed: bytes that are no text as ``\\xff``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
