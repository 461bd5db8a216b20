"""A YAML file as plain values, with the line and column of every key."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import msgspec
import yaml

from devctl.errors import DevctlError, Exit
from devctl.manifest.diagnostics import Diagnostic, KeyPath, key_text
from devctl.manifest.nodes import DEEPEST, Composer, Node, Place, Text, is_merge

LARGEST_FILE = 1_000_000
MOST_VALUES = 50_000


class Document(msgspec.Struct):
    """``value`` holds dicts, lists, Text and None; ``file`` is the name to show in messages."""

    file: str
    value: Any = None
    keys: dict[KeyPath, Place] = {}
    values: dict[KeyPath, Place] = {}
    problems: list[Diagnostic] = []

    def add(self, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        """Note a mistake at ``path``, in the terms of the file as it was written (shorthands and all)."""
        written = self.written(path)
        line, column = self._place(written, at_key=at_key)
        shown = written if written == path else self._shown(written, path)
        self.problems.append(Diagnostic(line, column, key_text(shown), message, hint))

    def written(self, path: KeyPath) -> KeyPath:
        """The longest path in the file that leads to where ``path`` points."""
        node, found = self.value, list[str | int]()
        for part in path:
            step = _step(node, part)
            if step is None:
                if not (isinstance(node, dict) and part == 0):
                    break
                continue
            found.append(step)
            node = node[step]
        return tuple(found)

    def _shown(self, written: KeyPath, path: KeyPath) -> KeyPath:
        """A name in a list is said by the message, so the key's path ends at the list."""
        index = len(written) - 1
        is_name = bool(written) and isinstance(written[-1], int) and index < len(path) and isinstance(path[index], str)
        return written[:-1] if is_name else written

    def _place(self, path: KeyPath, *, at_key: bool) -> Place:
        if at_key and path in self.keys:
            return self.keys[path]
        return self.values.get(path, (1, 1))


def _step(node: Any, part: str | int) -> str | int | None:
    if isinstance(node, dict) and part in node:
        return part
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return part
    if isinstance(node, list) and isinstance(part, str) and part in node:
        return node.index(part)
    return None


def read(path: Path, shown: str) -> str:
    """The text of a manifest file; DevctlError (exit 2) when it can't be a manifest."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _unreadable(shown, "it is a folder", "name the file in it: -f FOLDER/services.yaml")
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(shown, "it is not a regular file")
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _unreadable(shown, (error.strerror or str(error)).lower()) from error
    if len(content) > LARGEST_FILE:
        raise _unreadable(shown, f"it is larger than {LARGEST_FILE // 1_000_000} MB", "is it the right file?")
    return _decoded(content, shown)


def _unreadable(shown: str, why: str, hint: str = "") -> DevctlError:
    return DevctlError("the manifest can't be read", shown, why, hint, Exit.USAGE)


def _decoded(content: bytes, shown: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unreadable(f"{shown}:{line}", "it is not UTF-8", "save it with the encoding UTF-8") from error
    if not text.strip():
        raise DevctlError("the manifest is empty", shown, hint="it needs at least name: and services:", code=Exit.USAGE)
    return text


def parse(text: str, shown: str) -> Document:
    """The document in ``text``; its ``problems`` hold duplicate keys and the like. DevctlError when it is no YAML."""
    document = Document(shown)
    try:
        node = Composer(text, shown).compose()
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, shown) from error
    document.value = _Expansion(document).value(node, ())
    return document


def _syntax_error(error: yaml.YAMLError, text: str, shown: str) -> DevctlError:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        why = "it holds a control character" if isinstance(error, yaml.reader.ReaderError) else str(error)
        return DevctlError("the manifest is no valid YAML", shown, why, code=Exit.USAGE)
    if "end of stream" in str(getattr(error, "problem", "")) and error.context_mark is not None:  # type: ignore[attr-defined]
        mark = error.context_mark  # type: ignore[attr-defined]
    lines = text.splitlines() or [""]
    number = min(mark.line, len(lines) - 1)
    why, hint = _explained(str(getattr(error, "problem", "") or "").strip(), lines[number])
    where = f"{shown}:{number + 1}:{mark.column + 1}"
    return DevctlError("the manifest is no valid YAML", where, why, hint, Exit.USAGE)


def _explained(problem: str, line: str) -> tuple[str, str]:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "the line is indented with a tab", "indent with spaces"
    if re.search(r"[\[{,:]\s*\$\{", line):
        return "${…} stands unquoted inside [ ] or { }", 'put quotes around it: "${…}"'
    if "mapping values are not allowed" in problem:
        return "a second “: ” in the line", "put quotes around the value"
    if "cannot start any token" in problem:
        return "a value can't begin with this character", "put quotes around the value"
    if "end of stream" in problem:
        return "a quote or bracket is never closed", ""
    return problem, ""


class _Expansion:
    """Values from nodes: aliases followed, ``<<`` merged, everything counted so that no bomb goes off."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def value(self, node: Node, path: KeyPath) -> Any:
        """The value of a node; its places are noted under ``path``."""
        self._count += 1
        if self._count > MOST_VALUES or len(path) > DEEPEST:
            raise self._refusal(node, f"the manifest's aliases grow to more than {MOST_VALUES} values")
        self._document.values[path] = node.place
        return self._content(node.content if isinstance(node.content, Node) else node, path)

    def _refusal(self, node: Node, what: str) -> DevctlError:
        line, column = node.place
        return DevctlError(what, f"{self._document.file}:{line}:{column}", code=Exit.USAGE)

    def _content(self, node: Node, path: KeyPath) -> Any:
        if node.pairs:
            return self._mapping(node, path)
        if isinstance(node.content, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.content)]
        return node.content

    def _mapping(self, node: Node, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in sorted(node.content, key=lambda pair: not is_merge(pair[0])):
            key = self._key(key_node, path)
            if is_merge(key_node):
                merged = self._merged(value_node, path) | merged
            elif key in result:
                line = self._document.keys[*path, key][0]
                self._note(key_node, (*path, key), f"the key stands twice; the first is in line {line}")
            elif key is not None:
                self._document.keys[*path, str(key)] = key_node.place
                result[str(key)] = self.value(value_node, (*path, str(key)))
        return merged | result

    def _key(self, node: Node, path: KeyPath) -> Text | None:
        content = node.content.content if isinstance(node.content, Node) else node.content
        if isinstance(content, Text) and content:
            return content
        self._note(node, path, "a key must be a word")
        return None

    def _merged(self, node: Node, path: KeyPath) -> dict[str, Any]:
        place = self._document.values[path]
        value = self.value(node, path)
        self._document.values[path] = place
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._note(node, path, "<< takes a mapping or a list of mappings")
            return {}
        return {key: each for source in reversed(sources) for key, each in source.items()}

    def _note(self, node: Node, path: KeyPath, message: str) -> None:
        self._document.problems.append(Diagnostic(*node.place, key_text(path), message))
