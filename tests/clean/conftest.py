"""A workspace with something to tidy, and real git with a configuration of the tests' own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from devctl.core.model import Clean, ComposeStack, Manifest, Runtime, Service


@pytest.fixture(autouse=True)
def git_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the user or the machine has a say."""
    home = tmp_path_factory.mktemp("home")
    (home / "gitconfig").write_text("[user]\n name = Ada\n email = ada@example.com\n[init]\n defaultBranch = dev\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The workspace's folder."""
    made = tmp_path / "workspace"
    made.mkdir()
    return made


@pytest.fixture
def git(root: Path) -> Callable[..., None]:
    """``git("add", "-A")`` in the workspace, or ``at`` elsewhere."""

    def call(*words: str, at: Path = root) -> None:
        subprocess.run(["git", "-C", at, *words], check=True, capture_output=True)

    return call


@pytest.fixture
def write(root: Path) -> Callable[..., Path]:
    """``write("a/b")`` → a file of 5 kB in the workspace, or ``at`` elsewhere."""

    def make(name: str, at: Path = root) -> Path:
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 5000)
        return path

    return make


@pytest.fixture
def manifest(root: Path) -> Callable[..., Manifest]:
    """``manifest(services={name: folder}, artefacts=(…))``."""

    def make(
        services: dict[str, str] | None = None,
        artefacts: tuple[str, ...] = ("**/.next", "**/dist", "**/*.tmp"),
        compose: str = "",
    ) -> Manifest:
        return Manifest(
            name="place",
            file=str(root / "services.yaml"),
            root=str(root),
            services={
                name: Service(name=name, runtime=Runtime.LIBRARY, path=str(root / folder))
                for name, folder in (services or {}).items()
            },
            clean=Clean(artefacts=artefacts),
            compose=ComposeStack((str(root / "stack.yml"),), compose) if compose else None,
        )

    return make
