"""A day's commits and syncs, from real git and from what syncs leave of themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devctl.core.day import Synced
from devctl.core.model import GitRepository, Mirror
from devctl.git import pending
from devctl.git.diary import ASIDE, FILE, commits, left_over, note, syncs
from devctl.git.mirrored import File, Outcome, Result
from devctl.git.report import Decision, Pushed, Report
from devctl.git.report import Result as Fate
from devctl.git.report import Synced as Repository
from devctl.workspace import Workspace

NOON = 1_700_000_000.0
HOUR = 3600.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "workspace", "test")
    made.root.mkdir()
    return made


@pytest.fixture
def commit(repo: Path, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``commit("subject", at, email)``."""

    def make(subject: str, at: float, email: str = "ada@example.com") -> None:
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"@{int(at)} +0000")
        git("-c", f"user.email={email}", "commit", "-q", "--allow-empty", "-m", subject)

    return make


def test_the_days_own_commits_on_any_branch(repo: Path, git: Callable[..., str], commit: Callable[..., None]) -> None:
    commit("yesterday", NOON - HOUR)
    commit("ours", NOON)
    commit("a colleague's", NOON + 1, "bob@example.com")
    git("checkout", "-q", "-b", "other")
    commit("on another branch: ü", NOON + 2)
    git("checkout", "-q", "--detach")
    commit("on no branch", NOON + 3)
    commit("tomorrow", NOON + HOUR)
    found = commits([GitRepository(path=str(repo))], NOON, NOON + HOUR)
    assert [each.subject for each in found] == ["ours", "on another branch: ü", "on no branch"]
    assert {each.repository for each in found} == {str(repo)}


def test_where_there_is_no_repository_nothing_was_committed(tmp_path: Path, repo: Path) -> None:
    (repo / "inside").mkdir()
    for path in (tmp_path / "nowhere", repo / "inside"):
        assert commits([GitRepository(path=str(path))], 0, time.time() + HOUR) == ()


def report(**changes: object) -> Report:
    synced = Repository(path="/r", decision=Decision.SYNC, pushes=(Pushed("origin", "dev", Fate.PUSHED),))
    return Report(repositories=(synced,), **changes)  # type: ignore[arg-type]


def test_a_sync_is_known_on_its_day(workspace: Workspace) -> None:
    note(workspace, report(), NOON)
    note(workspace, report(), NOON + HOUR)
    (found,) = syncs(workspace, NOON, NOON + HOUR)
    assert found.at == NOON
    assert found.report["repositories"][0]["pushes"][0]["result"] == "pushed"
    assert (workspace.folder / ".gitignore").exists()
    assert (workspace.folder / FILE).stat().st_mode & 0o077 == 0


def test_lines_that_make_no_sense_are_passed_over(workspace: Workspace) -> None:
    note(workspace, report(), NOON)
    with (workspace.folder / FILE).open("ab") as file:
        file.write(b'\xff\n{"at": "x"}\n{"at": 1')
    assert [each.at for each in syncs(workspace, 0, NOON + 1)] == [NOON]


def test_a_large_file_is_set_aside_and_still_read(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devctl.git.diary.MAX_BYTES", 10)
    note(workspace, report(), NOON)
    note(workspace, report(), NOON + 1)
    assert (workspace.folder / ASIDE).exists()
    assert [each.at for each in syncs(workspace, NOON, NOON + HOUR)] == [NOON, NOON + 1]


def test_what_cannot_be_written_down_holds_nothing_up(workspace: Workspace) -> None:
    workspace.folder.write_text("in the way")
    note(workspace, report(), NOON)
    assert syncs(workspace, 0, NOON + 1) == ()


def test_what_is_left_to_do(workspace: Workspace, repo: Path) -> None:
    pending.write(workspace, (pending.Waiting(repository=str(repo), remote="org", branches=("dev",), commits=2),))
    (repo / "new").write_text("x")
    mirror = Mirror(source="/core", target="/tenant", names=("core", "tenant"))
    conflict = Outcome(
        mirror=mirror, result=Result.CONFLICT, files=(File(path="a", change="conflict"), File(path="b", change="added"))
    )
    refused = Repository(path="/r", decision=Decision.REFUSE, reason="a merge is unfinished")
    note(workspace, Report(repositories=(refused,), mirrors=(conflict,)), NOON)
    done: tuple[Synced, ...] = syncs(workspace, 0, NOON + 1)
    assert left_over(workspace, [GitRepository(path=str(repo))], done) == (
        "2 commits not yet on org",
        f"1 file not committed in {repo.name}",
        "r was not synced: a merge is unfinished",
        "core to tenant: 1 file left alone",
    )
