"""services.yaml on disk → a Manifest, or every mistake in it at once."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING

from devctl.core.model import Manifest
from devctl.errors import DevctlError, Exit
from devctl.manifest.diagnostics import failure

if TYPE_CHECKING:
    from devctl.manifest import source

FILE_NAMES = ("services.yaml", "services.yml")


def find(start: Path, file: Path | None = None) -> Path:
    """The manifest: ``file`` (relative to ``start``), or services.yaml in ``start`` or the nearest parent with one."""
    if file is not None:
        if not (found := start / file).exists():
            raise DevctlError("there is no such manifest", str(file), code=Exit.USAGE)
        return found
    begin = _full(start)
    for folder in (begin, *begin.parents):
        for name in FILE_NAMES:
            if (folder / name).is_file():
                return folder / name
    raise DevctlError(
        "there is no services.yaml",
        str(begin),
        "neither here nor in a parent folder",
        "go to your workspace, or name the file: devctl -f PATH …",
        Exit.USAGE,
    )


def load(path: Path, environment: Mapping[str, str]) -> Manifest:
    """The manifest at ``path``, with absolute paths and ``${…}`` filled in from ``environment`` and, below it, from
    ``.env`` beside the file. ManifestError or another DevctlError (exit 2) for whatever is wrong with it."""
    file = _full(path)
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


def _full(path: Path) -> Path:
    return Path(normpath(path if path.is_absolute() else _here() / path))


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise DevctlError("the current folder is gone", hint="cd to one that is there", code=Exit.USAGE) from error


def _shown(path: Path) -> str:
    """The path as the user would type it here."""
    here = _here()
    full = _full(path)
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(full)
