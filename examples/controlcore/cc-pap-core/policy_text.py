"""A policy as one line of text: `allow GET,HEAD /reports* with key`."""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE = re.compile(
    r"^(?P<effect>allow|deny)\s+(?P<methods>\*|[A-Z]+(?:,[A-Z]+)*)\s+(?P<path>/\S*)(?P<key>\s+with key)?$"
)


@dataclass(frozen=True)
class Rule:
    """What one line says."""

    effect: str
    methods: tuple[str, ...]
    path: str
    needs_key: bool = False

    def __str__(self) -> str:
        return f"{self.effect} {','.join(self.methods)} {self.path}{' with key' if self.needs_key else ''}"


def parse(line: str) -> Rule:
    """The rule a line holds; ValueError says what a line should look like."""
    found = LINE.match(line.strip())
    if found is None:
        raise ValueError(f"not a policy: {line!r}; expected 'allow|deny METHODS /path [with key]'")
    return Rule(found["effect"], tuple(found["methods"].split(",")), found["path"], bool(found["key"]))
