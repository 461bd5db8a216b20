"""What is read of real repositories."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from devctl.git.facts import Kind, look, standing
from devctl.git.repository import Repository

Git = Callable[..., str]


def test_a_folder_inside_a_repository_is_not_its_root(repo: Path, git: Git) -> None:
    (repo / "inner").mkdir()
    facts = look(repo / "inner")
    assert (facts.is_root, facts.problem) == (False, f"it is a folder inside the repository {repo}")
    assert look(repo / "none").problem == "there is no such folder"
    assert look(repo.parent).problem == "it is not a repository"
    git("init", "-q", "--bare", str(repo / "bare"))
    assert look(repo / "bare").problem == "it is a repository without a worktree"
    assert look(repo).is_root


def test_every_kind_of_change_is_read(repo: Path, git: Git) -> None:
    for name in ("changed", "deleted", "renamed", "staged"):
        (repo / name).write_text(f"{name}\n" * 5)
    git("add", "-A")
    git("commit", "-qm", "x")
    (repo / "changed").write_text("12345")
    (repo / "deleted").unlink()
    git("mv", "renamed", "has been renamed")
    (repo / "staged").write_text("x")
    git("add", "staged")
    (repo / "added").write_text("added")
    git("add", "added")
    (repo / os.fsdecode(b"\xff\n\t\xc3\xa4")).write_text("abc")
    found = {change.path: change for change in look(repo).changes}
    assert {path: change.kind for path, change in found.items()} == {
        "added": Kind.NEW,
        "changed": Kind.CHANGED,
        "deleted": Kind.DELETED,
        "has been renamed": Kind.RENAMED,
        "staged": Kind.CHANGED,
        os.fsdecode(b"\xff\n\t\xc3\xa4"): Kind.NEW,
    }
    assert (found["changed"].size, found["has been renamed"].old) == (5, "renamed")
    assert [path for path, change in found.items() if change.untracked] == [os.fsdecode(b"\xff\n\t\xc3\xa4")]


@pytest.mark.parametrize("how", ["merge", "rebase", "cherry-pick", "revert"])
def test_an_unfinished_operation_is_seen(repo: Path, git: Git, how: str) -> None:
    base = git("rev-parse", "HEAD").strip()
    (repo / "a").write_text("one\n")
    git("commit", "-qam", "one")
    one = git("rev-parse", "HEAD").strip()
    git("checkout", "-qb", "side", base)
    (repo / "a").write_text("two\n")
    git("commit", "-qam", "two")
    words = {"merge": ["merge", one], "rebase": ["rebase", one], "cherry-pick": ["cherry-pick", one]}
    git(*words.get(how, ["revert", "--no-edit", one]), check=False)
    facts = look(repo)
    assert facts.operations == (how,)
    assert facts.unmerged == ("a",)


def test_bisect_detached_lock_unborn_and_nested(repo: Path, git: Git, tmp_path: Path) -> None:
    git("bisect", "start")
    assert look(repo).operations == ("bisect",)
    git("bisect", "reset")
    git("checkout", "-q", "--detach")
    assert look(repo).detached
    (repo / ".git/index.lock").touch()
    assert look(repo).locked == str(repo / ".git/index.lock")
    git("init", "-q", "-b", "dev", str(tmp_path / "new"))
    git("init", "-q", str(tmp_path / "new/nested"))
    (tmp_path / "new/nested/file").write_text("x")
    facts = look(tmp_path / "new")
    assert (facts.head, facts.branch, facts.detached, facts.nested) == ("", "dev", False, ("nested",))


def test_remotes_upstreams_and_how_far_apart(repo: Path, git: Git, tmp_path: Path) -> None:
    git("init", "-q", "--bare", str(tmp_path / "o.git"))
    git("remote", "add", "origin", str(tmp_path / "o.git"))
    git("push", "-qu", "origin", "dev")
    (repo / "a").write_text("two\n")
    git("commit", "-qam", "two")
    git("branch", "side")
    facts = look(repo)
    assert facts.remotes == {"origin": str(tmp_path / "o.git")}
    assert facts.branches["dev"].upstream == "refs/remotes/origin/dev"
    assert facts.branches["dev"].worktree == str(repo)
    dev = standing(Repository(repo), facts, "dev", "origin")
    assert (dev.ahead, dev.behind, dev.known) == (1, 0, True)
    side = standing(Repository(repo), facts, "side", "origin")
    assert (side.ahead, side.known) == (1, False)


def test_a_linked_worktree_is_one_and_has_its_own_operations(repo: Path, git: Git, tmp_path: Path) -> None:
    git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
    facts = look(tmp_path / "linked")
    assert (facts.is_root, facts.linked, facts.branch) == (True, True, "other")
    assert facts.branches["dev"].worktree == str(repo)
    assert not look(repo).linked


def test_a_hooks_variables_lead_nowhere_else(
    repo: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "-q", str(tmp_path / "else"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "else/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "else"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "else/index"))
    assert look(repo).head


def test_ssh_never_asks_and_the_users_own_command_stays(repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Repository(repo).ssh(20) == {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=20"}
    git("config", "core.sshCommand", "/usr/bin/ssh -i 'my key'")
    own = Repository(repo).ssh(20)["GIT_SSH_COMMAND"]
    assert own == "/usr/bin/ssh -i 'my key' -o BatchMode=yes -o ConnectTimeout=20"
    monkeypatch.setenv("GIT_SSH_COMMAND", "plink -batch")
    assert Repository(repo).ssh(20) == {"GIT_SSH_COMMAND": "plink -batch"}
