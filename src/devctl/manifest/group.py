"""What every group of keys in services.yaml has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.config import JsonDict

from devctl.manifest.diagnostics import listing
from devctl.manifest.parsers import kind, wrong


class Group(BaseModel):
    """Keys that belong together. A key without a value counts as left out; an unknown one is a mistake."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _mapping(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise wrong(f"must be a mapping of keys, not {kind(value)}", f"its keys are {listing(cls.keys())}")
        known = cls.keys()
        return {key: each for key, each in value.items() if each is not None or key not in known}

    @classmethod
    def keys(cls) -> dict[str, str]:
        """Keys as they are written → names of their fields."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}


def exactly_one(*keys: str) -> JsonDict:
    """The piece of JSON Schema that says so."""
    return {"oneOf": [{"required": [key]} for key in keys]}
