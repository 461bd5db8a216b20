# ruff: noqa: INP001 - a script
"""Draws the two diagrams of docs/architecture.md from what the program really is: its transitions, its layers.

``python docs/tools/architecture.py`` writes them between their markers; ``--check`` exits 1 when they aren't current.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from devctl.core.lifecycle import TRANSITIONS
from devctl.core.state import State

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/architecture.md"


def states() -> str:
    """The state diagram. Events that leave a state as it is are left out."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for event, table in TRANSITIONS.items():
        for before, afters in table.items():
            for after in afters:
                if after is not before:
                    arrows.setdefault((before, after), []).append(event.__name__)
    lines = [f"    {before} --> {after}: {', '.join(events)}" for (before, after), events in arrows.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {State.STOPPED}", *lines])


def layers() -> str:
    """The rooms, top to bottom. A room may import from every layer below its own."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [each for each in config["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    lines = ["flowchart TB"]
    for number, layer in enumerate(contract["layers"]):
        rooms = [room.strip().strip("()") for room in layer.split("|")]
        lines += [f'    subgraph layer{number} [" "]', "        direction LR"]
        lines += [f"        {room}" for room in rooms]
        lines += ["    end"]
    steps = range(len(contract["layers"]) - 1)
    return "\n".join([*lines, *(f"    layer{number} --> layer{number + 1}" for number in steps)])


def drawn(page: str) -> str:
    """The page with both diagrams as they are now."""
    for name, diagram in (("states", states()), ("layers", layers())):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        block = f"```mermaid\n{diagram}\n```\n"
        page, found = re.subn(pattern, lambda match, block=block: match[1] + block + match[2], page, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{PAGE.name} has no place for the diagram {name!r}, or several")
    return page


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` say whether it is current."""
    before = PAGE.read_text(encoding="utf-8")
    after = drawn(before)
    if "--check" in arguments:
        if before != after:
            sys.stderr.write("docs/architecture.md is not current: python docs/tools/architecture.py\n")
        return int(before != after)
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
