"""A service's models: imported by their name, MODULE:NAME."""

from __future__ import annotations

import importlib
from typing import Any


class NoModels(Exception):
    """The name leads to nothing that has tables."""


def metadata_of(name: str) -> Any:
    """The MetaData behind ``app.models:Base``. Raises NoModels, and whatever the import raises."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        if not hasattr(found, part):
            known = sorted(each for each in vars(found) if hasattr(getattr(found, each), "metadata"))
            near = "; with tables there is " + ", ".join(known[:8]) if known else ""
            raise NoModels(f"{module} has no {path}{near}")
        found = getattr(found, part)
    metadata = getattr(found, "metadata", found)
    if not hasattr(metadata, "tables") or not hasattr(metadata, "naming_convention"):
        raise NoModels(f"{name} is no declarative base and no MetaData, but a {type(found).__name__}")
    if not metadata.tables:
        raise NoModels(f"{name} has no tables: is the module that defines them imported by {module}?")
    return metadata


def classes_of(name: str, metadata: Any) -> dict[str, str]:
    """Table key → the name of the class that is mapped to it, where that is known."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    registry = getattr(found, "registry", None)
    mappers = list(getattr(registry, "mappers", ()))
    known: dict[str, str] = {}
    for mapper in mappers:
        table = mapper.local_table
        if getattr(table, "metadata", None) is metadata:
            known.setdefault(table.key, mapper.class_.__name__)
    return known
