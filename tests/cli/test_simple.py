"""The command lines of every day are understood as the library understands them, or left to it."""

from __future__ import annotations

import inspect
import itertools
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from devctl.cli import simple as simple_module
from devctl.cli.declared import Declared
from devctl.cli.simple import SIMPLE, simple
from devctl.cli.verbs import VERBS

ODD = ("--", "-", "--help", "--nope", "-x", "", "--json=1", "--yes=no", "--native", "--lines=3", "-n3", "-yf", "--file")
PLAIN = ("api", "web", "5", "-5", "05", "5m", "x y", "٣")


def app(verb: str) -> Declared:
    found = import_module(VERBS[verb].module).app
    assert isinstance(found, Declared)
    return found


def by_the_library(verb: str, words: list[str]) -> dict[str, Any] | None:
    """The parameters it would call the verb with, None where it would tell something instead."""
    try:
        with get_command(app(verb).typer()).make_context(verb, list(words)) as context:
            return {name: _as_called(value) for name, value in context.params.items()}
    except (typer.Exit, typer.TyperException):
        return None


def _as_called(value: object) -> object:
    """The library hands a verb its lists as lists, and an empty one as its default."""
    return (list(value) or None) if isinstance(value, tuple) else value


def defaults(verb: str) -> dict[str, Any]:
    parameters = inspect.signature(app(verb).work).parameters
    return {name: each.default for name, each in list(parameters.items())[1:]}


def lines(verb: str) -> list[list[str]]:
    """Every row of up to three words, of those it knows and of odd ones."""
    pool = [*SIMPLE[verb].flags, *SIMPLE[verb].values, *PLAIN[:4], *ODD]
    return [list(row) for length in range(3) for row in itertools.product(pool, repeat=length)] + [
        [first, second, third]
        for first in [*SIMPLE[verb].values, "api"]
        for second in PLAIN
        for third in [*SIMPLE[verb].flags, *PLAIN]
    ]


@pytest.mark.parametrize("verb", SIMPLE)
def test_what_is_understood_is_what_the_library_understands(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    understood = 0
    for words in lines(verb):
        given = simple_module._given(SIMPLE[verb], words)
        if given is not None:
            understood += 1
            assert {**defaults(verb), **given} == by_the_library(verb, words), words
    assert understood > 5


@pytest.mark.parametrize(
    ("arguments", "verb", "given"),
    [
        (["status"], "status", {}),
        (["status", "--json"], "status", {"as_json": True}),
        (["why", "api"], "why", {"service": "api"}),
        (["up"], "up", {"services": None}),
        (["up", "a", "-y", "b"], "up", {"services": ["a", "b"], "yes": True}),
        (["down", "--no-sync"], "down", {"services": None, "no_sync": True}),
        (["logs", "-n", "5", "--grep", "x", "api"], "logs", {"services": ["api"], "lines": 5, "grep": "x"}),
    ],
)
def test_the_ordinary_is_understood(arguments: list[str], verb: str, given: dict[str, Any]) -> None:
    found: Any = simple(arguments)
    assert found.func is app(verb).work
    assert found.keywords == given
    assert found.args[0].obj is None
    named: Any = simple(["-f", "x.yaml", *arguments])
    assert named.args[0].obj == Path("x.yaml")


@pytest.mark.parametrize(
    "arguments",
    [[], ["--help"], ["--version"], ["-f"], ["-f", "x.yaml"], ["statsu"], ["restart", "a"], ["status", "a"], ["why"],
     ["why", "a", "b"], ["up", "--native"], ["up", "--dry-run"], ["status", "--file", "x"], ["logs", "-n"],
     ["logs", "-n", "many"], ["logs", "-n", "-1"], ["logs", "--since"], ["--file=x.yaml", "status"]],
)  # fmt: skip
def test_the_rest_is_left_to_the_library(arguments: list[str]) -> None:
    assert simple(arguments) is None
