"""The JSON Schema and the reference page: current, valid, and of one mind with the code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from devctl.core.model import Manifest
from devctl.manifest import reference, schema
from devctl.manifest.load import load

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
EXAMPLES = [HERE / "whole.yaml", reference.EXAMPLE, ROOT / "services.yaml"]


class Yaml12(yaml.SafeLoader):
    """As editors read: ``no`` is a word."""


Yaml12.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def judged(text: str) -> list[str]:
    """What an editor would underline."""
    validator = jsonschema.Draft202012Validator(schema.json_schema())
    return [error.message for error in validator.iter_errors(yaml.load(text, Yaml12))]


def test_the_schema_file_is_current() -> None:
    assert schema.check(ROOT) == ""


def test_the_reference_page_is_current() -> None:
    assert reference.check(ROOT) == ""


def test_check_notices(tmp_path: Path) -> None:
    for module, file in ((schema, schema.SCHEMA_FILE), (reference, reference.REFERENCE_FILE)):
        assert str(file) in module.check(tmp_path)
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text(module.render(), encoding="utf-8")
        assert module.check(tmp_path) == ""
        (tmp_path / file).write_text(module.render() + " ", encoding="utf-8")
        assert str(file) in module.check(tmp_path)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.json_schema())
    assert json.loads(schema.render()) == schema.json_schema()


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a schema."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(each)


def test_every_key_has_a_title_and_a_description_and_every_reference_leads_somewhere() -> None:
    made = schema.json_schema()
    for group in (made, *made["$defs"].values()):
        assert group["description"]
        for key, value in group.get("properties", {}).items():
            assert value["title"] == key
            assert value["description"].endswith((".", "…")), key
    references = {node["$ref"] for node in nodes(made) if isinstance(node.get("$ref"), str)}
    assert references == {f"#/$defs/{name}" for name in made["$defs"]}
    assert not [node for node in nodes(made) if "form" in node and isinstance(node["form"], str)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_validate_and_load(path: Path) -> None:
    assert judged(path.read_text(encoding="utf-8")) == []
    assert load(path, {"ADMIN_PASSWORD": "x"}).services


def test_examples_and_defaults_in_the_schema_are_themselves_valid() -> None:
    made = schema.json_schema()
    for node in nodes(made):
        for value in [*node.get("examples", ()), *([node["default"]] if "default" in node else [])]:
            assert not list(jsonschema.Draft202012Validator({**node, "$defs": made["$defs"]}).iter_errors(value)), value


GOOD = [
    "command: [npm, run, dev]",
    "command: x, setup: npm ci",
    "command: x, setup: {command: npm ci, inputs: package.json}",
    "command: x, setup: [npm ci, {command: [make], outputs: [out]}]",
    "command: x, ports: 8000",
    "command: x, ports: {http: 8000}",
    'command: x, ports: ["${PORT:-1}"]',
    "command: x, health: {tcp: 5432, period: 1m30s}",
    "command: x, health: {log: ready}",
    "command: x, health: {http: 'http://h/', status: [200, 300-399]}",
    "command: x, restart: no",
    "command: x, restart: on-failure:4",
    "command: x, restart: {policy: always, max_delay: 5s}",
    "command: x, environment: {A: 1, B: true, C: null, D: text}",
    "command: x, environment: [A=1, B]",
    "command: x, stop_signal: 15",
    "command: x, profiles: ui",
    "external: true",
    "library: true, path: x",
]


@pytest.mark.parametrize("keys", GOOD)
def test_what_the_code_takes_the_schema_takes(keys: str, loaded: Callable[..., Manifest]) -> None:
    text = f"name: demo\nservices:\n  a: {{{keys}}}\n"
    assert loaded(text).services
    assert judged(text) == []


BAD = [
    "comand: x",
    "command: x, library: true",
    "ports: [1]",
    "command: x, ports: [70000]",
    "command: x, health: localhost:80",
    "command: x, health: {tcp: 1, http: 'http://h/'}",
    "command: x, health: {tcp: 1, period: 5}",
    "command: x, restart: sometimes",
    "command: x, depends_on: {b: {condition: ready}}",
    "command: x, on_unhealthy: ignore",
    "command: x, database: {models: a:b}",
]


@pytest.mark.parametrize("keys", BAD)
def test_what_the_schema_underlines_the_code_refuses(
    keys: str, write: Callable[..., Path], mistakes: Callable[..., list[str]]
) -> None:
    text = f"name: demo\nservices:\n  a: {{{keys}}}\n"
    assert judged(text)
    assert mistakes(write(text), {}) != ["no mistake"]


def test_every_group_has_a_section() -> None:
    made = schema.json_schema()
    groups = {name for name, each in made["$defs"].items() if "properties" in each}
    assert groups == set(reference.HEADINGS)
    page = reference.render()
    anchors = {line.lstrip("# ").strip("`") for line in page.splitlines() if line.startswith("## ")}
    assert set(reference.HEADINGS.values()) <= anchors
