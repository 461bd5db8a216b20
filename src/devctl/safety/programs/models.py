"""What the models say, as SQL text for PostgreSQL: the same parts in the same words as ``catalog`` reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy import Enum as EnumType
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import operators

COLLATE = re.compile(r'\s+COLLATE\s+"?([^"]+)"?$')
ORDER = re.compile(r"^(.*?)(?:\s+(ASC|DESC))?(?:\s+NULLS\s+(FIRST|LAST))?$", re.IGNORECASE | re.DOTALL)


class Models:
    """Takes tables apart for a server of this version (such as 150003); ``default`` is the schema of tables that name
    none."""

    def __init__(self, version: int, default: str) -> None:
        self.dialect: Any = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]  # or % is doubled
        self.dialect.server_version_info = (version // 10000, version % 10000)
        compiler: Any = self.dialect.ddl_compiler
        self.ddl: Any = compiler(self.dialect, None)
        self.default = default

    def table(self, table: Any) -> dict[str, Any]:
        """All parts of one table."""
        inline = {each for column in table.columns for each in column.constraints}
        constraints = sorted((each for each in table.constraints | inline if self._made(each)), key=_order)
        return {
            "schema": table.schema or self.default,
            "name": table.name,
            "columns": [self._column(table, column) for column in table.columns],
            "primary_key": [column.name for column in table.primary_key.columns],
            "uniques": [self._unique(each) for each in constraints if isinstance(each, UniqueConstraint)],
            "foreign_keys": [self._foreign_key(each) for each in constraints if isinstance(each, ForeignKeyConstraint)],
            "checks": [self._check(each) for each in constraints if isinstance(each, CheckConstraint)],
            "excludes": [self._exclude(each) for each in constraints if isinstance(each, ExcludeConstraint)],
            "indexes": [self._index(each) for each in sorted(table.indexes, key=_order)],
        }

    def _made(self, constraint: Any) -> bool:
        """Whether PostgreSQL would have it: one of an Enum is for databases without enums, another may name its own."""
        if not getattr(constraint, "_type_bound", False) and getattr(constraint, "_ddl_if", None) is None:
            return True
        rule = getattr(constraint, "_should_create_for_compiler", None)
        return bool(rule(self.ddl)) if rule else True

    def _name(self, thing: Any) -> str:
        """Its name as the naming convention has it, "" when it has none."""
        if thing.name is None:
            return ""
        preparer = self.dialect.identifier_preparer
        return preparer.format_constraint(thing, _alembic_quote=False) or ""

    def _text(self, clause: Any) -> str:
        return str(self.ddl.sql_compiler.process(clause, include_table=False, literal_binds=True))

    # -- columns

    def _column(self, table: Any, column: Any) -> dict[str, Any]:
        computed, identity = getattr(column, "computed", None), getattr(column, "identity", None)
        type_, collation = self._type(column.type)
        default = None if computed is not None or identity is not None else self.ddl.get_column_default_string(column)
        return {
            "name": column.name,
            "type": type_,
            "collation": collation,
            "enum": self._enum(column.type, table),
            "nullable": bool(column.nullable),
            "default": default,
            "serial": default is None and self._serial(table, column),
            "identity": None
            if identity is None
            else {"always": bool(identity.always), "start": identity.start, "increment": identity.increment},
            "computed": None if computed is None else self._text(computed.sqltext),
            "virtual": computed is not None and computed.persisted is False,
        }

    def _type(self, type_: Any) -> tuple[str, str]:
        """(SQL, collation); "" where the type cannot be said in SQL."""
        try:
            text = type_.compile(dialect=self.dialect)
        except (SQLAlchemyError, NotImplementedError, AttributeError):
            return "", ""
        match = COLLATE.search(text)
        return (text[: match.start()], match.group(1)) if match else (text, "")

    def _serial(self, table: Any, column: Any) -> bool:
        if getattr(column, "computed", None) is not None or getattr(column, "identity", None) is not None:
            return False
        own = column.default
        free = own is None or (getattr(own, "is_sequence", False) and getattr(own, "optional", False))
        return bool(column.primary_key and column is table._autoincrement_column and free)  # noqa: SLF001 - SQLAlchemy asks itself so

    def _enum(self, type_: Any, table: Any) -> dict[str, Any] | None:
        inner = type_
        for _ in range(5):
            inner = getattr(inner, "item_type", None) or getattr(inner, "impl", None) or inner
        inner = inner.dialect_impl(self.dialect)
        if not isinstance(inner, EnumType) or not inner.native_enum or not inner.name:
            inherited = _enum_of(type_)
            if inherited is None or not inherited.native_enum or not inherited.name:
                return None
            inner = inherited
        inherits = vars(inner).get("inherit_schema", vars(inner).get("_inherit_schema"))
        schema = inner.schema or (table.schema if inherits else None) or self.default
        return {"schema": schema, "name": inner.name, "labels": list(inner.enums)}

    # -- constraints

    def _unique(self, constraint: Any) -> dict[str, Any]:
        return {
            "name": self._name(constraint),
            "columns": [column.name for column in constraint.columns],
            "nulls_not_distinct": bool(_option(constraint, "nulls_not_distinct")),
            **_deferral(constraint),
        }

    def _foreign_key(self, constraint: Any) -> dict[str, Any]:
        target = [element.target_fullname.rsplit(".", 2) for element in constraint.elements]
        schema = target[0][0] if len(target[0]) == 3 else self.default
        return {
            "name": self._name(constraint),
            "columns": [element.parent.name for element in constraint.elements],
            "target_schema": schema,
            "target": target[0][-2],
            "targets": [_target_column(element, each[-1]) for element, each in zip(constraint.elements, target)],
            "on_update": _action(constraint.onupdate),
            "on_delete": _action(constraint.ondelete),
            "match": (constraint.match or "SIMPLE").upper(),
            "validated": not _option(constraint, "not_valid"),
            **_deferral(constraint),
        }

    def _check(self, constraint: Any) -> dict[str, Any]:
        return {
            "name": self._name(constraint),
            "text": self._text(constraint.sqltext),
            "validated": not _option(constraint, "not_valid"),
        }

    def _exclude(self, constraint: Any) -> dict[str, Any]:
        text = self.ddl.process(constraint)
        return {"name": self._name(constraint), "text": text[max(0, text.find("EXCLUDE")) :]}

    # -- indexes

    def _index(self, index: Any) -> dict[str, Any]:
        operators_ = _option(index, "ops") or {}  # by column key, or by the key of a labelled expression
        predicate = _option(index, "where")
        included = [each if isinstance(each, str) else each.name for each in _option(index, "include") or ()]
        return {
            "name": self._name(index),
            "unique": bool(index.unique),
            "method": (_option(index, "using") or "btree").lower(),
            "nulls_not_distinct": bool(_option(index, "nulls_not_distinct")),
            "predicate": None if predicate is None else self._clause(predicate),
            "parts": [self._part(each, operators_) for each in index.expressions],
            "included": included,
        }

    def _clause(self, said: Any) -> str:
        return said if isinstance(said, str) else self._text(said)

    def _part(self, expression: Any, operators_: Any) -> dict[str, Any]:
        descending, nulls, inner = False, "", expression
        while getattr(inner, "modifier", None) is not None:
            descending = descending or inner.modifier is operators.desc_op
            name = getattr(inner.modifier, "__name__", "").replace("_", "")
            nulls = {"nullsfirstop": "FIRST", "nullslastop": "LAST"}.get(name, nulls)
            inner = inner.element
        key = getattr(inner, "key", None)
        part = {
            "operators": operators_.get(key) if key else None,
            "collation": None,
            "column": inner.name if isinstance(inner, Column) else None,
        }
        text = "" if part["column"] else self._text(inner.self_group())
        match = ORDER.match(text)
        if match and (match.group(2) or match.group(3)):
            text, descending = match.group(1), (match.group(2) or "").upper() == "DESC"
            nulls = (match.group(3) or "").upper()
        collated = COLLATE.search(text.strip("()"))
        if collated:
            text, part["collation"] = text.strip("()")[: collated.start()].strip("()"), collated.group(1)
        return {**part, "text": text, "descending": descending, "nulls": nulls}


def _order(thing: Any) -> tuple[str, str]:
    """Sets of constraints and indexes come in another order each time."""
    return str(thing.name or ""), ", ".join(column.name for column in getattr(thing, "columns", ()))


def _enum_of(type_: Any) -> Any:
    """The Enum inside arrays and decorators, None for none."""
    for _ in range(5):
        if isinstance(type_, EnumType):
            return type_
        type_ = getattr(type_, "item_type", None) or getattr(type_, "impl", None)
        if isinstance(type_, type):
            return None
    return None


def _option(thing: Any, name: str) -> Any:
    try:
        return thing.dialect_options["postgresql"][name]
    except (KeyError, AttributeError):
        return None


def _deferral(constraint: Any) -> dict[str, bool]:
    return {
        "deferrable": bool(constraint.deferrable),
        "deferred": (constraint.initially or "").upper() == "DEFERRED",
    }


def _action(said: str | None) -> str:
    return " ".join((said or "NO ACTION").upper().split())


def _target_column(element: Any, said: str) -> str:
    """A foreign key names the attribute; the column may be called otherwise."""
    try:
        return str(element.column.name)
    except SQLAlchemyError:
        return said


def tables(metadata: Any) -> Iterator[Any]:
    """The tables that a database is to have: not those that stand for views or are somebody else's."""
    for table in metadata.tables.values():
        if not (table.info.get("is_view") or table.info.get("skip_autogenerate")):
            yield table
