"""Constraints and indexes as one line of text: two are the same when their lines are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def unique(parts: Mapping[str, Any]) -> str:
    """``(a, b) NULLS NOT DISTINCT DEFERRABLE``."""
    return (
        _columns(parts["columns"]) + (" NULLS NOT DISTINCT" if parts["nulls_not_distinct"] else "") + _deferral(parts)
    )


def foreign_key(parts: Mapping[str, Any]) -> str:
    """``(owner_id) to users (id) ON DELETE CASCADE``."""
    text = "{} to {} {}".format(_columns(parts["columns"]), parts["target"], _columns(parts["targets"]))
    for word, key in (("MATCH", "match"), ("ON UPDATE", "on_update"), ("ON DELETE", "on_delete")):
        if parts[key] not in ("SIMPLE", "NO ACTION"):
            text += f" {word} {parts[key]}"
    return text + _deferral(parts) + ("" if parts["validated"] else " NOT VALID")


def index(parts: Mapping[str, Any], canonical: Callable[[str], str]) -> str:
    """``unique gin (lower(name) text_pattern_ops DESC) INCLUDE (a) WHERE enabled``."""
    keys = ", ".join(_key(each, canonical) for each in parts["parts"])
    text = "{}{} ({})".format("unique " if parts["unique"] else "", parts["method"], keys)
    if parts["included"]:
        text += " INCLUDE " + _columns(parts["included"])
    if parts["nulls_not_distinct"]:
        text += " NULLS NOT DISTINCT"
    return text + (" WHERE " + canonical(parts["predicate"]) if parts["predicate"] else "")


def _key(part: Mapping[str, Any], canonical: Callable[[str], str]) -> str:
    words = [part["column"] or canonical(part["text"])]
    words += ['COLLATE "{}"'.format(part["collation"])] if part["collation"] else []
    words += [part["operators"]] if part["operators"] else []
    words += ["DESC"] if part["descending"] else []
    usual = "FIRST" if part["descending"] else "LAST"
    return " ".join(words + (["NULLS " + part["nulls"]] if part["nulls"] not in ("", usual) else []))


def _columns(names: Any) -> str:
    return "({})".format(", ".join(names or ()))


def _deferral(parts: Mapping[str, Any]) -> str:
    return (" DEFERRABLE" if parts["deferrable"] else "") + (" INITIALLY DEFERRED" if parts["deferred"] else "")
