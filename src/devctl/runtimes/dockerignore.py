"""Which files of a build context reach the builder: .dockerignore as BuildKit reads it. Pure.

The SDK's own matcher forgets that what lies below an excluded folder is excluded too as soon as a ``!`` line follows;
this one carries the parents' matches down, as moby's patternmatcher does (github.com/moby/patternmatcher).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

Matches = tuple[bool, ...]
"""Which patterns a folder, or one above it, matched. () for the context itself."""


@dataclass(frozen=True)
class Pattern:
    """One line. ``literal`` is the part of the path before the first wildcard; ``keeps`` is set for a ``!`` line."""

    expression: re.Pattern[str]
    literal: str
    keeps: bool


class Ignore:
    """The patterns of a .dockerignore file, in order: the last that matches a path, or a folder above it, wins."""

    def __init__(self, text: str) -> None:
        self.patterns = tuple(_patterns(text.removeprefix("\ufeff").splitlines()))

    def look(self, path: str, above: Matches = ()) -> tuple[bool, Matches]:
        """(excluded, matches for what lies below) of a path relative to the context; ``above``: its folder's."""
        excluded, matches = False, []
        for index, pattern in enumerate(self.patterns):
            match = bool(above and above[index]) or pattern.expression.match(path) is not None
            matches.append(match)
            if match:
                excluded = not pattern.keeps
        return excluded, tuple(matches)

    def keeps_below(self, folder: str) -> bool:
        """Whether a ``!`` line may keep something below an excluded folder, so that it must be looked into."""
        return any(pattern.keeps and _touches(pattern.literal, folder) for pattern in self.patterns)


def _touches(literal: str, folder: str) -> bool:
    inside = folder + "/"
    return inside.startswith(literal) or literal.startswith(inside) or literal == folder


def _patterns(lines: Iterable[str]) -> Iterable[Pattern]:
    for line in lines:
        text = "" if line.startswith("#") else line.strip()
        keeps = text.startswith("!")
        if text := text.removeprefix("!").strip():
            cleaned = posixpath.normpath(text).lstrip("/")
            if cleaned and cleaned != ".":
                yield Pattern(re.compile(_translate(cleaned), re.DOTALL), re.split(r"[*?\[\\]", cleaned)[0], keeps)


def _translate(pattern: str) -> str:
    """A regular expression for a whole path: ``*`` and ``?`` stay within a name, ``**`` crosses folders."""
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 3 if pattern.startswith("**/", at) else 2
            out += ".*" if at >= len(pattern) else "(.*/)?"
            continue
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            out += re.escape(pattern[at])
        elif char == "[" and (end := pattern.find("]", at + 2)) > 0:
            out += pattern[at : end + 1].replace("\\", "\\\\") if end else ""
            at = end
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char)
        at += 1
    return out + r"\Z"
