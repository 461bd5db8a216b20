"""Two folders and a mirror between them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devctl.core.model import Mirror
from devctl.git.mirror.run import carry
from devctl.git.mirrored import Outcome


class Pair:
    """A source and a target; ``carry()`` carries over between them."""

    def __init__(self, root: Path, **options: tuple[str, ...]) -> None:
        self.source, self.target = root / "core", root / "tenant"
        for folder in (self.source, self.target):
            folder.mkdir(parents=True, exist_ok=True)
        self.mirror = Mirror(source=str(self.source), target=str(self.target), names=("core", "tenant"), **options)

    def carry(self, **options: object) -> Outcome:
        return carry(self.mirror, **options)  # type: ignore[arg-type]

    def changes(self, outcome: Outcome) -> dict[str, str]:
        return {file.path: file.change for file in outcome.files}


def snapshot(folder: Path) -> dict[str, object]:
    """Everything in it by path: content, whether it is executable; a link's text; a folder."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsdecode(os.fsencode(path.relative_to(folder)))
        if path.is_symlink():
            found[name] = ("link", path.readlink())
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


@pytest.fixture
def contents() -> Callable[[Path], dict[str, object]]:
    """``contents(folder)`` → all that is in it."""
    return snapshot


@pytest.fixture
def make_pair() -> type[Pair]:
    """``make_pair(root, exclude=(…))``."""
    return Pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Two plain folders."""
    return Pair(tmp_path)


@pytest.fixture
def in_git(repo: Path) -> Pair:
    """Two folders of one repository."""
    return Pair(repo)
