"""Models and a PostgreSQL database, both described in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devctl.safety.programs import catalog, models
from devctl.safety.programs.canonical import Canonical, plain
from devctl.safety.programs.connect import Session
from devctl.safety.programs.parts import foreign_key, index, unique

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_MATCHES = {"f": "FULL", "p": "PARTIAL", "s": "SIMPLE"}
_VIEWS = ("v", "m", "f")


def describe(session: Session, metadata: Any) -> dict[str, Any]:
    """``models`` and ``database``: see ``schema``."""
    version = int(session.value("SHOW server_version_num"))
    default = session.value("SELECT current_schema()") or "public"
    reader = models.Models(version, default)
    wanted = [reader.table(table) for table in models.tables(metadata)]
    schemas = sorted({table["schema"] for table in wanted})
    found = catalog.read(session, version, schemas)
    both = _Both(Canonical(session), default, found)
    both.learn(wanted)
    described = {_key(table, default): both.of_model(table) for table in wanted}
    return {
        "server": "PostgreSQL " + str(session.value("SHOW server_version")).split()[0],
        "models": {"tables": described, "enums": _model_enums(wanted, default)},
        "database": {
            "tables": {_key(table, default): both.of_database(table) for table in both.found},
            "enums": {_key(each, default): {"labels": each["labels"] or []} for each in found["enums"]},
        },
    }


def _key(thing: Mapping[str, Any], default: str) -> str:
    name = str(thing["name"])
    return name if thing["schema"] == default else "{}.{}".format(thing["schema"], name)


def _model_enums(wanted: list[dict[str, Any]], default: str) -> dict[str, Any]:
    enums: dict[str, Any] = {}
    for table in wanted:
        for column in table["columns"]:
            if column["enum"]:
                entry = enums.setdefault(_key(column["enum"], default), {"labels": column["enum"]["labels"]})
                entry.setdefault("table", _key(table, default))
    return enums


class _Both:
    """Describes tables of either side. The expressions of both are put into PostgreSQL's words beforehand."""

    def __init__(self, canonical: Canonical, default: str, found: Mapping[str, Any]) -> None:
        self._canonical, self._default = canonical, default
        self._rows: dict[str, dict[str, str | None]] = {}
        self._wanted: dict[str, dict[str, Any]] = {}
        self.found = [{**each, "view": each["kind"] in _VIEWS} for each in found["tables"] if not each["part"]]
        tables = {each["id"]: each for each in self.found}
        for part in ("columns", "constraints", "indexes"):
            for each in self.found:
                each[part] = []
            for each in found[part]:
                if each["id"] in tables:
                    tables[each["id"]][part].append(each)
        self._have = {_key(each, default): each for each in self.found}

    # -- putting into words

    def learn(self, wanted: list[dict[str, Any]]) -> None:
        """Ask for everything that both sides say."""
        ask = self._canonical
        self._wanted = {_key(table, self._default): table for table in wanted}
        ask.learn_types([column["type"] for table in wanted for column in table["columns"]])
        values = [
            (column["default"], ask.type(column["type"]) or "")
            for table in wanted
            for column in table["columns"]
            if column["default"] is not None
        ]
        stored = [
            (column["value"], column["type"])
            for key in self._wanted
            for column in self._have.get(key, {}).get("columns", ())
            if column["value"] is not None and not column["generated"]
        ]
        ask.learn_values([each for each in values + stored if each[1]])
        for key, table in self._wanted.items():
            self._learn_rows(key, table, self._have.get(key))

    def _learn_rows(self, key: str, table: dict[str, Any], have: dict[str, Any] | None) -> None:
        said = [each["text"] for each in table["checks"]]
        said += [_cast(each["computed"], self._type(each)) for each in table["columns"] if each["computed"]]
        said += [text for each in table["indexes"] for text in _index_texts(each)]
        columns = {each["name"]: self._canonical.type(each["type"]) or "text" for each in table["columns"]}
        if have:
            said += [each["text"] for each in have["constraints"] if each["kind"] == "c"]
            said += [_cast(each["value"], each["type"]) for each in have["columns"] if each["generated"]]
            said += [text for each in have["indexes"] for text in _index_texts(each)]
            columns.update({each["name"]: each["type"] for each in have["columns"]})
        self._rows[key] = self._canonical.of_rows(table["name"], columns, [each for each in said if each])

    def _expression(self, key: str, text: str) -> str:
        return self._rows.get(key, {}).get(text) or plain(text)

    def _type(self, column: Mapping[str, Any]) -> str:
        return self._canonical.type(column["type"]) or plain(column["type"]).lower()

    # -- the models' side

    def of_model(self, table: dict[str, Any]) -> dict[str, Any]:
        """A table of the models."""
        key = _key(table, self._default)
        return {
            "columns": {each["name"]: self._model_column(key, each) for each in table["columns"]},
            "primary_key": table["primary_key"],
            "uniques": [{"name": each["name"], "text": unique(each)} for each in table["uniques"]],
            "foreign_keys": [
                {"name": each["name"], "text": foreign_key({**each, "target": self._target(each)})}
                for each in table["foreign_keys"]
            ],
            "checks": [self._check(key, each) for each in table["checks"]]
            + [{"name": each["name"], "text": each["text"], "loose": True} for each in table["excludes"]],
            "indexes": [
                {"name": each["name"], "text": index(each, lambda text: self._expression(key, text))}
                for each in table["indexes"]
            ],
        }

    def _model_column(self, key: str, column: dict[str, Any]) -> dict[str, Any]:
        type_ = self._type(column)
        default, shown = "", column["default"] or ""
        if column["computed"]:
            default = _generated(self._expression(key, _cast(column["computed"], type_)), column["virtual"])
        elif column["identity"]:
            default = _identity(column["identity"])
        elif column["serial"]:
            default = "autoincrement"
        elif column["default"] is not None:
            default = self._canonical.value(column["default"], type_) or plain(column["default"])
        return {
            "type": _collated(type_, column["collation"]),
            "nullable": column["nullable"],
            "default": _alike(default),
            "shown": shown,
        }

    def _check(self, key: str, check: Mapping[str, Any]) -> dict[str, Any]:
        late = "" if check["validated"] else " NOT VALID"
        return {"name": check["name"], "text": self._expression(key, check["text"]) + late}

    def _target(self, constraint: Mapping[str, Any]) -> str:
        return _key({"schema": constraint["target_schema"], "name": constraint["target"]}, self._default)

    # -- the database's side

    def of_database(self, table: dict[str, Any]) -> dict[str, Any]:
        """A table of the database."""
        key, constraints = _key(table, self._default), table["constraints"]
        if key not in self._wanted:
            return {"columns": {}, "view": table["view"]}
        keys = [each["columns"] for each in constraints if each["kind"] == "p"]
        return {
            "view": table["view"],
            "columns": {each["name"]: self._column(key, each) for each in table["columns"]},
            "primary_key": keys[0] if keys else [],
            "uniques": [{"name": each["name"], "text": unique(each)} for each in constraints if each["kind"] == "u"],
            "foreign_keys": [self._foreign_key(each) for each in constraints if each["kind"] == "f"],
            "checks": [
                {**self._check(key, each), "inherited": not each["local"]}
                for each in constraints
                if each["kind"] == "c"
            ]
            + [
                {"name": each["name"], "text": each["text"], "loose": True}
                for each in constraints
                if each["kind"] == "x"
            ],
            "indexes": [self._index(key, each) for each in table["indexes"]],
        }

    def _column(self, key: str, column: dict[str, Any]) -> dict[str, Any]:
        default, shown = "", column["value"] or ""
        if column["generated"]:
            text = self._expression(key, _cast(column["value"], column["type"]))
            default = _generated(text, column["generated"] == "v")
        elif column["identity"]:
            default = _identity({**column, "always": column["identity"] == "a"})
        elif column["value"] is not None:
            default = self._canonical.value(column["value"], column["type"]) or plain(column["value"])
        return {
            "type": _collated(column["type"], column["collation"]),
            "nullable": column["nullable"],
            "default": _alike(default),
            "shown": shown,
            "inherited": not column["local"],
        }

    def _foreign_key(self, constraint: dict[str, Any]) -> dict[str, Any]:
        parts = {
            **constraint,
            "target": self._target(constraint),
            "on_update": _ACTIONS[constraint["on_update"]],
            "on_delete": _ACTIONS[constraint["on_delete"]],
            "match": _MATCHES[constraint["match"]],
        }
        return {"name": constraint["name"], "text": foreign_key(parts), "inherited": not constraint["local"]}

    def _index(self, key: str, found: dict[str, Any]) -> dict[str, Any]:
        wanted = {each["name"]: each for each in self._wanted[key]["indexes"]}
        parts = _database_index(found, wanted.get(found["name"]))
        text = index(parts, lambda text: self._expression(key, text))
        return {"name": found["name"], "text": text + ("" if found["valid"] else " INVALID")}


