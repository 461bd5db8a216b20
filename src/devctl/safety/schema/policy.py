"""Two descriptions → their differences, and what of them makes a service's dependents wait. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from devctl.core.model import Manifest, Service, Value
from devctl.safety.schema.description import Column, Description, Enum, Named, Table

OWN_TABLES = frozenset({"alembic_version"})
"""Tables that a migration tool keeps for itself."""


class Kind(StrEnum):
    """What differs. "Missing" is what the models have and the database lacks, or has in another form."""

    MISSING_TABLE = "missing_table"
    SURPLUS_TABLE = "surplus_table"
    MISSING_COLUMN = "missing_column"
    SURPLUS_COLUMN = "surplus_column"
    MISSING_INDEX = "missing_index"
    SURPLUS_INDEX = "surplus_index"
    MISSING_UNIQUE = "missing_unique"
    SURPLUS_UNIQUE = "surplus_unique"
    MISSING_FOREIGN_KEY = "missing_foreign_key"
    SURPLUS_FOREIGN_KEY = "surplus_foreign_key"
    MISSING_CHECK = "missing_check"
    SURPLUS_CHECK = "surplus_check"
    MISSING_ENUM_VALUE = "missing_enum_value"
    SURPLUS_ENUM_VALUE = "surplus_enum_value"
    MISSING_PRIMARY_KEY = "missing_primary_key"
    SURPLUS_PRIMARY_KEY = "surplus_primary_key"
    TYPE = "type"
    NULLABLE = "nullable"
    DEFAULT = "default"

    @property
    def missing(self) -> bool:
        """Whether the models have it and the database does not."""
        return self.startswith("missing_")


class Difference(Value):
    """One difference. ``name`` is the column, constraint, index or value, "" for a whole table; ``model`` is what the
    models say, ``database`` what is there, None where nothing is."""

    kind: Kind
    table: str
    name: str = ""
    model: str | None = None
    database: str | None = None
    breaks: tuple[str, ...] = ()
    hint: str = ""

    @property
    def place(self) -> str:
        """``users.api_key_sandbox``."""
        return f"{self.table}.{self.name}" if self.name else self.table


_PARTS = (
    (Kind.MISSING_UNIQUE, Kind.SURPLUS_UNIQUE, "uniques"),
    (Kind.MISSING_FOREIGN_KEY, Kind.SURPLUS_FOREIGN_KEY, "foreign_keys"),
    (Kind.MISSING_CHECK, Kind.SURPLUS_CHECK, "checks"),
    (Kind.MISSING_INDEX, Kind.SURPLUS_INDEX, "indexes"),
)


def differences(found: Description, foreign: Iterable[str] = ()) -> tuple[Difference, ...]:
    """All differences, in the models' order. ``foreign``: tables that other services' models account for."""
    models, database = found.models.tables, found.database.tables
    known = {*models, *foreign}
    lines: list[Difference] = []
    for name, table in models.items():
        if name in database:
            lines += _table(name, table, database[name])
        else:
            lines.append(Difference(Kind.MISSING_TABLE, name, model=_columns_of(table)))
    for name, enum in found.models.enums.items():
        if name in found.database.enums:
            lines += _enum(name, enum, found.database.enums[name])
    lines += [
        Difference(Kind.SURPLUS_TABLE, name, database="a table that no model describes")
        for name, table in sorted(database.items())
        if name not in known and not table.view and name.rpartition(".")[2] not in OWN_TABLES
    ]
    return tuple(lines)


def _columns_of(table: Table) -> str:
    return f"a table with {', '.join(table.columns)}"


def _table(name: str, model: Table, have: Table) -> Iterator[Difference]:
    for column, said in model.columns.items():
        if column in have.columns:
            yield from _column(name, column, said, have.columns[column], view=have.view)
        else:
            yield Difference(Kind.MISSING_COLUMN, name, column, model=_said(said))
    if have.view:
        return
    for column, there in have.columns.items():
        if column not in model.columns and not there.inherited:
            yield Difference(Kind.SURPLUS_COLUMN, name, column, database=_said(there))
    yield from _primary_key(name, model.primary_key, have.primary_key)
    for missing, surplus, part in _PARTS:
        yield from _named(name, missing, surplus, getattr(model, part), getattr(have, part))


def _said(column: Column) -> str:
    """``character varying(64) not null default 'x'``."""
    default = f" default {column.shown or column.default}" if column.default else ""
    return f"{column.type}{'' if column.nullable else ' not null'}{default}"


def _column(table: str, name: str, model: Column, have: Column, *, view: bool) -> Iterator[Difference]:
    if model.type != have.type:
        yield Difference(Kind.TYPE, table, name, model.type, have.type)
    if view:
        return
    if model.nullable != have.nullable:
        yield Difference(Kind.NULLABLE, table, name, _null(model), _null(have))
    same_type = model.type == have.type  # of another type the same default is written otherwise
    if not _same_default(model.default, have.default) and (same_type or not (model.default and have.default)):
        yield Difference(Kind.DEFAULT, table, name, _default(model), _default(have))


def _null(column: Column) -> str:
    return "may be null" if column.nullable else "not null"


def _default(column: Column) -> str:
    return column.shown or column.default or "no default"


def _same_default(model: str, have: str) -> bool:
    """An autoincrement column is a serial or an identity, as the migration that made it liked."""
    if model == "autoincrement":
        return "nextval(" in have or have.startswith("identity")
    return model == have


def _primary_key(table: str, model: tuple[str, ...], have: tuple[str, ...]) -> Iterator[Difference]:
    if model == have:
        return
    said, there = f"({', '.join(model)})", f"({', '.join(have)})"
    if model:
        yield Difference(Kind.MISSING_PRIMARY_KEY, table, ", ".join(model), said, there if have else None)
    else:
        yield Difference(Kind.SURPLUS_PRIMARY_KEY, table, ", ".join(have), None, there)


def _named(
    table: str, missing: Kind, surplus: Kind, model: tuple[Named, ...], have: tuple[Named, ...]
) -> Iterator[Difference]:
    """By name first; what has another name, or none, is looked for by what it says."""
    left = list(have)
    unmatched: list[Named] = []
    for said in model:
        there = next((each for each in left if said.name and each.name == said.name), None)
        if there is None:
            unmatched.append(said)
            continue
        left.remove(there)
        if there.text != said.text and not said.loose:
            yield Difference(missing, table, said.name, said.text, there.text)
    for said in unmatched:
        there = next((each for each in left if _says(each) == _says(said)), None)
        if there is not None:
            left.remove(there)
        else:
            yield Difference(missing, table, said.name or said.text, said.text, None)
    for there in left:
        if not there.inherited:
            yield Difference(surplus, table, there.name or there.text, None, there.text)


def _says(thing: Named) -> str:
    return re.sub(r'[\s()"]', "", thing.text) if thing.loose else thing.text


def _enum(name: str, model: Enum, have: Enum) -> Iterator[Difference]:
    said, there = (f"{name}: {', '.join(each.labels)}" for each in (model, have))
    for label in model.labels:
        if label not in have.labels:
            yield Difference(Kind.MISSING_ENUM_VALUE, model.table, label, said, there)
    for label in have.labels:
        if label not in model.labels:
            yield Difference(Kind.SURPLUS_ENUM_VALUE, model.table, label, said, there)
    if model.labels != have.labels and set(model.labels) == set(have.labels):
        yield Difference(Kind.TYPE, model.table, name, said, there)


def advised(difference: Difference, dependents: tuple[str, ...], *, migrations: bool) -> Difference:
    """With what it breaks, of a service's ``dependents``, and the way out. ``migrations``: whether it has any."""
    breaks = () if _harmless(difference) else dependents
    return msgspec.structs.replace(difference, breaks=breaks, hint=_way_out(difference, migrations=migrations))


