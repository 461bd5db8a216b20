"""Real git with a configuration of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devctl.core.model import GitRepository, Manifest, Runtime, Service
from devctl.git.report import Report, Synced
from devctl.git.sync import Sync
from devctl.workspace import Workspace

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


class Day:
    """A workspace with one repository (``path``, on branch dev, with master) and two bare remotes, all in step."""

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, root / "work"
        self.section = GitRepository(
            path=str(self.path), branch="dev", sync_branches=("dev", "master"), promote={"master": "dev"},
            remotes={"origin": "", "org": ""}, commit="always", max_file_size=100_000, timeout=20.0,
        )  # fmt: skip
        for name in ("origin", "org"):
            self.git("init", "-q", "--bare", "-b", "dev", str(root / f"{name}.git"), at=root)
        self.git("init", "-q", "-b", "dev", str(self.path), at=root)
        self.write("api/main.py", "one\n")
        self.write("web/main.ts", "one\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "first")
        self.git("branch", "master")
        for name in ("origin", "org"):
            self.git("remote", "add", name, str(root / f"{name}.git"))
            self.git("push", "-q", name, "dev", "master")

    def git(self, *words: str, at: Path | None = None, check: bool = True) -> str:
        """Run git; what it wrote."""
        done = subprocess.run(["git", "-C", at or self.path, *words], capture_output=True, check=False)
        assert not check or done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, name: str, text: str) -> Path:
        """A file in the worktree."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def manifest(self, **changes: Any) -> Manifest:
        """What services.yaml would say; ``changes`` are of the repository's section."""
        services = {
            name: Service(name=name, runtime=Runtime.LIBRARY, path=str(self.path / name)) for name in ("api", "web")
        }
        section = msgspec.structs.replace(self.section, **changes)
        file = str(self.root / "services.yaml")
        return Manifest(name="t", file=file, root=str(self.root), services=services, git=(section,))

    @property
    def workspace(self) -> Workspace:
        """Where what is pending is remembered."""
        return Workspace(self.root, "t")

    def report(self, *, dry_run: bool = False, message: str = "", **changes: Any) -> Report:
        """Sync."""
        run = Sync(self.manifest(**changes), self.workspace, dry_run=dry_run, message=message)
        run.look()
        return run.run()

    def sync(self, **changes: Any) -> Synced:
        """Sync; what is said of the repository."""
        (found,) = self.report(**changes).repositories
        return found

    def colleague(self, remote: str = "origin", **files: str) -> None:
        """Somebody else pushes these files to dev there."""
        other = self.root / "colleague"
        self.git("clone", "-q", "-b", "dev", str(self.root / f"{remote}.git"), str(other), at=self.root)
        for name, text in files.items():
            (other / name).parent.mkdir(parents=True, exist_ok=True)
            (other / name).write_text(text)
        self.git("add", "-Af", at=other)
        self.git("commit", "-qm", "theirs", at=other)
        self.git("push", "-q", "origin", "dev", at=other)
        shutil.rmtree(other)

    def head(self, ref: str = "HEAD", remote: str = "") -> str:
        """The commit a ref is at, here or at a remote."""
        return self.git(
            "rev-parse", "-q", "--verify", ref, at=self.root / f"{remote}.git" if remote else None, check=False
        )

    def hook(self, name: str, script: str, remote: str = "") -> None:
        """A hook, here or at a remote."""
        folder = (self.root / f"{remote}.git" if remote else self.path / ".git") / "hooks"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)


@pytest.fixture
def day(tmp_path: Path) -> Day:
    """A workspace with a repository and two remotes."""
    return Day(tmp_path)


@pytest.fixture
def results() -> Callable[[Synced], dict[str, str]]:
    """``results(synced)`` → "origin/dev": "pushed", …"""
    return lambda synced: {f"{each.remote}/{each.branch}": each.result.value for each in synced.pushes}
