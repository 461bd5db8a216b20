"""What a new migration would lose, or where it would fail on tables that have rows. Pure: its operations come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Operation = Mapping[str, Any]
Kind = Mapping[str, Any]

_FAMILIES = ("ENUM", "BOOLEAN", "INTEGER", "FLOAT", "NUMERIC", "STRING", "DATETIME", "DATE", "TIME", "JSON", "ARRAY",
             "UUID", "INTERVAL", "LARGEBINARY", "_BINARY")  # fmt: skip
_SIZES = {"SMALLINT": 2, "SMALLINTEGER": 2, "BIGINT": 8, "BIGINTEGER": 8}
_LOSSLESS = {("INTEGER", "NUMERIC"), ("DATE", "DATETIME"), ("ENUM", "STRING"), ("UUID", "STRING")}
"""Changes of family that keep every value, where the new one is large enough."""


def losses(operations: Iterable[Operation]) -> list[str]:
    """A sentence for each operation that loses data, or that fails where there are rows."""
    return [sentence for each in operations if (sentence := _loss(each))]


def _loss(each: Operation) -> str:
    where = f"{each['table']}.{each['name']}"
    match each["kind"]:
        case "DropTable":
            return f"drops the table {each['table']} with every row of it"
        case "DropColumn":
            return f"drops the column {where} with what is in it"
        case "AddColumn" if each["nullable"] is False and not each["default"]:
            return f"adds {where}, which may not be empty and has no default: it fails where the table has rows"
        case "AlterColumn":
            return _altered(where, each)
        case "ExecuteSQL":
            return "runs SQL of its own, which nobody has judged"
    return ""


def _altered(where: str, each: Operation) -> str:
    if "before" in each and (reason := narrowing(each["before"], each["after"])):
        return f"changes the type of {where}: {reason}"
    if each["nullable"] is False and not each["default"]:
        return f"no longer lets {where} be empty: it fails where a row has nothing in it"
    return ""


def narrowing(before: Kind, after: Kind) -> str:
    """Why a change of type may lose something or fail, "" when every value fits."""
    old, new = _family(before), _family(after)
    if old != new:
        roomy = new == "STRING" and not after.get("length")
        if roomy or ((old, new) in _LOSSLESS and not after.get("length") and not after.get("scale")):
            return ""
        return f"{_words(before)} becomes {_words(after)}, and not every value has to fit"
    check = _CHECKS.get(old)
    return check(before, after) if check else ""


def _family(kind: Kind) -> str:
    return next((each for each in _FAMILIES if each in kind["bases"]), str(kind["name"]))


def _words(kind: Kind) -> str:
    numbers = [str(kind[key]) for key in ("length", "precision", "scale") if kind.get(key) is not None]
    return f"{kind['name']}({', '.join(numbers)})" if numbers else str(kind["name"])


def _string(before: Kind, after: Kind) -> str:
    limit = after.get("length")
    if limit and not before.get("length"):
        return f"texts longer than {limit} no longer fit"
    return f"{before['length']} characters become {limit}" if limit and before["length"] > limit else ""


def _integer(before: Kind, after: Kind) -> str:
    smaller = _SIZES.get(after["name"], 4) < _SIZES.get(before["name"], 4)
    return f"{before['name']} becomes the smaller {after['name']}" if smaller else ""


def _numeric(before: Kind, after: Kind) -> str:
    if after.get("precision") is None:
        return ""
    if before.get("precision") is None:
        return f"{_words(before)} becomes {_words(after)}, and not every value has to fit"
    scales = before.get("scale") or 0, after.get("scale") or 0
    whole = before["precision"] - scales[0], after["precision"] - scales[1]
    return f"{_words(before)} becomes {_words(after)}" if whole[1] < whole[0] or scales[1] < scales[0] else ""


def _datetime(before: Kind, after: Kind) -> str:
    return "the time zone is dropped" if before.get("timezone") and not after.get("timezone") else ""


def _enum(before: Kind, after: Kind) -> str:
    gone = [value for value in before["values"] if value not in after["values"]]
    return f"the values {', '.join(gone)} are no longer allowed" if gone else ""


_CHECKS = {
    "STRING": _string,
    "INTEGER": _integer,
    "NUMERIC": _numeric,
    "FLOAT": _numeric,
    "DATETIME": _datetime,
    "TIME": _datetime,
    "ENUM": _enum,
}
