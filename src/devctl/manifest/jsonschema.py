"""The JSON Schema of the grammar, as editors like it: forms are definitions, defaults are spelled as people do."""

from __future__ import annotations

import json
from typing import Any

from devctl.manifest.forms import FORMS
from devctl.manifest.group import REQUIRED, Group, Key
from devctl.manifest.shapes import ITEM, Expanded, Form, Json, ListOf, MappingOf

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ABOVE = {"description": "Ignored: a place for YAML anchors, as in Compose."}


def generate(file: type[Group]) -> Json:
    """The schema of a manifest whose grammar is ``file``."""
    groups: dict[str, Json] = {}
    made = _group(file, groups)
    made.pop("title")
    made["patternProperties"] = {"^x-": ABOVE}
    head = {"$schema": DIALECT, "$id": "urn:devctl:services.yaml", "title": "services.yaml"}
    forms = {name: {"title": name, **_settled(form)} for name, form in FORMS.items()}
    return {**head, **made, "$defs": {**groups, **forms}}


def _group(group: type[Group], groups: dict[str, Json]) -> Json:
    required = [name for name, key in group.keys.items() if key.default is REQUIRED]
    return {
        "type": "object",
        "properties": {name: _property(name, key, groups) for name, key in group.keys.items()},
        **({"required": required} if required else {}),
        "title": group.__name__,
        "description": group.__doc__,
        "additionalProperties": False,
        **({"oneOf": [{"required": [key]} for key in group.exactly_one]} if group.exactly_one else {}),
    }


def _property(name: str, key: Key, groups: dict[str, Json]) -> Json:
    schema = _shape(key.shape, groups)
    examples = {"examples": key.examples} if key.examples else {}
    default = _spelled(schema.get("$ref", "").rpartition("/")[2], key.default)
    shown = {} if default is None else {"default": default}
    return {"title": name, **schema, "description": key.description, **examples, **shown, **key.more}


def _shape(shape: Any, groups: dict[str, Json]) -> Json:
    match shape:
        case Form(schema=schema):
            return dict(_settled(schema))
        case Expanded(short=short, long=long):
            made = _shape(long, groups)
            return {"anyOf": [*(made["items"] if each is ITEM else _settled(each) for each in short.spellings), made]}
        case ListOf(item=item):
            return {"type": "array", "items": _shape(item, groups)}
        case MappingOf(item=item):
            return {"type": "object", "additionalProperties": _shape(item, groups)}
    if shape.__name__ not in groups:
        groups[shape.__name__] = _group(shape, groups)
    return {"$ref": f"#/$defs/{shape.__name__}"}


def _settled(node: Any) -> Any:
    """The node with its placeholders replaced."""
    if isinstance(node, list):
        return [_settled(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: each if key in {"default", "examples"} else _settled(each) for key, each in node.items()}
    if isinstance(kept.get("form"), str):
        kept = {"$ref": f"#/$defs/{kept.pop('form')}"} | kept
    return kept


def _spelled(form: str, default: Any) -> Any:
    if form == "duration":
        return f"{default * 1000:g}ms" if default < 1 else f"{default:g}s"
    if form == "statuses":
        return ",".join(f"{low}-{high}" for low, high in default)
    if form == "size":
        return f"{default // 1_000_000}MB"
    is_shown = default is not REQUIRED and not isinstance(default, Group) and default
    return json.loads(json.dumps(default)) if is_shown else None
