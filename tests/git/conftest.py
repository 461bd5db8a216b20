"""Real git with a configuration of the tests' own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """
[user]
    name = Ada
    email = ada@example.com
[init]
    defaultBranch = dev
[protocol "file"]
    allow = always
"""


@pytest.fixture(autouse=True)
def git_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the user or the machine has a say."""
    home = tmp_path_factory.mktemp("home")
    (home / "gitconfig").write_text(CONFIG)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    for name in ("GIT_SSH_COMMAND", "GIT_SSH", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository on branch dev with one commit."""
    root = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", "-b", "dev", root], check=True)
    (root / "a").write_text("zero\n")
    subprocess.run(["git", "-C", root, "add", "-A"], check=True)
    subprocess.run(["git", "-C", root, "commit", "-qm", "first"], check=True)
    return root


@pytest.fixture
def git(repo: Path) -> Callable[..., str]:
    """``git("add", "-A")`` in ``repo`` → its output."""

    def call(*words: str, check: bool = True, at: Path = repo) -> str:
        done = subprocess.run(["git", "-C", at, *words], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    return call
