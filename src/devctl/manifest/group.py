"""What every group of keys in services.yaml has in common."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Self

from devctl.manifest.diagnostics import KeyPath, did_you_mean, listing
from devctl.manifest.parsers import Wrong, kind
from devctl.manifest.shapes import Json, Mistake, Shape, shape_of

REQUIRED: Any = object()
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


class Key:
    """One key of a group: ``name`` is its attribute in Python, ``default`` what it means when it is left out."""

    def __init__(self, default: Any, description: str, examples: list[Any], alias: str, more: Json) -> None:
        self.default, self.description, self.examples = default, description, examples
        self.alias, self.more = alias, more
        self.name, self.annotation = "", object()

    @cached_property
    def shape(self) -> Shape:
        """How its value is read."""
        return shape_of(self.annotation)


def field(
    default: Any = REQUIRED,
    *,
    description: str,
    examples: list[Any] | None = None,
    alias: str = "",
    more: Json | None = None,
) -> Any:
    """A key of a group, beside the annotation that says how it is read; ``more`` goes into the JSON Schema."""
    return Key(default, description, examples or [], alias, more or {})


class Group:
    """Keys that belong together. A key without a value counts as left out; an unknown one is a mistake."""

    keys: ClassVar[dict[str, Key]] = {}
    exactly_one: ClassVar[tuple[str, ...]] = ()
    """Exactly one of these is given: for editors; ``checked`` or ``checks`` say it to people."""

    def __init_subclass__(cls) -> None:
        cls.keys = {key: each for base in reversed(cls.__mro__[1:]) for key, each in getattr(base, "keys", {}).items()}
        for name, annotation in cls.__annotations__.items():
            if isinstance(key := cls.__dict__.get(name), Key):
                key.name, key.annotation = name, annotation
                cls.keys[key.alias or name] = key
                setattr(cls, name, key.default)

    @classmethod
    def read(cls, value: Any, path: KeyPath, mistakes: list[Mistake]) -> Self:
        """As Shape."""
        try:
            cls.written(value)
        except Wrong as wrong:
            mistakes.append(Mistake(path, wrong.message, wrong.hint))
            return cls()
        before, found, keys = len(mistakes), cls(), cls.keys
        for name, key in keys.items():
            if (each := value.get(name)) is not None:
                setattr(found, key.name, key.shape.read(each, (*path, name), mistakes))
            elif key.default is REQUIRED:
                mistakes.append(_missing(path, name, key))
        mistakes += [_unknown(path, each, cls) for each in value if each not in keys]
        if len(mistakes) == before:
            try:
                found.checked()
            except Wrong as wrong:
                mistakes.append(Mistake(path, wrong.message, wrong.hint))
        return found

    @classmethod
    def written(cls, value: Any) -> None:
        """Wrong for what can't be these keys, as they stand in the file."""
        if not isinstance(value, dict):
            raise Wrong(f"must be a mapping of keys, not {kind(value)}", f"its keys are {listing(cls.keys)}")

    def checked(self) -> None:
        """Wrong for values that don't fit each other."""

    def given(self) -> dict[str, Any]:
        """The keys that were given another value than their default."""
        said = {name: getattr(self, key.name) for name, key in self.keys.items()}
        return {name: each for name, each in said.items() if each != self.keys[name].default}


def _missing(path: KeyPath, name: str, key: Key) -> Mistake:
    import json

    example = f"such as {name}: {json.dumps(key.examples[0], ensure_ascii=False)}" if key.examples else ""
    return Mistake(path, f"{name} is missing", example, at_key=True)


def _unknown(path: KeyPath, word: str, group: type[Group]) -> Mistake:
    return Mistake((*path, word), "no such key", _better_key(path, word, group.keys), at_key=True)


def _better_key(path: KeyPath, word: str, known: dict[str, Key]) -> str:
    if word in {"build", "image", "volumes", "networks"} and path[:1] == ("services",):
        return "that belongs in the Compose file; name its service there with compose:"
    synonym = SYNONYMS.get(word, "")
    if synonym in known:
        return f"did you mean {synonym}?"
    return did_you_mean(word, known) or f"keys here are {listing(known)}"
