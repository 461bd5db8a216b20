"""The manifest against its grammar: every mistake at once. ``python -m devctl.manifest.schema`` prints JSON Schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from devctl.manifest.diagnostics import KeyPath
from devctl.manifest.grammar import File
from devctl.manifest.shapes import Mistake
from devctl.manifest.source import Document

SCHEMA_FILE = Path("schema") / "services.schema.json"
ROUNDS = 20
NOTHING = {"name": "unnamed", "services": dict[str, Any]()}


def validate(document: Document, tree: Any, failed: frozenset[KeyPath]) -> File:
    """The file as far as it is right; what is wrong is noted in ``document``, except below the ``failed`` paths."""
    tree = _without_extensions(tree)
    mistakes: list[Mistake] = []
    file = File.read(tree, (), mistakes)
    for each in mistakes:
        _note(document, each, failed)
    return _remainder(tree, mistakes) if mistakes else file


def _without_extensions(tree: Any) -> Any:
    """Compose's ``x-…`` keys at the top: a place for anchors."""
    return {key: each for key, each in tree.items() if not key.startswith("x-")} if isinstance(tree, dict) else tree


def _remainder(tree: Any, mistakes: list[Mistake]) -> File:
    """What is left without the values that are wrong, so that everything else is still checked."""
    kept: dict[str, Any] = tree if isinstance(tree, dict) else {}
    for _ in range(ROUNDS):
        for each in mistakes:
            _prune(kept, each.path)
        mistakes = []
        file = File.read({**NOTHING, **kept}, (), mistakes)
        if not mistakes:
            return file
    return File.read(NOTHING, (), [])


def _prune(node: Any, path: KeyPath) -> None:
    """Take away the innermost key on the path (of a list, all: places in it must stay what they are)."""
    owner, key = None, None
    for part in path:
        if not isinstance(node, dict) or part not in node:
            break
        owner, key, node = node, part, node[part]
    if owner is not None:
        owner.pop(key)


def _note(document: Document, mistake: Mistake, failed: frozenset[KeyPath]) -> None:
    written = document.written(mistake.path)
    if not any(written[: len(each)] == each for each in failed):
        document.add(mistake.path, mistake.message, mistake.hint, at_key=mistake.at_key)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of services.yaml (draft 2020-12)."""
    from devctl.manifest.jsonschema import generate

    return generate(File)


def render() -> str:
    """The JSON Schema as the text of its file."""
    import json

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
