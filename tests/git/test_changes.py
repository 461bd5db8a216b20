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


def test_an_edit_of_an_edited_file_that_is_then_committed_counts(workspace: Workspace, repository: Path) -> None:
    (repository / "api" / "main.txt").write_text("edited before\n")
    record(workspace, folders(repository))
    (repository / "api" / "main.txt").write_text("and after, at another length\n")
    commit(repository)
    assert changed(workspace, folders(repository)) == ("api",)


def test_taking_an_edit_back_counts_too(workspace: Workspace, repository: Path) -> None:
    (repository / "api" / "main.txt").write_text("edited before\n")
    record(workspace, folders(repository))
    git(repository, "checkout", "-q", "--", ".")
    assert changed(workspace, folders(repository)) == ("api",)


def test_another_branch_a_deletion_and_odd_names(workspace: Workspace, repository: Path) -> None:
    record(workspace, folders(repository))
    git(repository, "checkout", "-q", "-b", "other")
    assert changed(workspace, folders(repository)) == ()
    (repository / "web" / "main.txt").unlink()
    assert changed(workspace, folders(repository)) == ("web",)
    (repository / "api" / "ä b\tc\n.txt").write_text("x")
    commit(repository)
    assert changed(workspace, folders(repository)) == ("api", "web")
    record(workspace, folders(repository))
    assert changed(workspace, folders(repository)) == ()


def test_a_folder_beside_one_with_a_longer_name_is_not_meant(workspace: Workspace, repository: Path) -> None:
    (repository / "api-docs").mkdir()
    record(workspace, folders(repository))
    (repository / "api-docs" / "x").write_text("x")
    assert changed(workspace, folders(repository)) == ()


def test_a_commit_that_is_gone_leaves_what_is_not_committed(workspace: Workspace, repository: Path) -> None:
    record(workspace, folders(repository))
    path = workspace.folder / "last_up.json"
    before = output(["git", "-C", str(repository), "rev-parse", "HEAD"]).out.strip()
    path.write_text(path.read_text().replace(before, "1" * 40))
    (repository / "web" / "new.txt").write_text("x")
    assert changed(workspace, folders(repository)) == ("web",)


def test_the_way_to_a_folder_does_not_matter(workspace: Workspace, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository / "api")
    record(workspace, {"api": str(tmp_path / "link")})
    (repository / "api" / "new.txt").write_text("x")
    assert changed(workspace, {"api": str(tmp_path / "link")}) == ("api",)


def test_a_hooks_environment_does_not_mislead(
    workspace: Workspace, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(workspace, folders(repository))
    (repository / "api" / "new.txt").write_text("x")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert changed(workspace, folders(repository)) == ("api",)


def test_ten_services_of_a_repository_cost_one_command(
    workspace: Workspace, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ten = {f"s{number}": str(repository / "api") for number in range(10)}
    record(workspace, ten)
    calls: list[object] = []

    def counted(argv: list[str], **how: object) -> object:
        calls.append(argv)
        return output(argv, **how)  # type: ignore[arg-type]

    monkeypatch.setattr("devctl.git.changes.output", counted)
    assert changed(workspace, ten) == ()
    assert len(calls) == 1


def test_no_git_or_a_slow_one_says_nothing(
    workspace: Workspace, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(workspace, folders(repository))
    (repository / "api" / "new.txt").write_text("x")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert changed(workspace, folders(repository)) == ()
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 300\n")
    slow.chmod(0o755)
    monkeypatch.setattr("devctl.git.changes.TIMEOUT", 0.1)
    assert changed(workspace, folders(repository)) == ()
    record(workspace, folders(repository))
    (workspace.folder / "last_up.json").write_text("{broken")
    assert changed(workspace, folders(repository)) == ()