def _cast(text: str, type_: str) -> str:
    return f"CAST(({text}) AS {type_})"


def _collated(type_: str, collation: str | None) -> str:
    return f'{type_} COLLATE "{collation}"' if collation else type_


def _generated(text: str, virtual: bool) -> str:
    return "generated: {}{}".format(text, " (virtual)" if virtual else "")


def _identity(parts: Mapping[str, Any]) -> str:
    how = "always" if parts["always"] else "by default"
    return "identity {}, from {} by {}".format(how, parts["start"] or 1, parts["increment"] or 1)


def _alike(default: str) -> str:
    """Two names of one function."""
    return default.replace("CURRENT_TIMESTAMP", "now()")


def _index_texts(index_: Mapping[str, Any]) -> list[str]:
    found = [each["text"] for each in index_["parts"] if each["text"] and not each["column"]]
    return found + ([index_["predicate"]] if index_["predicate"] else [])


def _database_index(found: dict[str, Any], wanted: Mapping[str, Any] | None) -> dict[str, Any]:
    """The catalogs' bits in the models' words. An operator class is named when it isn't the usual one, or when the
    models name theirs."""
    named = [each["operators"] for each in wanted["parts"]] if wanted else []
    keys = [each for each in found["parts"] if each["key"]]
    parts = []
    for at, each in enumerate(keys):
        spoken = not each["usual"] or (at < len(named) and bool(named[at]))
        descending, first = bool(each["option"] & 1), bool(each["option"] & 2)
        nulls = ("FIRST" if first else "LAST") if first != descending else ""
        operators = each["operators"] if spoken else None
        parts.append({**each, "operators": operators, "descending": descending, "nulls": nulls})
    included = [each["column"] for each in found["parts"] if not each["key"]]
    return {**found, "parts": parts, "included": included}
