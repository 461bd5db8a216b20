"""YAML as nodes with their places: text as written, nothing guessed.

Scalars stay the text that was written (``1.10`` is no number to be shortened, ``no`` no boolean): what a value
means is for the schema to say. Only null is told apart. Where a type must be guessed, ``typed`` follows the core
schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from devctl.errors import DevctlError, Exit

DEEPEST = 50
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
CORE_TAG = "tag:yaml.org,2002:"
Place = tuple[int, int]
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Text(str):
    """A scalar as written; ``plain`` when it stood without quotes."""

    __slots__ = ("plain",)
    plain: bool


def text_of(value: str, *, plain: bool) -> Text:
    """A Text."""
    text = Text(value)
    text.plain = plain
    return text


class Node(msgspec.Struct):
    """What the file holds, before aliases are followed. ``content``: Text, None, nodes, or pairs of nodes."""

    place: Place
    content: Any
    pairs: bool = False


def is_merge(node: Node) -> bool:
    """Whether it is the key ``<<``."""
    return isinstance(node.content, Text) and node.content == "<<" and node.content.plain


class Composer:
    """Nodes from the parser's events, with a limit to the depth (PyYAML's own composer has none)."""

    def __init__(self, text: str, shown: str) -> None:
        self._events: Iterator[Any] = iter(Loader(text).get_event, None)
        self._shown = shown
        self._anchors: dict[str, Node] = {}

    def compose(self) -> Node:
        """The one document."""
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise DevctlError("the manifest is empty", self._shown, "it holds nothing but comments", code=Exit.USAGE)
        node = self._node(next(self._events), 0)
        next(self._events)
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            raise self._refusal(event, "a second YAML document begins here", "remove the line ---")
        return node

    def _refusal(self, event: Any, what: str, hint: str = "") -> DevctlError:
        line, column = _place(event)
        return DevctlError(what, f"{self._shown}:{line}:{column}", hint=hint, code=Exit.USAGE)

    def _node(self, event: Any, depth: int) -> Node:
        if depth > DEEPEST:
            raise self._refusal(event, f"the manifest is nested more than {DEEPEST} levels deep")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._refusal(event, f"the alias *{event.anchor} has no anchor that ends before it")
            return Node(_place(event), self._anchors[event.anchor])
        node = self._content(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: Any, depth: int) -> Node:
        place = _place(event)
        if isinstance(event, yaml.ScalarEvent):
            return Node(place, self._scalar(event))
        if event.tag and event.tag not in {CORE_TAG + "map", CORE_TAG + "seq"}:
            raise self._refusal(event, f"the tag {event.tag} is not known here", "remove it")
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(place, list(self._children(yaml.SequenceEndEvent, depth)))
        children = list(self._children(yaml.MappingEndEvent, depth))
        return Node(place, list(zip(children[::2], children[1::2], strict=True)), pairs=True)

    def _children(self, end: type, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), end):
            yield self._node(event, depth + 1)

    def _scalar(self, event: Any) -> Text | None:
        tag = (event.tag or "").removeprefix(CORE_TAG)
        if tag not in {"", "!", "str", "int", "float", "bool", "null"}:
            raise self._refusal(event, f"the tag {event.tag} is not known here", "remove it")
        plain = not event.style and tag not in {"!", "str"}
        return None if plain and event.value in NULLS else text_of(event.value, plain=plain)


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


INTEGER = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def typed(value: Any) -> Any:
    """Text read as YAML 1.2 reads it: numbers and booleans where they stand without quotes."""
    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [typed(each) for each in value]
    if not isinstance(value, Text):
        return value
    if not value.plain:
        return str(value)
    if value in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return value.lower() == "true"
    if INTEGER.fullmatch(value) and len(value) < 300:
        return int(value)
    return float(value) if NUMBER.fullmatch(value) else str(value)
