"""``devctl db check``: databases against their models."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from devctl.api.protocol import Snapshot
from devctl.cli.db.place import Target, target_of
from devctl.cli.place import Place, here
from devctl.cli.terminal import print_json
from devctl.errors import DevctlError, Exit
from devctl.safety.schema.description import Description
from devctl.safety.schema.policy import Difference, Kind

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@dataclass(frozen=True)
class Checked:
    """What came of one service: its differences, or why it could not be checked."""

    target: Target
    found: Description | None = None
    differences: tuple[Difference, ...] = ()
    problem: DevctlError | None = None

    @property
    def code(self) -> Exit:
        """0 the same, 1 differs, or what the problem says."""
        if self.problem is not None:
            return self.problem.code
        return Exit.FAILED if self.differences else Exit.DONE


@app.command()
def check(
    context: typer.Context,
    service: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="All with a database, when none is named.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """Compare a database with its service's models. Exit code 0: the same, 1: it differs, 3: it does not answer."""
    place = here(context)
    targets = [target_of(place, service)] if service else _all(place)
    checked = check_all(place, targets)
    if len(checked) == 1 and checked[0].problem is not None:
        raise checked[0].problem
    if as_json:
        records = [_record(each) for each in checked]
        print_json(records[0] if len(records) == 1 else records)
    else:
        _draw(checked)
    return max(each.code for each in checked)


def _all(place: Place) -> list[Target]:
    """Every service that names models of its database. Raises DevctlError (exit 2) where there is none."""
    having = [each for each in place.manifest.services.values() if each.database and each.database.models]
    if not having:
        hint = "add services.NAME.database: {url: …, models: MODULE:NAME}"
        raise DevctlError("no service names models of its database", place.manifest.file, hint=hint, code=Exit.USAGE)
    return [Target(place, each) for each in having]


def check_all(place: Place, targets: list[Target], identity: Sequence[str] = ()) -> list[Checked]:
    """Each target compared. Tables that models of another service account for are surplus for none. ``identity``: what
    the database must turn out to be (``server.identity``), () where the service's own interpreter decides."""
    from devctl.safety.schema.check import judged

    snapshot = place.snapshot()
    looked = [_looked(place, each, snapshot, identity) for each in targets]
    done = []
    for each in looked:
        if each.found is None:
            done.append(each)
            continue
        differences = judged(place.manifest, each.target.service, each.found)
        if any(one.kind is Kind.SURPLUS_TABLE for one in differences):
            foreign = _foreign(place, each, looked, snapshot)
            differences = judged(place.manifest, each.target.service, each.found, foreign)
        done.append(Checked(each.target, each.found, differences))
    return done


def _looked(place: Place, target: Target, snapshot: Snapshot | None, identity: Sequence[str] = ()) -> Checked:
    from devctl.cli.inside import interpreter_of
    from devctl.safety.schema.check import describe

    try:
        interpreter = interpreter_of(place, target.service.name, snapshot)
        return Checked(target, describe(interpreter, place.manifest, target.service, target.url, identity))
    except DevctlError as error:
        return Checked(target, problem=error)


def _foreign(place: Place, mine: Checked, looked: list[Checked], snapshot: Snapshot | None) -> set[str]:
    """The tables of other services' models of the same database; those that were not asked for are looked at now."""
    known = {each.target.service.name: each for each in looked}
    tables: set[str] = set()
    for service in place.manifest.services.values():
        if service.name == mine.target.service.name or not (service.database and service.database.models):
            continue
        target = Target(place, service)
        if target.url.shown == mine.target.url.shown:
            other = known.get(service.name) or _looked(place, target, snapshot)
            tables |= set(other.found.models.tables) if other.found else set()
    return tables


def _record(each: Checked) -> dict[str, Any]:
    from devctl.ui.drift import drift_record

    record = drift_record(each.target.service.name, each.target.url.shown, each.differences)
    return {**record, "same": None, "error": str(each.problem)} if each.problem else record


def _draw(checked: list[Checked]) -> None:
    from devctl.ui.drift import drift
    from devctl.ui.errors import drawn
    from devctl.ui.theme import Screen

    screen = Screen(sys.stdout)
    for each in checked:
        if each.found is None:
            if each.problem is not None:
                screen.write(drawn(each.problem, screen.glyphs, screen.width))
            continue
        shown = each.target.url.shown
        name, server, classes = each.target.service.name, each.found.server, each.found.classes
        screen.write(drift(name, shown, server, each.differences, classes, screen.glyphs, screen.width))
