"""``db check``: the differences of a database from its models, table by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from devctl.safety.schema.policy import Difference, Kind
from devctl.ui.columns import folded
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, count

LABEL = 10
"""Columns of "models    ", "database  "."""
_THINGS = {
    "table": "the table", "column": "the column", "index": "the index", "unique": "the unique constraint",
    "foreign_key": "the foreign key", "check": "the check", "enum_value": "the value", "primary_key": "the primary key",
}  # fmt: skip


def drift_record(service: str, database: str, found: Sequence[Difference]) -> dict[str, Any]:
    """The object ``db check --json`` prints."""
    return {
        "service": service,
        "database": database,
        "same": not found,
        "differences": [
            {
                "kind": each.kind.value,
                "table": each.table,
                "name": each.name,
                "model": each.model,
                "database": each.database,
                "breaks": list(each.breaks),
                "hint": each.hint,
            }
            for each in found
        ],
    }


def drift(
    service: str,
    database: str,
    server: str,
    found: Sequence[Difference],
    classes: Mapping[str, str],
    glyphs: Glyphs,
    width: int,
) -> list[Text]:
    """All differences of one service; ``width`` 0 is a pipe. ``classes``: the class of a table, where it is known."""
    lines = [_title(service, database, server, found, glyphs)]
    for table, group in groupby(found, lambda each: each.table):
        lines.append(_heading(table, classes.get(table, "")))
        lines += [line for each in group for line in _difference(each, glyphs, width)]
    return [*lines, *_ends(found, glyphs, width)]


def _title(service: str, database: str, server: str, found: Sequence[Difference], glyphs: Glyphs) -> Text:
    shape = Look.FAILED if found else Look.DONE
    said = count(len(found), "difference") if found else "as its models"
    line = Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape]).append(service, style=STRONG)
    line.append(f"  {said}", style=COLOURS[shape])
    return line.append(f"  {glyphs.dot}  {clean(database)}  {glyphs.dot}  {server}", style=FAINT)


def _heading(table: str, class_: str) -> Text:
    line = Text("   ").append(clean(table), style=STRONG)
    return line.append(f"  {class_}", style=FAINT) if class_ else line


def headline(difference: Difference) -> str:
    """``the column api_key_sandbox is missing``, ``effect has another type``."""
    kind, name = difference.kind, clean(difference.name)
    if kind in {Kind.TYPE, Kind.NULLABLE, Kind.DEFAULT}:
        return {Kind.TYPE: f"{name} has another type", Kind.NULLABLE: f"{name} takes null differently"}.get(
            kind, f"{name} has another default"
        )
    how, _, thing = kind.value.partition("_")
    what = f"{_THINGS[thing]} {name}".rstrip()
    if how == "missing":
        return f"{what} is missing" if difference.database is None else f"{what} is another"
    return f"{what} is in no model"


def _difference(each: Difference, glyphs: Glyphs, width: int) -> list[Text]:
    lines = [Text(f"     {glyphs.dot} ", style=COLOURS[Look.FAILED]).append(headline(each))]
    for label, said in (("models", each.model), ("database", each.database)):
        if said is not None:
            parts = folded(clean(said), max(20, width - 7 - LABEL) if width else 0)
            labels = [label, *[""] * (len(parts) - 1)]
            lines += [
                Text(f"       {name:<{LABEL}}", style=FAINT).append(part)
                for name, part in zip(labels, parts, strict=True)
            ]
    return lines


def _ends(found: Sequence[Difference], glyphs: Glyphs, width: int) -> list[Text]:
    """What all this breaks, and the ways out, each once."""
    room = max(20, width - 5) if width else 0
    broken = list(dict.fromkeys(name for each in found for name in each.breaks))
    lines = [Text(f"   {part}") for part in folded(f"breaks {', '.join(broken)}", room)] if broken else []
    for hint in dict.fromkeys(each.hint for each in found):
        lines += [Text(f"   {part}", style=COLOURS[Look.BUSY]) for part in folded(f"{glyphs.arrow} {hint}", room)]
    return lines
