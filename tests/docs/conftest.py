"""What is written, as the tests read it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def pages() -> dict[Path, str]:
    """Every page of the documentation, by its path."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples/controlcore/README.md"]
    return {file: file.read_text(encoding="utf-8") for file in files}
