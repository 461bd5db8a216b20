"""The JSON Schema of the grammar, as editors like it: forms are definitions, defaults are spelled as people do."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from devctl.manifest.forms import FORMS, Json
from devctl.manifest.group import Group

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ABOVE = {"description": "Ignored: a place for YAML anchors, as in Compose."}


class _Generator(GenerateJsonSchema):
    """pydantic's generator without its guesses at titles."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: the key is the title."""
        del schema
        return False

    def sort(self, value: Any, parent_key: str | None = None) -> Any:
        """Never: keys keep the order of the grammar."""
        del parent_key
        return value


def generate(file: type[Group]) -> Json:
    """The schema of a manifest whose grammar is ``file``."""
    made = file.model_json_schema(by_alias=True, schema_generator=_Generator)
    groups: Json = made.pop("$defs")
    forms = {name: {"title": name, **_settled(form)} for name, form in FORMS.items()}
    for name, group in groups.items():
        groups[name] = _settled(group)
    made = _settled(made)
    made.pop("title")
    made["patternProperties"] = {"^x-": ABOVE}
    head = {"$schema": DIALECT, "$id": "urn:devctl:services.yaml", "title": "services.yaml"}
    return {**head, **made, "$defs": {**groups, **forms}}


def _settled(node: Any) -> Any:
    """The node with its placeholders replaced and its keys' titles and defaults made readable."""
    if isinstance(node, list):
        return [_settled(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: each if key in {"default", "examples"} else _settled(each) for key, each in node.items()}
    if isinstance(kept.get("form"), str):
        kept = {"$ref": f"#/$defs/{kept.pop('form')}"} | kept
    for key, schema in (kept.get("properties") or {}).items():
        kept["properties"][key] = {"title": key} | _property(schema)
    return kept


def _property(schema: Json) -> Json:
    """A key without what only Python knows: null for left out, empty defaults, seconds as floats."""
    options = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(options) == 1:
        schema = options[0] | {key: each for key, each in schema.items() if key != "anyOf"}
    elif options:
        schema = schema | {"anyOf": options}
    default = _spelled(schema.get("$ref", "").rpartition("/")[2], schema.get("default"))
    kept = {key: each for key, each in schema.items() if key != "default"}
    return kept if default is None else kept | {"default": default}


def _spelled(form: str, default: Any) -> Any:
    if form == "duration":
        return f"{default * 1000:g}ms" if default < 1 else f"{default:g}s"
    if form == "statuses":
        return ",".join(f"{low}-{high}" for low, high in default)
    if form == "size":
        return f"{default // 1_000_000}MB"
    return None if isinstance(default, dict) or default in (None, "", False) or default == [] else default
