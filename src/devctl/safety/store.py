"""What can be done with a database as a whole, whichever kind it is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from devctl.safety.copies import Contents


class Store(Protocol):
    """A database. Everything raises DevctlError."""

    @property
    def kind(self) -> str:
        """The ending of its backups' names."""

    @property
    def left_out(self) -> list[str]:
        """What the last load could not bring, in words."""

    def exists(self) -> bool:
        """Whether it is there."""

    def is_empty(self) -> bool:
        """Whether it is not there, or there is nothing in it that could be lost."""

    def save(self, file: Path) -> Contents:
        """Write all of it into ``file``; what went in."""

    def load(self, file: Path, expected: Contents | None) -> None:
        """Fill a fresh database from ``file`` and see that all came (``expected``), beside the present one."""

    def swap(self) -> None:
        """Put what was loaded in the place of the present one, in one step."""

    def renewed(self) -> AbstractContextManager[None]:
        """While the block runs the database is a fresh, empty one; it stays if the block ends well, else the one before
        comes back."""

    def recover(self) -> list[str]:
        """Put right what an interrupted restore or reset left behind; a sentence for each thing done."""

    def must_be_alone(self) -> None:
        """Raises DevctlError (exit 3) while somebody is connected who would be cut off."""
