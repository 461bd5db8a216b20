"""Errors are data: what happened, where, why, and the next command to type."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes scripts may rely on."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PRECONDITION = 3
    INTERRUPTED = 130


class DevctlError(Exception):
    """Something a user can cause or mend.

    ``what`` is one sentence without a full stop; ``where`` a file:line:column, folder or address; ``why`` the
    evidence; ``hint`` the next command to type or the change to make; ``details`` further lines (log lines, or
    the other diagnostics when several come at once).
    """

    def __init__(
        self,
        what: str,
        where: str = "",
        why: str = "",
        hint: str = "",
        code: Exit = Exit.FAILED,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(what, where, why, hint, code, details)
        self.what, self.where, self.why, self.hint = what, where, why, hint
        self.code, self.details = code, details

    def __str__(self) -> str:
        """One line for logs; the screen draws the parts."""
        return ": ".join(part for part in (self.where, self.what, self.why) if part)
