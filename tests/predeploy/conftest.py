"""A workspace with real git, and the real command in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

GIT = '[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = dev\n[protocol "file"]\nallow = always\n'
STRONG = {"SECRET_KEY": "xH4v-Kp2Wm9QzR7sT1uYb3Nc6Ed8Fg0J", "ADMIN_PASSWORD": "Tq7-vhR2mXw9Lp"}


class Workspace:
    """A workspace's folder, a repository on branch dev with a bare remote, and the command in it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root, self.home = root, home
        own = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "GITHUB_", "PG"))}
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "DEVCTL_DEBUG", "SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
            own.pop(name, None)
        (home / "gitconfig").write_text(GIT)
        self.environment = own | {
            "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "GIT_CONFIG_SYSTEM": "/dev/null", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def git(self, *words: str) -> str:
        """Run git in the workspace → its output."""
        done = subprocess.run(
            ["git", "-C", self.root, *words], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def repository(self) -> None:
        """A repository on dev, all committed, and pushed to the bare remote origin."""
        (self.root / ".gitignore").write_text(".devctl/\n.env*\n*.out\n__pycache__/\n")
        subprocess.run(["git", "init", "-q", "--bare", self.home / "origin.git"], env=self.environment, check=True)
        self.git("init", "-q", "-b", "dev")
        self.commit("first")
        self.git("remote", "add", "origin", str(self.home / "origin.git"))
        self.git("push", "-q", "origin", "dev")

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def write(self, services: Mapping[str, Any], **rest: Any) -> None:
        """services.yaml anew."""
        parts = {**rest, "services": services}
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in parts.items())
        (self.root / "services.yaml").write_text(f"name: shop\n{text}")  # JSON is YAML

    def env(self, name: str = "production", **values: str) -> None:
        """``.env.NAME`` with these values."""
        (self.root / f".env.{name}").write_text("".join(f"{key}='{value}'\n" for key, value in values.items()))

    def run(self, *words: str, timeout: float = 100, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command, without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "devctl", *words], cwd=self.root, env={**self.environment, **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def checks(self, *words: str, **environment: str) -> dict[str, dict[str, str]]:
        """``devctl predeploy --json`` → its checks by name."""
        done = self.run("predeploy", "--json", *words, **environment)
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        assert (done.returncode == 0) is (found["verdict"] == "pass"), found
        return {each["name"]: each for each in found["checks"]}


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """A workspace without a manifest yet."""
    (tmp_path / "home").mkdir()
    (tmp_path / "shop").mkdir()
    return Workspace(tmp_path / "shop", tmp_path / "home")


@pytest.fixture
def strong() -> dict[str, str]:
    """Values that are fit for production."""
    return dict(STRONG)
