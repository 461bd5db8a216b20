"""Which services changed since the last up, on real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from devctl.command import output
from devctl.git.changes import changed, record
from devctl.workspace import Workspace


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "product"
    for name in ("api", "web"):
        (root / name).mkdir(parents=True)
        (root / name / "main.txt").write_text("one\n")
    git(root, "init", "-q")
    commit(root)
    return root


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "workspace").mkdir()
    made = Workspace(tmp_path / "workspace", "test")
    made.prepare()
    return made


def git(root: Path, *arguments: str) -> None:
    output(["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@b.c", *arguments])


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")


def folders(root: Path) -> dict[str, str]:
    return {name: str(root / name) for name in ("api", "web")}


def test_the_first_time_nothing_is_known(workspace: Workspace, repository: Path) -> None:
    assert changed(workspace, folders(repository)) == ()


def test_an_edit_concerns_its_own_service_only(workspace: Workspace, repository: Path) -> None:
    record(workspace, folders(repository))
    assert changed(workspace, folders(repository)) == ()
    (repository / "api" / "new.txt").write_text("two\n")
    assert changed(workspace, folders(repository)) == ("api",)


def test_a_commit_counts_but_not_the_mere_committing_of_what_was_there(workspace: Workspace, repository: Path) -> None:
    (repository / "web" / "main.txt").write_text("edited before\n")
    record(workspace, folders(repository))
    commit(repository)
    assert changed(workspace, folders(repository)) == ()
    (repository / "api" / "main.txt").write_text("edited after\n")
    commit(repository)
    assert changed(workspace, folders(repository)) == ("api",)


def test_an_edit_of_what_was_already_edited_counts(workspace: Workspace, repository: Path) -> None:
    (repository / "api" / "main.txt").write_text("edited\n")
    record(workspace, folders(repository))
    (repository / "api" / "main.txt").write_text("edited once more\n")
    assert changed(workspace, folders(repository)) == ("api",)


def test_no_repository_no_commit_and_no_folder_say_nothing(workspace: Workspace, tmp_path: Path) -> None:
    bare = {"a": str(tmp_path / "workspace"), "b": str(tmp_path / "missing")}
    record(workspace, bare)
    assert changed(workspace, bare) == ()
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    record(workspace, {"e": str(empty)})
    (empty / "first.txt").write_text("x")
    assert changed(workspace, {"e": str(empty)}) == ("e",)