def _harmless(difference: Difference) -> bool:
    """Whether nothing that the models do can fail for it."""
    kind = difference.kind
    if kind is Kind.SURPLUS_COLUMN:
        said = difference.database or ""
        return " not null" not in said or " default " in said
    return kind in {Kind.SURPLUS_TABLE, Kind.SURPLUS_INDEX, Kind.SURPLUS_ENUM_VALUE, Kind.SURPLUS_PRIMARY_KEY}


def _way_out(difference: Difference, *, migrations: bool) -> str:
    surplus = difference.kind.startswith("surplus_")
    if not migrations:
        return "drop it, or add it to the models" if surplus else "change the database, or the models"
    if surplus:
        return 'devctl db migrate "…" drops it; or add it to the models'
    return 'devctl db upgrade; when nothing is pending, devctl db migrate "…" first'


def behind(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """Those for which the database is behind its models: what is missing in it."""
    return tuple(each for each in found if each.kind.missing)


_FIRST = {Kind.MISSING_TABLE, Kind.MISSING_COLUMN}
"""What is named when something else misses too: an index of a missing column goes without saying."""


def missing_words(missing: tuple[Difference, ...]) -> str:
    """``users.api_key_sandbox is missing``, ``a.b, a.c and 3 more are missing``."""
    first = [each for each in missing if each.kind in _FIRST] or missing
    names = list(dict.fromkeys(each.place for each in first))
    if len(names) == 1:
        return f"{names[0]} is missing"
    if len(names) > 3:
        return f"{', '.join(names[:2])} and {len(names) - 2} more are missing"
    return f"{', '.join(names[:-1])} and {names[-1]} are missing"


def upgrade_command(manifest: Manifest, service: Service) -> str:
    """What brings its schema forward; without migrations, what shows all that is to be done by hand."""
    having = [each for each in manifest.services.values() if each.database]
    name = f" {service.name}" if len(having) > 1 else ""
    migrations = service.database and service.database.migrations
    return f"devctl db {'upgrade' if migrations else 'check'}{name}"
