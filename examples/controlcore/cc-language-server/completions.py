"""What an editor may offer next while somebody types a policy (see cc-pap-core)."""

from __future__ import annotations

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "*"]


def complete(typed: str) -> list[str]:
    """The words that may follow, given the line up to the cursor."""
    words = typed.split(" ")
    offers = [["allow", "deny"], METHODS, ["/"], ["with"], ["key"]]
    if len(words) > len(offers):
        return []
    return [word for word in offers[len(words) - 1] if word.startswith(words[-1]) and word != words[-1]]
