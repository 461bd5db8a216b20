"""What was last carried over: ``.devctl-mirror`` in the target, to be committed with it. A clone or another branch then
brings the record that belongs to its files.

A line a path and state, sorted, so that git merges it like any text; of a merge left in conflict the lines of both
sides count, since both were carried over once. What can't be read proves nothing, and what isn't proven is left alone.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote_from_bytes, unquote_to_bytes

from devctl.core.model import Value
from devctl.git.mirror.policy import ABSENT, Carried

NAME = ".devctl-mirror"
WORKSHOP = ".devctl-mirror.tmp"
"""Where new files are made before they are moved to their place; gone when a mirror isn't at work."""
_HEAD = (
    b"# What devctl last carried over into this folder. It tells your changes from its own: commit it, don't edit it.\n"
)
_ORIGIN = re.compile(rb"^# from ([0-9a-f]{40,64})$", re.MULTILINE)
_LINE = re.compile(rb"([fxl]:[0-9a-f]{64}|-) (\S+)")


def is_inside(path: str) -> bool:
    """Whether it is a path below the folder that a mirror may touch: neither out of it, nor git's, nor the record's."""
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts) or "\0" in path:
        return False
    return ".git" not in {part.lower() for part in parts} and parts[0] not in {NAME, WORKSHOP}


class Record(Value):
    """``origins``: the source's commit when it was last carried over, where it has one; of a merge both sides'."""

    carried: Carried = {}
    origins: tuple[str, ...] = ()


def written(record: Record) -> bytes:
    """The record as text."""
    heads = [f"# from {origin}\n".encode() for origin in record.origins]
    lines = [
        f"{state} {quote_from_bytes(os.fsencode(path), safe='/+,=@~()[]{}!$&;:')}\n".encode()
        for path in sorted(record.carried)
        for state in sorted(record.carried[path])
        if record.carried[path] != {ABSENT}
    ]
    return b"".join([_HEAD, *heads, *lines])


def read(text: bytes) -> Record:
    """The record of a text. Lines that make no sense count as not there."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        path = os.fsdecode(unquote_to_bytes(match[2])) if match else ""
        if match and is_inside(path):
            found.setdefault(path, set()).add(match[1].decode())
    origins = dict.fromkeys(match[1].decode() for match in _ORIGIN.finditer(text))
    return Record(carried={path: frozenset(states) for path, states in found.items()}, origins=tuple(origins))
