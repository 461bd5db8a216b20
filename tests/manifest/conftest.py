"""Manifests written by a test, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from devctl.core.model import Manifest
from devctl.errors import DevctlError
from devctl.manifest.diagnostics import ManifestError
from devctl.manifest.load import load

HEAD = "name: demo\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """``write(text, name="services.yaml")`` → the file, in a folder of the test's own."""

    def written(text: str | bytes, name: str = "services.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return written


@pytest.fixture
def loaded(write: Callable[..., Path]) -> Callable[..., Manifest]:
    """``loaded(text, **environment)`` → the manifest; ``name: demo`` is put before a text that starts otherwise."""

    def manifest(text: str, **environment: str) -> Manifest:
        return load(write(text if text.startswith("name:") else HEAD + text), environment)

    return manifest


@pytest.fixture
def mistakes() -> Callable[..., list[str]]:
    """``mistakes(path, environment)`` → every mistake of the file as ``line:column: text``; an error that isn't a list
    of mistakes as ``place what; why; hint``."""

    def found(path: Path, environment: Mapping[str, str]) -> list[str]:
        try:
            load(path, environment)
        except ManifestError as error:
            return [f"{each.line}:{each.column}: {each.text()}" for each in error.diagnostics]
        except DevctlError as error:
            place = error.where.rpartition(path.name)[2].lstrip(":")
            return ["; ".join(part for part in (f"{place} {error.what}".strip(), error.why, error.hint) if part)]
        return ["no mistake"]

    return found
