"""What the models say and what the database has, in the same words: two things are the same when their texts are."""

from __future__ import annotations

from devctl.core.model import Value


class Column(Value):
    """``type`` and ``default`` are in the database's own words ("" for no default); ``shown`` is the default as it was
    written. ``inherited``: a parent table's, which the models need not repeat."""

    type: str
    nullable: bool
    default: str = ""
    shown: str = ""
    inherited: bool = False


class Named(Value):
    """A constraint or index. ``name`` is "" when the models give it none. ``loose``: its text is written too freely to
    be compared when the names are the same."""

    name: str
    text: str
    inherited: bool = False
    loose: bool = False


class Table(Value):
    """A table, or a view that stands for one. A surplus table comes without its parts."""

    columns: dict[str, Column] = {}
    primary_key: tuple[str, ...] = ()
    uniques: tuple[Named, ...] = ()
    foreign_keys: tuple[Named, ...] = ()
    checks: tuple[Named, ...] = ()
    indexes: tuple[Named, ...] = ()
    view: bool = False


class Enum(Value):
    """An enumerated type. ``table``: the first table of the models that uses it."""

    labels: tuple[str, ...]
    table: str = ""


class Side(Value):
    """All that is compared, by name; with the schema before it where that isn't the default one."""

    tables: dict[str, Table] = {}
    enums: dict[str, Enum] = {}


class Description(Value):
    """Both sides. ``server`` is such as "PostgreSQL 15.3"; ``classes`` names the class of a table."""

    models: Side
    database: Side
    server: str = ""
    classes: dict[str, str] = {}
