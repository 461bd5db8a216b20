"""Shapes a value of the manifest may have, as annotations of its keys: one way to read it, and to say what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Annotated, Any, Protocol, get_args, get_origin

from devctl.manifest.diagnostics import KeyPath
from devctl.manifest.parsers import Wrong

Json = dict[str, Any]
ITEM: Json = {}
"""In ``Short.spellings``: one item of the list, without the list."""


class Mistake:
    """What is wrong at ``path``; it is told at the key itself rather than its value with ``at_key``."""

    __slots__ = ("at_key", "hint", "message", "path")

    def __init__(self, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        self.path, self.message, self.hint, self.at_key = path, message, hint, at_key


class Shape(Protocol):
    """How a value is read."""

    def read(self, value: Any, path: KeyPath, mistakes: list[Mistake]) -> Any:
        """What ``value`` means. What is wrong is added to ``mistakes``, and what comes then is of no use."""


class Form:
    """Annotates a value that ``parse`` makes from what stands in the file; ``schema`` may be a name in ``FORMS``."""

    def __init__(self, parse: Callable[[Any], Any], schema: Json | str) -> None:
        self.parse, self.schema = parse, _named(schema)

    def read(self, value: Any, path: KeyPath, mistakes: list[Mistake]) -> Any:
        """As Shape."""
        try:
            return self.parse(value)
        except Wrong as wrong:
            mistakes.append(Mistake(path, wrong.message, wrong.hint))
            return None


class Short:
    """Annotates a value that has shorter spellings: ``expand`` turns them into the long one."""

    def __init__(self, expand: Callable[[Any], Any], *spellings: Json | str) -> None:
        self.expand, self.spellings = expand, [_named(each) for each in spellings]


class Expanded:
    """A value of the shape ``long`` that has the shorter spellings ``short``."""

    def __init__(self, short: Short, long: Shape) -> None:
        self.short, self.long = short, long

    def read(self, value: Any, path: KeyPath, mistakes: list[Mistake]) -> Any:
        """As Shape."""
        try:
            expanded = self.short.expand(value)
        except Wrong as wrong:
            mistakes.append(Mistake(path, wrong.message, wrong.hint))
            return None
        return self.long.read(expanded, path, mistakes)


class ListOf:
    """A list."""

    def __init__(self, item: Shape) -> None:
        self.item = item

    def read(self, value: Any, path: KeyPath, mistakes: list[Mistake]) -> Any:
        """As Shape."""
        if isinstance(value, list):
            return [self.item.read(each, (*path, index), mistakes) for index, each in enumerate(value)]
        mistakes.append(Mistake(path, "must be a list"))
        return None


class MappingOf:
    """A mapping of names; ``name`` is their Form where not every text will do, else None."""

    def __init__(self, name: Any, item: Shape) -> None:
        self.name, self.item = name, item

    def read(self, value: Any, path: KeyPath, mistakes: list[Mistake]) -> Any:
        """As Shape."""
        if isinstance(value, dict):
            return {self._key(key, path, mistakes): self.item.read(value[key], (*path, key), mistakes) for key in value}
        mistakes.append(Mistake(path, "must be a mapping of names"))
        return None

    def _key(self, key: str, path: KeyPath, mistakes: list[Mistake]) -> str:
        try:
            found: str = self.name.parse(key) if self.name else str(key)
        except Wrong as wrong:
            mistakes.append(Mistake((*path, key), wrong.message, wrong.hint, at_key=True))
            return key
        return found


def _named(schema: Json | str) -> Json:
    return {"form": schema} if isinstance(schema, str) else schema


def shape_of(annotation: Any) -> Shape:
    """The shape an annotation stands for; what is left out (None) never comes to be read."""
    inner = get_args(annotation)
    if (origin := get_origin(annotation)) is Annotated:
        # Only a Short needs the shape below it: a Form reads whatever the annotation says to the type checker.
        said = inner[1]
        return Expanded(said, shape_of(inner[0])) if isinstance(said, Short) else said
    if origin is list:
        return ListOf(shape_of(inner[0]))
    if origin is dict:
        return MappingOf(None if inner[0] is str else shape_of(inner[0]), shape_of(inner[1]))
    return shape_of(next(each for each in inner if each is not NoneType)) if inner else annotation
