"""The patterns of services.yaml: ``*`` and ``?`` stay within a name, ``**`` stands for any depth. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Globs:
    """Patterns relative to one folder. A folder that matches takes in everything below it; hidden names are names."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._expressions = tuple(re.compile(_translated(pattern), re.DOTALL) for pattern in patterns)

    def names(self, path: str) -> bool:
        """Whether a pattern matches this very path."""
        return any(expression.fullmatch(path) for expression in self._expressions)

    def take_in(self, path: str) -> bool:
        """Whether a pattern matches the path or a folder above it."""
        return self.names(path) or any(self.names(path[:at]) for at, char in enumerate(path) if char == "/")


def _translated(pattern: str) -> str:
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    found = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            found += ".+" if last else "(?:[^/]+/)*"
        else:
            found += _name(part) + ("" if last else "/")
    return found


def _name(part: str) -> str:
    """One name of a pattern; ``[abc]`` and ``[!abc]`` as in the shell."""
    found, at = "", 0
    while at < len(part):
        char = part[at]
        end = part.find("]", at + 2) if char == "[" else -1
        if end > 0:
            inside = part[at + 1 : end].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
            found += f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
            at = end
        else:
            found += {"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char)
        at += 1
    return found
