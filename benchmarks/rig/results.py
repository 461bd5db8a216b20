"""The raw results: one JSON file; an item measured again replaces what it was, with its own date, load and commit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rig import machine

FORMAT = 1


def load(path: Path) -> dict[str, Any]:
    """The file's content; an empty one where there is none."""
    if not path.exists():
        return {"format": FORMAT, "items": {}}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if content.get("format") != FORMAT:
        raise SystemExit(f"{path} is of format {content.get('format')}, not {FORMAT}: remove it and measure again")
    return content


def begun(quick: bool, versions: dict[str, str]) -> dict[str, Any]:
    """An item's entry before its first round."""
    return {
        "date": machine.now(),
        "commit": machine.commit(),
        "quick": quick,
        "machine": machine.machine(),
        "versions": versions,
        "load": [machine.load()],
        "left_out": {},
        "samples": [],
    }


def merged(content: dict[str, Any], key: str, entry: dict[str, Any]) -> dict[str, Any]:
    """With this item's entry in place of its old one."""
    return {**content, "items": {**content["items"], key: entry}}


def save(path: Path, content: dict[str, Any]) -> None:
    """Write it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    new.replace(path)
