"""Whatever stands in the file, what comes is a manifest or an error with a place: never a traceback."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from devctl.core.model import Manifest
from devctl.errors import DevctlError
from devctl.manifest.diagnostics import ManifestError
from devctl.manifest.load import load
from devctl.manifest.schema import json_schema

WHOLE = (Path(__file__).parent / "whole.yaml").read_text(encoding="utf-8")
SECRETS = {"ADMIN_PASSWORD": "x"}
KEYS = sorted({key for each in json_schema()["$defs"].values() for key in each.get("properties", {})})
SCALARS = [
    "", "x", "a", "b", "no", "true", "5s", "8000", "-1", "1e400", "http://localhost:1/", "tcp://x:1", "tcp://x:99999",
    "http://[", "a -> b", "a <-> a", "${A}", "${A:-1}", "${services.a.url}", "${services.b.port}", "${", "$$", "~",
    "\x00", "\u2028", "é", "💥", "a/b", "..", "/", "*", "[", "(", "0" * 400, "SIGTERM", "on-failure:3", "10MB",
]  # fmt: skip


def anything(dice: random.Random, depth: int = 0) -> Any:
    """A value with keys of the grammar in places where they may or may not belong."""
    kind = dice.random()
    if depth > 4 or kind < 0.45:
        return dice.choice([*SCALARS, None, True, 0, 3.5, 99999])
    if kind < 0.6:
        return [anything(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {dice.choice([*KEYS, "a", "b", "x y", ""]): anything(dice, depth + 1) for _ in range(dice.randrange(6))}


def check(path: Path) -> bool:
    """Whether it loads; if it doesn't, the error must say where."""
    refused: DevctlError | None = None
    try:
        manifest = load(path, SECRETS)
    except DevctlError as error:
        refused = error
    else:
        assert msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest) == manifest
    if refused is not None:
        assert (refused.code, bool(refused.where)) == (2, True)
    if isinstance(refused, ManifestError):
        assert refused.diagnostics
        assert all(each.line >= 1 and each.column >= 1 and each.message for each in refused.diagnostics)
    return refused is None


@pytest.mark.parametrize("seed", range(20))
def test_random_values(seed: int, write: Callable[..., Path]) -> None:
    dice = random.Random(seed)
    for _ in range(40):
        services = {name: anything(dice, 1) for name in "ab"}
        document = {"name": "demo", "services": services} | {
            key: anything(dice, 1) for key in ("git", "relations", "clean", "mirrors", "compose") if dice.random() < 0.4
        }
        check(write(yaml.safe_dump(document if dice.random() < 0.9 else anything(dice), allow_unicode=True)))


@pytest.mark.parametrize("seed", range(10))
def test_a_good_file_with_one_value_replaced(seed: int, write: Callable[..., Path]) -> None:
    dice = random.Random(seed)
    for _ in range(20):
        document = yaml.safe_load(WHOLE)
        node: Any = document
        while True:
            key = dice.choice(list(node)) if isinstance(node, dict) else dice.randrange(len(node))
            if not isinstance(node[key], dict | list) or not node[key] or dice.random() < 0.2:
                node[key] = anything(dice, 3)
                break
            node = node[key]
        check(write(yaml.safe_dump(document, allow_unicode=True)))


@pytest.mark.parametrize("seed", range(10))
def test_a_good_file_with_characters_lost_and_found(seed: int, write: Callable[..., Path]) -> None:
    dice = random.Random(seed)
    for _ in range(20):
        text = list(WHOLE)
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(len(text))
            text[at : at + dice.randrange(3)] = dice.choice(
                ["", "\t", "{", "}", "[", ":", "&a ", "*a ", "'", "\n", "- "]
            )
        check(write("".join(text)))


def test_bytes_of_any_kind(write: Callable[..., Path]) -> None:
    dice = random.Random(1)
    for _ in range(300):
        check(write(dice.randbytes(dice.randrange(1, 200))))


def test_the_good_file_is_good(write: Callable[..., Path]) -> None:
    assert check(write(WHOLE))
