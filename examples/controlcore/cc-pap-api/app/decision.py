"""May this request pass? A pure function over the policies, in their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .models import Policy


@dataclass(frozen=True)
class Decision:
    """The answer, the policy that gave it, and a sentence a person understands."""

    allow: bool
    policy: str | None
    reason: str


def decide(policies: Iterable[Policy], method: str, path: str, known: bool) -> Decision:
    """The first enabled policy that speaks of this method and path decides; where none does, the answer is no."""
    for policy in policies:
        methods = {word.strip().upper() for word in policy.methods.split(",")}
        if not policy.enabled or not ({"*", method.upper()} & methods) or not fnmatchcase(path, policy.path):
            continue
        if policy.effect == "deny":
            return Decision(False, policy.name, f"'{policy.name}' denies {method} {path}")
        if policy.needs_key and not known:
            return Decision(False, policy.name, f"'{policy.name}' wants a valid API key")
        return Decision(True, policy.name, f"'{policy.name}' allows {method} {path}")
    return Decision(False, None, f"no policy speaks of {method} {path}")
