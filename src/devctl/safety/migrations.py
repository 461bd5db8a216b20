"""The migrations of a service: its Alembic, run by its own interpreter, on the database that is meant and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devctl.errors import DevctlError, Exit
from devctl.safety.history import Standing, standing
from devctl.safety.inside import ProgramFailed, call, program
from devctl.safety.interpreter import Interpreter
from devctl.safety.url import DatabaseUrl

LOOKING, WORKING = 60.0, 3600.0
"""Seconds a look at the history, and a migration, may take."""
_LARGEST = 2_000_000


@dataclass(frozen=True)
class Scripts:
    """A folder of migrations with its ``env.py``, and the alembic.ini that goes with it (None for none)."""

    folder: Path
    ini: Path | None = None

    def texts(self) -> dict[str, str]:
        """Path in the folder → text, of all that Alembic reads: for an interpreter that can't reach the folder."""
        files = [*self.folder.rglob("*.py"), *self.folder.glob("*.mako")]
        return {
            str(file.relative_to(self.folder)): file.read_text(encoding="utf-8")
            for file in files
            if "__pycache__" not in file.parts and file.stat().st_size < _LARGEST
        }


@dataclass(frozen=True)
class Written:
    """A new migration: its id, its file, and what it does (as ``safety.loss`` reads it)."""

    id: str
    file: Path
    operations: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Reach:
    """A database as a service's interpreter reaches it. ``address`` is its own in there, ``name`` the database's,
    ``identity`` what it must turn out to be (``server.identity``, or SQLite's file); ``variables`` hold the address for
    the service's own code; ``hide`` are addresses whose passwords no error may show. ``read_only``: nothing may be
    written, whatever env.py does."""

    interpreter: Interpreter
    address: str = field(repr=False)
    name: str
    identity: Sequence[str]
    variables: Sequence[str] = ()
    hide: Sequence[DatabaseUrl] = ()
    read_only: bool = False

    def call(self, name: str, timeout: float, **more: Any) -> Any:
        """What one of our programs returns. Raises ProgramFailed and DevctlError."""
        given = {
            "url": self.address,
            "name": self.name,
            "identity": list(self.identity),
            "variables": list(self.variables),
            "away": self.interpreter.container,
            "read_only": self.read_only,
            **more,
        }
        return call(self.interpreter, program(name), given, timeout=timeout, hide=self.hide)


@dataclass(frozen=True)
class Migrations:
    """A history and the database it is for."""

    reach: Reach
    scripts: Scripts

    def standing(self) -> Standing:
        """The history and where the database stands in it. Raises DevctlError."""
        return standing(self._run("state", LOOKING))

    def upgrade(self, to: str = "heads") -> list[str]:
        """Apply what is pending, up to a revision; the ids that were applied. Raises DevctlError."""
        return [str(each) for each in self._run("upgrade", WORKING, to=to)]

    def downgrade(self, to: str) -> list[str]:
        """Go down to a revision, to ``base``, or by steps (``-1``). Raises DevctlError."""
        return [str(each) for each in self._run("downgrade", WORKING, to=to)]

    def revise(self, message: str) -> Written | None:
        """Write the migration from the database to the models; None when there is nothing to migrate. Raises
        DevctlError."""
        return self._written(self._run("revise", LOOKING * 5, message=message))

    def merge(self, message: str) -> Written | None:
        """Write the migration that brings several heads together. Raises DevctlError."""
        return self._written(self._run("merge", LOOKING, message=message))

    def _written(self, found: Any) -> Written | None:
        if not found:
            return None
        file = self.scripts.folder / found["file"]
        if self.reach.interpreter.container:  # it was written where nothing lasts
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as stream:
                stream.write(found["text"])
        return Written(found["id"], file, found["operations"])

    def _run(self, action: str, timeout: float, **more: str) -> Any:
        ini, away = self.scripts.ini, self.reach.interpreter.container
        scripts = {
            "folder": str(self.scripts.folder),
            "files": self.scripts.texts() if away else {},
            "ini": "" if ini is None else ini.read_text(encoding="utf-8") if away else str(ini),
        }
        try:
            return self.reach.call("migrations", timeout, action=action, **scripts, **more)
        except ProgramFailed as error:
            raise _told(error, str(self.scripts.folder / "env.py")) from None


def seed(reach: Reach, command: str) -> list[str]:
    """Run the manifest's seed on the database, ``python`` being the service's own; its last lines. Raises
    DevctlError."""
    try:
        return [str(line) for line in reach.call("seed", WORKING, command=command)]
    except ProgramFailed as error:
        if error.kind != "SeedFailed":
            raise _told(error, error.where) from None
        why, *details = error.text.splitlines()
        raise DevctlError(f"the seed failed: {command}", error.where, why, details=tuple(details)) from None


def scripts_of(folder: str, base: str, service: str) -> Scripts:
    """The migrations in ``folder`` of a service that lives in ``base``. Raises DevctlError where there are none."""
    where = f"services.{service}.database.migrations"
    if not folder:
        hint = "alembic init migrations, then add database.migrations: migrations to services.yaml"
        raise DevctlError(f"{service} has no migrations", where, hint=hint, code=Exit.USAGE)
    path = Path(folder)
    if not (path / "env.py").is_file():
        hint = f"cd {base or path.parent} && alembic init {path.name}"
        raise DevctlError("there is no env.py of Alembic's", str(path), hint=hint, code=Exit.USAGE)
    for place in dict.fromkeys((Path(base) if base else path.parent, path.parent, path)):
        if (place / "alembic.ini").is_file():
            return Scripts(path, place / "alembic.ini")
    return Scripts(path)


def _told(error: ProgramFailed, where: str) -> DevctlError:
    """What went wrong in there, in the words of who uses it."""
    first = error.text.strip().splitlines()[0] if error.text.strip() else error.kind
    match error.kind:
        case "ModuleNotFoundError" if "alembic" in first:
            return DevctlError(
                "Alembic is not installed for the service",
                error.where,
                first,
                "add alembic to the service's requirements, then devctl up it",
                Exit.PRECONDITION,
            )
        case "OtherDatabase":
            return DevctlError(
                "nothing was done: the service's own code leads to another database",
                where,
                first,
                'in env.py, use config.get_main_option("sqlalchemy.url")',
                Exit.PRECONDITION,
            )
        case "LockNotAvailable" | "OperationalError" if "lock timeout" in error.text:
            why = "somebody holds a lock on a table for longer than 30 s"
            return DevctlError("the migration could not begin", error.where, why, "devctl down the service, try again")
    return DevctlError(error.what, error.where, details=error.details)
