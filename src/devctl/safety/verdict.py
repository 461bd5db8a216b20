"""What the checks before a deployment come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Level(StrEnum):
    """Whether a failure stops the deployment or is only shown."""

    REQUIRED = "required"
    WARNING = "warning"


class Result(StrEnum):
    """How a check ended. ``skip``: it could not be carried out."""

    PASS = "pass"  # noqa: S105 - no password but a word of the contract
    FAIL = "fail"
    SKIP = "skip"


class Outcome(NamedTuple):
    """How a check ended, what was seen, and the way out."""

    result: Result
    evidence: str
    hint: str = ""


def passed(evidence: str) -> Outcome:
    """It is as it should be."""
    return Outcome(Result.PASS, evidence)


def failed(evidence: str, hint: str) -> Outcome:
    """It isn't."""
    return Outcome(Result.FAIL, evidence, hint)


def skipped(evidence: str, hint: str = "") -> Outcome:
    """It could not be looked at; ``evidence`` says why."""
    return Outcome(Result.SKIP, evidence, hint)


class Check(msgspec.Struct, frozen=True):
    """One check: ``evidence`` is what was seen, ``hint`` the way out. Neither ever holds a secret's value."""

    name: str
    level: Level
    result: Result
    evidence: str
    hint: str = ""

    @property
    def blocks(self) -> bool:
        """A required check blocks unless it passed: one that could not be carried out has shown nothing."""
        return self.level is Level.REQUIRED and self.result is not Result.PASS

    @property
    def service(self) -> str:
        """The service in ``cc-pap-api/schema``, "" for a check of the whole workspace."""
        family, _, rest = self.name.partition("/")
        return family if rest else ""


def may_deploy(checks: Iterable[Check]) -> bool:
    """Whether nothing blocks. Where no required check was made nothing was shown, so the answer is no."""
    found = list(checks)
    return any(each.level is Level.REQUIRED for each in found) and not any(each.blocks for each in found)


def verdict(checks: Iterable[Check]) -> str:
    """``pass`` or ``fail``."""
    return "pass" if may_deploy(checks) else "fail"


def meant(name: str, wanted: Iterable[str]) -> bool:
    """Whether ``--only`` means this check: by its whole name, its service or family, or what stands behind that."""
    family, _, rest = name.partition("/")
    return any(word in {name, family, rest, rest.rpartition("/")[2]} - {""} for word in wanted)
