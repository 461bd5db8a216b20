"""The manifest against its grammar: every mistake at once. ``python -m devctl.manifest.schema`` prints JSON Schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from devctl.manifest.diagnostics import KeyPath, did_you_mean, listing
from devctl.manifest.grammar import File
from devctl.manifest.group import Group
from devctl.manifest.source import Document

SCHEMA_FILE = Path("schema") / "services.schema.json"
ROUNDS = 20
SYNONYMS = {
    "args": "command",
    "cmd": "command",
    "cwd": "path",
    "depends": "depends_on",
    "dir": "path",
    "entrypoint": "command",
    "env": "environment",
    "folder": "path",
    "healthcheck": "health",
    "image": "compose",
    "interval": "period",
    "needs": "depends_on",
    "retries": "failure_threshold",
    "run": "command",
    "working_dir": "path",
}


def validate(document: Document, tree: Any, failed: frozenset[KeyPath]) -> File:
    """The file as far as it is right; what is wrong is noted in ``document``, except below the ``failed`` paths."""
    tree = _without_extensions(tree)
    try:
        return File.model_validate(tree)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    for each in errors:
        _note(document, each, failed)
    return _remainder(tree, [_wrong_path(each) for each in errors])


def _without_extensions(tree: Any) -> Any:
    """Compose's ``x-…`` keys at the top: a place for anchors."""
    return {key: each for key, each in tree.items() if not key.startswith("x-")} if isinstance(tree, dict) else tree


def _remainder(tree: Any, paths: list[KeyPath]) -> File:
    """What is left without the values that are wrong, so that everything else is still checked."""
    kept: dict[str, Any] = tree if isinstance(tree, dict) else {}
    for _ in range(ROUNDS):
        for path in paths:
            _prune(kept, path)
        try:
            return File.model_validate({"name": "unnamed", "services": {}, **kept})
        except ValidationError as error:
            paths = [_wrong_path(each) for each in error.errors(include_url=False, include_input=False)]
    return File.model_validate({"name": "unnamed", "services": {}})


def _wrong_path(error: Any) -> KeyPath:
    """Where an error stands in the file: a missing key's group, a wrong key itself."""
    path: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
    return path[:-1] if error["type"] == "missing" else path


def _prune(node: Any, path: KeyPath) -> None:
    """Take away the innermost key on the path (of a list, all: places in it must stay what they are)."""
    owner, key = None, None
    for part in path:
        if not isinstance(node, dict) or part not in node:
            break
        owner, key, node = node, part, node[part]
    if owner is not None:
        owner.pop(key)


def _note(document: Document, error: Any, failed: frozenset[KeyPath]) -> None:
    path = _wrong_path(error)
    written = document.written(path)
    if any(written[: len(each)] == each for each in failed):
        return
    match error["type"]:
        case "devctl":
            document.add(path, error["ctx"]["message"], error["ctx"]["hint"], at_key=error["loc"][-1:] == ("[key]",))
        case "extra_forbidden":
            document.add(path, "no such key", _better_key(path), at_key=True)
        case "missing":
            key = str(error["loc"][-1])
            document.add(path, f"{key} is missing", _example(path, key), at_key=True)
        case "dict_type":
            document.add(path, "must be a mapping of names")
        case "list_type":
            document.add(path, "must be a list")
        case _:
            document.add(path, str(error["msg"]).lower())


def _better_key(path: KeyPath) -> str:
    word, known = str(path[-1]), group_at(path[:-1]).keys()
    if word in {"build", "image", "volumes", "networks"} and path[0] == "services":
        return "that belongs in the Compose file; name its service there with compose:"
    synonym = SYNONYMS.get(word, "")
    if synonym in known:
        return f"did you mean {synonym}?"
    return did_you_mean(word, known) or f"keys here are {listing(known)}"


def _example(path: KeyPath, key: str) -> str:
    group = group_at(path)
    field = group.model_fields[group.keys()[key]]
    return f"such as {key}: {json.dumps(field.examples[0], ensure_ascii=False)}" if field.examples else ""


def group_at(path: KeyPath) -> type[Group]:
    """The group of keys a path leads to."""
    here: Any = File
    for part in path:
        if isinstance(here, type) and issubclass(here, Group):
            here = _inner(here.model_fields[here.keys()[str(part)]].annotation)
        else:
            here = _inner(get_args(here)[-1])
    return here if isinstance(here, type) and issubclass(here, Group) else Group


def _inner(annotation: Any) -> Any:
    """The annotation without ``| None`` and ``Annotated``."""
    if hasattr(annotation, "__metadata__"):
        return _inner(get_args(annotation)[0])
    options = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) not in {list, dict, tuple} and len(options) == 1:
        return _inner(options[0])
    return annotation


def json_schema() -> dict[str, Any]:
    """The JSON Schema of services.yaml (draft 2020-12)."""
    from devctl.manifest.jsonschema import generate

    return generate(File)


def render() -> str:
    """The JSON Schema as the text of its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def check(root: Path) -> str:
    """An empty text when the schema file below ``root`` is current, otherwise what to do."""
    file = root / SCHEMA_FILE
    current = file.read_text(encoding="utf-8") if file.is_file() else ""
    if current == render():
        return ""
    return f"{SCHEMA_FILE} is not what the code says: python -m devctl.manifest.schema > {SCHEMA_FILE}"


if __name__ == "__main__":
    sys.stdout.write(render())
