"""A SQLite file as a whole, by SQLite's own backup: whoever writes meanwhile, one moment of it is kept."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from devctl.errors import DevctlError, Exit
from devctl.safety.copies import Contents
from devctl.safety.url import DatabaseUrl

PATIENCE = 30.0
"""Seconds a lock of somebody else may last."""


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        locked = "locked" in str(error)
        hint = "end what writes to it, then try again" if locked else ""
        raise DevctlError(str(error), str(file), hint=hint, code=Exit.PRECONDITION if locked else Exit.FAILED) from None


class SqliteStore:
    """``url`` names the file by its absolute path."""

    kind = "sqlite"

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self.file = Path(url.name)
        self.left_out: list[str] = []

    @property
    def fresh(self) -> Path:
        """A file that is being filled; of no worth when it is found again."""
        return self.file.with_name(f".{self.file.name}.devctl-new")

    @property
    def before(self) -> Path:
        """What a reset that isn't finished will bring back, should it fail."""
        return self.file.with_name(f".{self.file.name}.devctl-before")

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.file.is_file()

    def is_empty(self) -> bool:
        """Whether nothing was ever made in it."""
        if not self.exists() or not self.file.stat().st_size:
            return True
        with _told(self.file), closing(self._open(self.file)) as connection:
            return not connection.execute("select count(*) from sqlite_master").fetchone()[0]

    def save(self, file: Path) -> Contents:
        """Copy one moment of it."""
        with _told(self.file):
            self._copy(self.file, file)
            return _checked(file)

    def load(self, file: Path, expected: Contents | None) -> None:
        """Copy the backup beside the file and see that it is whole."""
        self.fresh.unlink(missing_ok=True)
        with _told(file):
            try:
                self._copy(file, self.fresh)
                found = _checked(self.fresh)
            except BaseException:
                self.fresh.unlink(missing_ok=True)
                raise
        if expected and (found.tables != expected.tables or found.rows != expected.rows):
            self.fresh.unlink(missing_ok=True)
            raise DevctlError("the backup could not be restored; nothing was changed", str(file), "not all came")

    def swap(self) -> None:
        """One transaction writes all of what was loaded into the file: who has it open sees the old or the new one,
        and a crash leaves the old one. A rename would leave them with a file that is nowhere any more."""
        if not self.exists():
            self.fresh.rename(self.file)
            return
        with _told(self.file):
            self._copy(self.fresh, self.file)
        self.fresh.unlink()

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """An empty database while the block runs."""
        there = self.exists()
        with _told(self.file):
            if there:
                self.before.unlink(missing_ok=True)
                self._copy(self.file, self.fresh)
                self.fresh.rename(self.before)
            self._clear()
        try:
            yield
        except BaseException:
            with _told(self.file):
                self._back() if there else self.file.unlink(missing_ok=True)
            raise
        self.before.unlink(missing_ok=True)

    def _clear(self) -> None:
        with closing(sqlite3.connect(":memory:")) as nothing, closing(self._open(self.file)) as target:
            nothing.backup(target, progress=_patience())

    def _back(self) -> None:
        self._copy(self.before, self.file)
        self.before.unlink()

    def recover(self) -> list[str]:
        """An unfinished reset is undone."""
        self.fresh.unlink(missing_ok=True)
        if not self.before.is_file():
            return []
        with _told(self.file):
            self._back()
        return [f"a reset was interrupted: {self.file} is again what it was before it"]

    def must_be_alone(self) -> None:
        """Nobody has to go: a transaction of SQLite's own writes it."""

    def _open(self, file: Path) -> sqlite3.Connection:
        return sqlite3.connect(file, timeout=PATIENCE)

    def _copy(self, source: Path, target: Path) -> None:
        with closing(self._open(source)) as one, closing(self._open(target)) as other:
            one.backup(other, progress=_patience())


def _patience() -> Callable[[int, int, int], None]:
    """Ends a backup that a lock keeps from going on: by itself it would wait for ever."""
    deadline = time.monotonic() + PATIENCE

    def progress(status: int, remaining: int, total: int) -> None:
        del remaining, total
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} and time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")

    return progress


def _checked(file: Path) -> Contents:
    """What is in a file. Raises DevctlError for one that is damaged."""
    with closing(sqlite3.connect(file)) as connection:
        (said,) = connection.execute("pragma integrity_check(1)").fetchone()
        if said != "ok":
            raise DevctlError("the database is damaged", str(file), str(said))
        query = (
            "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by 1"
        )
        tables = [str(row[0]) for row in connection.execute(query)]
        rows = {name: _count(connection, name) for name in tables}
        revisions = [row[0] for row in connection.execute("select version_num from alembic_version order by 1")] if (
            "alembic_version" in tables
        ) else []  # fmt: skip
    return Contents(tuple(revisions), tuple(tables), rows)


def _count(connection: sqlite3.Connection, table: str) -> int:
    name = table.replace('"', '""')
    return int(connection.execute(f'select count(*) from "{name}"').fetchone()[0])  # noqa: S608 - a name, quoted
