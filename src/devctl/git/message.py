"""The message of a commit: what changed, service by service. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from devctl.git.report import shown

LONGEST = 72
"""Characters of a subject."""
NAMED = 12
"""Files that are named of one service; of more, only the number is said."""


class Changed(Protocol):
    """A file that a commit changes."""

    @property
    def path(self) -> str:
        """Relative to the root."""

    @property
    def old_mode(self) -> str:
        """000000 for a new file."""

    @property
    def mode(self) -> str:
        """000000 for one that goes."""


def written(changes: Sequence[Changed], folders: Mapping[str, str]) -> str:
    """Subject and body. ``folders`` maps a service to its folder, relative to the repository's root."""
    groups: dict[str, list[Changed]] = {}
    for change in changes:
        groups.setdefault(_service(change.path, folders), []).append(change)
    body = [line for name, found in sorted(groups.items()) for line in _paragraph(name, found)]
    return "\n".join([_subject(sorted(groups), len(changes)), "", *body]).rstrip() + "\n"


def _service(path: str, folders: Mapping[str, str]) -> str:
    """The service whose folder is nearest; for a file of none, its first folder."""
    inside = [name for name, folder in folders.items() if folder == "." or path.startswith(f"{folder}/")]
    if inside:
        return max(inside, key=lambda name: len(folders[name]))
    return shown(path.partition("/")[0]) if "/" in path else ""


def _subject(groups: Sequence[str], files: int) -> str:
    names = [name or "top folder" for name in groups]
    counted = f"{files} file{'' if files == 1 else 's'}"
    for most in range(len(names), 0, -1):
        more = len(names) - most
        said = ", ".join(names[:most]) + (f" and {more} more" if more else "")
        line = f"{said}: {counted} changed"
        if len(line) <= LONGEST:
            return line
    return f"{counted} changed"


def _paragraph(name: str, changes: Sequence[Changed]) -> list[str]:
    lines = [f"{name or 'top folder'}:"]
    if len(changes) <= NAMED:
        return [*lines, *(f"- {_verb(each)} {_plain(each.path)}" for each in changes), ""]
    counted = {verb: sum(_verb(each) == verb for each in changes) for verb in ("add", "change", "remove")}
    return [*lines, "- " + ", ".join(f"{verb} {number} files" for verb, number in counted.items() if number), ""]


def _verb(change: Changed) -> str:
    if not change.old_mode.strip("0"):
        return "add"
    return "change" if change.mode.strip("0") else "remove"


def _plain(path: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown(path))
