"""The command lines of every day, understood without a library. Whatever is in any way unusual is left to it: help, an
option that isn't known, a value that doesn't fit. So there is one set of messages, and one of rules."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path

from devctl.cli.verbs import VERBS
from devctl.launch import ahead

TYPE_CHECKING = False  # typing itself, which takes 5 ms, is not needed for a supervisor to be on its way
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Words:
    """What may stand behind a verb: ``flags`` and ``values`` by option, each with the parameter it sets (and how a
    value is read), and ``names`` in any number, or exactly one ``name``."""

    def __init__(
        self,
        flags: Mapping[str, str],
        values: Mapping[str, tuple[str, Callable[[str], Any]]] | None = None,
        names: str = "",
        name: str = "",
    ) -> None:
        self.flags, self.values, self.names, self.name = flags, values or {}, names, name


class Asked:
    """As a typer.Context: ``obj`` is the manifest that was named."""

    def __init__(self, obj: Path | None) -> None:
        self.obj = obj


def _count(text: str) -> int:
    """Raises ValueError for what isn't plainly a number."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


SIMPLE: dict[str, Words] = {
    "up": Words(flags={"--yes": "yes", "-y": "yes", "--no-pull": "no_pull"}, names="services"),
    "down": Words(flags={"--yes": "yes", "-y": "yes", "--no-sync": "no_sync"}, names="services"),
    "status": Words(flags={"--watch": "watch", "-w": "watch", "--json": "as_json"}),
    "why": Words(flags={"--json": "as_json"}, name="service"),
    "logs": Words(
        flags={"--follow": "follow", "-f": "follow", "--json": "as_json"},
        values={
            "--lines": ("lines", _count),
            "-n": ("lines", _count),
            "--since": ("since", str),
            "--grep": ("grep", str),
        },
        names="services",
    ),
}


def simple(arguments: list[str]) -> Callable[[], int] | None:
    """What to do for these arguments, None when they are to be read by the library."""
    file, words = _file(arguments)
    if not words or words[0] not in SIMPLE:
        return None
    given = _given(SIMPLE[words[0]], words[1:])
    if given is None:
        return None
    if words[0] == "up":
        ahead(file)
    import_module("devctl.api")  # first of all: it says how msgspec comes in
    work = import_module(VERBS[words[0]].module).app.work
    return partial(work, Asked(file), **given)


def _file(arguments: list[str]) -> tuple[Path | None, list[str]]:
    """The manifest named before the verb, and the rest."""
    if len(arguments) > 1 and arguments[0] in {"-f", "--file"}:
        return Path(arguments[1]), arguments[2:]
    return None, arguments


def _given(known: Words, words: list[str]) -> dict[str, Any] | None:
    """The parameters that were given."""
    given: dict[str, Any] = {}
    names: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in known.flags:
            given[known.flags[word]] = True
        elif word in known.values:
            parameter, read = known.values[word]
            value = next(rest, "-")
            if value.startswith("-"):
                return None
            try:
                given[parameter] = read(value)
            except ValueError:
                return None
        elif word.startswith("-") or not word:
            return None
        else:
            names.append(word)
    return _named(known, given, names)


def _named(known: Words, given: dict[str, Any], names: list[str]) -> dict[str, Any] | None:
    if known.name:
        return {**given, known.name: names[0]} if len(names) == 1 else None
    if known.names:
        return {**given, known.names: names or None}
    return None if names else given
