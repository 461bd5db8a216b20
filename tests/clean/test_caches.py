"""Caches are weighed, and emptied by nobody but their own tool."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devctl.clean.caches import empty, find
from devctl.clean.policy import Running
from devctl.errors import DevctlError


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """``tool("case …")``: an ``npm`` whose cache is the folder returned and which does this when told to clean it."""
    folder = tmp_path / "cache"
    (folder / "_cacache").mkdir(parents=True)
    (folder / "_cacache/content").write_text("x" * 50_000)
    (folder / "_logs").write_text("kept")

    def make(clean: str) -> Path:
        (tmp_path / "bin").mkdir()
        script = tmp_path / "bin/npm"
        script.write_text(
            f'#!/bin/sh\nif [ "$1" = config ]; then echo "a notice"; echo "{folder}"; exit; fi\n{clean}\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        return folder

    return make


def test_a_cache_is_weighed_and_its_own_tool_empties_it(root: Path, tool: Callable[[str], Path]) -> None:
    folder = tool('[ "$*" = "cache clean --force" ] && rm -r "$(dirname "$0")/../cache/_cacache"')
    (item,) = find(["npm"], str(root), Running())
    assert (item.name, item.refusal) == ("npm", "")
    assert item.size is not None
    assert item.size >= 50_000
    assert empty(item, str(root)) == item.size
    assert sorted(path.name for path in folder.iterdir()) == ["_logs"]
    assert find(["npm"], str(root), Running()) == []


def test_a_tool_that_fails_is_told_in_its_words(root: Path, tool: Callable[[str], Path]) -> None:
    folder = tool("echo no rights >&2; exit 3")
    (item,) = find(["npm"], str(root), Running())
    with pytest.raises(DevctlError) as caught:
        empty(item, str(root))
    assert caught.value.details == ("no rights",)
    assert (folder / "_cacache/content").exists()


def test_a_cache_that_a_setup_uses_or_that_git_has_stays(
    root: Path, tool: Callable[[str], Path], git: Callable[..., None]
) -> None:
    folder = tool("exit 1")
    (item,) = find(["npm"], str(root), Running(installing=("web",)))
    assert item.refusal == "the setup of web uses it"
    git("init", "-q", at=folder)
    git("add", "-A", at=folder)
    (item,) = find(["npm"], str(root), Running())
    assert item.refusal == "git has files of it"


def test_a_tool_that_is_not_there_has_no_cache(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find(["npm", "pip", "uv", "yarn", "pnpm"], str(root), Running()) == []


def test_npm_itself(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    (tmp_path / "npm/_cacache").mkdir(parents=True)
    (tmp_path / "npm/_cacache/x").write_text("x" * 5000)
    (item,) = find(["npm"], str(root), Running())
    assert empty(item, str(root)) > 0
    assert not (tmp_path / "npm/_cacache/x").exists()
