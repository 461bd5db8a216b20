"""How a mirror ended, as values. Pure."""

from __future__ import annotations

from enum import StrEnum

from devctl.core.model import Mirror, Value


class Result(StrEnum):
    """How a mirror ended (the words of ``sync --json``)."""

    COPIED = "copied"
    SAME = "same"
    CONFLICT = "conflict"


class File(Value):
    """A file that differs: ``change`` is added, changed, removed, renamed (``old`` is its path before) or conflict."""

    path: str
    change: str
    old: str = ""
    reason: str = ""


class Outcome(Value):
    """A mirror's end. ``reason`` says why nothing could be carried over at all (the result is then a conflict).

    ``dry``: nothing was done, ``files`` says what would be.
    """

    mirror: Mirror
    result: Result
    files: tuple[File, ...] = ()
    reason: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()
    dry: bool = False


def names(mirror: Mirror) -> tuple[str, str]:
    """Both ends as a person knows them."""
    return mirror.names[0] or mirror.source, mirror.names[1] or mirror.target
