"""Where a database stands in its migrations, and what is refused because of it."""

from __future__ import annotations

from typing import Any

from devctl.cli.db.branches import branches_with
from devctl.cli.db.place import Target
from devctl.errors import DevctlError
from devctl.safety.history import Place, Revision, Standing
from devctl.safety.migrations import Migrations
from devctl.ui.words import count, listing


def must_be_known(target: Target, migrations: Migrations, standing: Standing) -> None:
    """Raises DevctlError (exit 1) for a database that is ahead of this checkout, and for a history with two heads."""
    if standing.place is Place.AHEAD:
        raise ahead(target, migrations, standing)
    if standing.place is Place.FORKED:
        raise forked(target, standing)


def ahead(target: Target, migrations: Migrations, standing: Standing) -> DevctlError:
    """The database has what this branch doesn't know."""
    (revision, *others) = standing.unknown
    branches = branches_with(revision, migrations.scripts.folder)
    came = f"it came from branch {listing(branches, 3)}" if branches else "no branch in this repository has it"
    hint = f"devctl db restore {target.service.name}: a backup from before it"
    if branches:
        name = branches[0].partition("/")[2] if branches[0].startswith("origin/") else branches[0]
        hint = f"git switch {name} and devctl db downgrade {target.service.name} there, or {hint}"
    return DevctlError(
        f"this database has migration {revision}, which this branch doesn't know: {came}",
        target.url.shown,
        f"and {listing(others)}, too" if others else "",
        hint,
    )


def forked(target: Target, standing: Standing) -> DevctlError:
    """Two migrations follow the same one, as when two branches were merged."""
    heads = [standing.known[each] for each in standing.heads]
    return DevctlError(
        f"the migrations of {target.service.name} have {count(len(heads), 'head')}",
        why="two branches each brought a migration that follows the same one",
        hint=f'devctl db migrate --merge "merge {" and ".join(each.id[:8] for each in heads)}" {target.service.name}',
        details=tuple(f"{each} ({each.file})" for each in heads),
    )


def record(target: Target, standing: Standing, migrations: Migrations) -> dict[str, Any]:
    """The JSON of ``db pending`` and ``db history``."""
    return {
        "service": target.service.name,
        "database": target.url.shown,
        "place": standing.place.value,
        "current": list(standing.current),
        "heads": list(standing.heads),
        "pending": [_revision(each) for each in standing.pending],
        "unknown": [
            {"id": each, "branches": list(branches_with(each, migrations.scripts.folder))} for each in standing.unknown
        ],
    }


def _revision(each: Revision) -> dict[str, Any]:
    return {"id": each.id, "message": each.message, "file": each.file, "down": list(each.down)}


def history_record(standing: Standing) -> list[dict[str, Any]]:
    """Every revision, in the order in which they are applied."""
    return [{**_revision(each), "applied": each.id in standing.applied} for each in standing.revisions]
