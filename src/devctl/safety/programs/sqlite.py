"""Models and a SQLite file, described alike: the models make an empty database in memory, and both are read the same
way, so that whatever SQLite makes of a definition it makes of both."""

from __future__ import annotations

import re
import sqlite3
from typing import Any
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from devctl.safety.programs.canonical import plain
from devctl.safety.programs.connect import NoConnection
from devctl.safety.programs.models import tables
from devctl.safety.programs.parts import foreign_key, unique

_NAME = r'(?:"([^"]+)"|`([^`]+)`|\[([^\]]+)\]|(\w+))'
_CHECK = re.compile(rf"(?:CONSTRAINT\s+{_NAME}\s+)?CHECK\s*\(", re.IGNORECASE)
_GENERATED = re.compile(r"(?:GENERATED\s+ALWAYS\s+)?AS\s*\(", re.IGNORECASE)
_CONSTRAINT = re.compile(rf"CONSTRAINT\s+{_NAME}\s+(UNIQUE|FOREIGN\s+KEY)\s*\(([^)]*)\)", re.IGNORECASE)


def describe(address: str, metadata: Any, timeout: float) -> dict[str, Any]:
    """``models`` and ``database``: see ``schema``."""
    file = make_url(address).database or ""
    try:
        database = sqlite3.connect(f"file:{quote(file)}?mode=ro", uri=True, timeout=timeout)
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise NoConnection(f"{file}: {error}") from None
    engine = create_engine("sqlite://")
    connection = engine.connect()
    try:
        metadata.create_all(connection, tables=list(tables(metadata)))
        models = connection.connection.dbapi_connection
        return {
            "server": "SQLite " + sqlite3.sqlite_version,
            "models": {"tables": _tables(models), "enums": {}},
            "database": {"tables": _tables(database), "enums": {}},
        }
    finally:
        connection.close()
        engine.dispose()
        database.close()


def _tables(database: Any) -> dict[str, Any]:
    query = (
        "SELECT name, type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_'"
    )
    return {name: _table(database, name, kind, sql or "") for name, kind, sql in database.execute(query).fetchall()}


def _table(database: Any, name: str, kind: str, sql: str) -> dict[str, Any]:
    columns = database.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
    keys = sorted((row[5], row[1]) for row in columns if row[5])
    names = {_spaceless(match.group(6)): _first(match.groups()[:4]) for match in _CONSTRAINT.finditer(sql)}
    return {
        "view": kind == "view",
        "columns": {row[1]: _column(row, sql) for row in columns},
        "primary_key": [each[1] for each in keys],
        "uniques": _uniques(database, name, names),
        "foreign_keys": _foreign_keys(database, name, names),
        "checks": [
            {"name": _first(match.groups()), "text": plain(_inside(sql, match.end()))} for match in _CHECK.finditer(sql)
        ],
        "indexes": _indexes(database, name),
    }


def _column(row: Any, sql: str) -> dict[str, Any]:
    _, name, type_, notnull, default, key, hidden = row[:7]
    generated = ""
    if hidden in (2, 3):
        at = re.search(rf'(?:"{re.escape(name)}"|\b{re.escape(name)}\b)\s', sql)
        match = _GENERATED.search(sql, at.end() if at else 0)
        generated = "generated: " + plain(_inside(sql, match.end())) if match else "generated"
    return {
        "type": " ".join(type_.upper().split()),
        "nullable": not (notnull or key),
        "default": generated or plain(default or ""),
        "shown": default or "",
    }


def _uniques(database: Any, table: str, names: dict[str, str]) -> list[dict[str, Any]]:
    found = []
    for _, index, _, origin, _ in database.execute("SELECT * FROM pragma_index_list(?)", (table,)).fetchall():
        if origin == "u":
            columns = [row[2] for row in database.execute("SELECT * FROM pragma_index_info(?)", (index,)).fetchall()]
            parts = {"columns": columns, "nulls_not_distinct": False, "deferrable": False, "deferred": False}
            found.append({"name": names.get(_spaceless(", ".join(columns)), ""), "text": unique(parts)})
    return found


def _foreign_keys(database: Any, table: str, names: dict[str, str]) -> list[dict[str, Any]]:
    rows: dict[int, list[Any]] = {}
    for row in database.execute("SELECT * FROM pragma_foreign_key_list(?)", (table,)).fetchall():
        rows.setdefault(row[0], []).append(row)
    found = []
    for each in rows.values():
        each.sort(key=lambda row: row[1])
        columns = [row[3] for row in each]
        parts = {
            "columns": columns, "target": each[0][2], "targets": [row[4] or "" for row in each], "match": "SIMPLE",
            "on_update": each[0][5], "on_delete": each[0][6], "deferrable": False, "deferred": False, "validated": True,
        }  # fmt: skip
        found.append({"name": names.get(_spaceless(", ".join(columns)), ""), "text": foreign_key(parts)})
    return found


def _indexes(database: Any, table: str) -> list[dict[str, Any]]:
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
    found = []
    for name, sql in database.execute(query, (table,)).fetchall():
        unique_ = "unique " if re.match(r"CREATE\s+UNIQUE", sql, re.IGNORECASE) else ""
        found.append({"name": name, "text": unique_ + plain(sql[sql.find("(") :]).replace('"', "")})
    return found


def _inside(sql: str, at: int) -> str:
    """What stands between the parenthesis before ``at`` and the one that closes it."""
    depth, quote_ = 1, ""
    for index in range(at, len(sql)):
        letter = sql[index]
        if quote_:
            quote_ = "" if letter == quote_ else quote_
        elif letter in "'\"":
            quote_ = letter
        else:
            depth += (letter == "(") - (letter == ")")
            if depth == 0:
                return sql[at:index]
    return sql[at:]


def _first(groups: Any) -> str:
    return next((each for each in groups if each), "")


def _spaceless(columns: str) -> str:
    return re.sub(r'[\s"`\[\]]', "", columns)
