"""services.yaml on disk → a Manifest, or every mistake in it at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from devctl.core.model import Manifest
from devctl.errors import DevctlError
from devctl.manifest.diagnostics import failure
from devctl.workspace import full, here

if TYPE_CHECKING:
    from devctl.manifest import source


def load(path: Path, environment: Mapping[str, str]) -> Manifest:
    """The manifest at ``path``, with absolute paths and ``${…}`` filled in from ``environment`` and, below it, from
    ``.env`` beside the file. ManifestError or another DevctlError (exit 2) for whatever is wrong with it."""
    file = full(path)
    return _kept(file, environment) or _read(path, file, environment)


def _kept(file: Path, environment: Mapping[str, str]) -> Manifest | None:
    from devctl.manifest import kept

    try:
        return kept.find(file, beside(file, environment))
    except DevctlError:  # the .env beside it cannot be read: told in its turn
        return None


def _read(path: Path, file: Path, environment: Mapping[str, str]) -> Manifest:
    from devctl.manifest import kept, source

    shown = _shown(path)
    text = source.read(path, shown)
    document = source.parse(text, shown)
    known = beside(file, environment)
    manifest = _meaning(document, file, known)
    kept.keep(file, text, known, manifest)
    return manifest


def _meaning(document: source.Document, file: Path, environment: Mapping[str, str]) -> Manifest:
    from devctl.manifest.build import Builder
    from devctl.manifest.checks import check, check_folders
    from devctl.manifest.resolve import Resolution
    from devctl.manifest.schema import validate

    resolution = Resolution(document, environment, file.parent)
    grammar = validate(document, resolution.tree, frozenset(resolution.failed))
    check(document, grammar)
    if document.problems:
        raise failure(document.file, document.problems)
    manifest = Builder(file, environment.get("HOME", ""), resolution.variables).manifest(grammar)
    check_folders(document, manifest)
    if document.problems:
        raise failure(document.file, document.problems)
    return manifest


def beside(manifest: Path, environment: Mapping[str, str]) -> Mapping[str, str]:
    """What ``${VAR}`` is filled in from: ``environment`` and, below it, ``.env`` beside the manifest, as in Compose."""
    file = manifest.parent / ".env"
    if not file.is_file():
        return environment
    from devctl.manifest import envfile

    return {**envfile.read(file, environment), **environment}


def _shown(path: Path) -> str:
    """The path as the user would type it here."""
    folder, whole = here(), full(path)
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)
