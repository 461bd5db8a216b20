"""A day that ends as it should, in real repositories with real remotes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from devctl.git.report import Synced

Results = Callable[[Synced], dict[str, str]]
EVERYWHERE = {"origin/dev": "pushed", "origin/master": "pushed", "org/dev": "pushed", "org/master": "pushed"}


def test_work_is_committed_promoted_and_on_both_remotes(day: Any, results: Results) -> None:
    day.write("api/main.py", "two\n")
    day.write("web/new.ts", "new\n")
    synced = day.sync()
    assert synced.good
    assert results(synced) == EVERYWHERE
    head = day.head()
    assert synced.commit == head
    assert [day.head(f"refs/heads/{name}", at) for name in ("dev", "master") for at in ("", "origin", "org")] == [
        head
    ] * 6
    assert day.git("status", "--porcelain") == ""


def test_the_message_says_what_changed_by_service(day: Any) -> None:
    day.write("api/main.py", "two\n")
    (day.path / "web/main.ts").unlink()
    day.write("web/new.ts", "new\n")
    day.write("README", "new\n")
    day.sync()
    said = day.git("log", "-1", "--format=%B")
    assert said.splitlines()[0] == "top folder, api, web: 4 files changed"
    for line in ("- change api/main.py", "- remove web/main.ts", "- add web/new.ts", "- add README"):
        assert line in said


def test_a_message_of_ones_own(day: Any) -> None:
    day.write("api/main.py", "two\n")
    day.sync(message="What I did")
    assert day.git("log", "-1", "--format=%s") == "What I did"


def test_nothing_to_do_changes_nothing(day: Any, results: Results) -> None:
    before = day.git("for-each-ref")
    synced = day.sync()
    assert synced.good
    assert set(results(synced).values()) == {"up-to-date"}
    assert (synced.commit, synced.backup) == ("", "")
    assert day.git("for-each-ref") == before


def test_the_backup_holds_worktree_and_index_as_they_were(day: Any) -> None:
    day.write("api/main.py", "staged\n")
    day.git("add", "api/main.py")
    day.write("api/main.py", "unstaged\n")
    day.write("web/deep/untracked", "untracked\n")
    backup = day.sync().backup
    assert backup.startswith("refs/devctl/backup/")
    assert day.git("show", f"{backup}:api/main.py") == "unstaged"
    assert day.git("show", f"{backup}:web/deep/untracked") == "untracked"
    assert day.git("show", f"{backup}^2:api/main.py") == "staged"


def test_the_same_content_is_backed_up_once(day: Any) -> None:
    day.write(".env", "A=1\n")
    first, second = day.sync().backup, day.sync().backup
    assert first == second != ""


def test_what_a_colleague_pushed_comes_first_so_that_nothing_diverges(day: Any, results: Results) -> None:
    day.colleague(theirs="theirs\n")
    day.write("api/main.py", "mine\n")
    synced = day.sync()
    assert "fast-forward dev to origin/dev" in synced.steps
    assert results(synced) == EVERYWHERE
    assert day.git("log", "--format=%s", "--merges") == ""
    assert (day.path / "theirs").read_text() == "theirs\n"
    assert (day.path / "api/main.py").read_text() == "mine\n"


def test_the_same_file_changed_on_both_sides_is_rescued_and_merged_by_nobody(day: Any, results: Results) -> None:
    day.colleague(**{"api/main.py": "theirs\n"})
    day.write("api/main.py", "mine\n")
    theirs = day.head("dev", "origin")
    synced = day.sync()
    assert results(synced)["origin/dev"] == "rescued"
    assert results(synced)["org/dev"] == "pushed"
    assert day.head("dev", "origin") == theirs
    (rescue,) = day.git("branch", "--list", "rescue/*", at=day.root / "origin.git").split()
    assert rescue.endswith("/dev")
    assert day.head(rescue, "origin") == day.head("dev")
    hint = next(each.hint for each in synced.pushes if each.remote == "origin" and each.branch == "dev")
    assert hint == f"git -C {day.path} merge origin/dev, then devctl sync"
    assert (day.path / "api/main.py").read_text() == "mine\n"


def test_a_rescue_is_followed_by_a_sync_once_merged(day: Any, results: Results) -> None:
    day.colleague(theirs="theirs\n")
    day.write("mine", "mine\n")
    day.git("add", "-A")
    day.git("commit", "-qm", "mine")
    assert results(day.sync())["origin/dev"] == "rescued"
    assert results(day.sync())["origin/dev"] == "rescued"
    day.git("merge", "-q", "--no-edit", "origin/dev")
    assert results(day.sync()) == EVERYWHERE


def test_master_is_brought_forward_where_it_is_checked_out_nowhere_and_never_backwards(day: Any) -> None:
    day.git("checkout", "-q", "master")
    day.write("hotfix", "x\n")
    day.git("add", "-A")
    day.git("commit", "-qm", "hotfix")
    master = day.head("master")
    day.git("checkout", "-q", "dev")
    day.write("api/main.py", "two\n")
    synced = day.sync()
    assert day.head("master") == master == day.head("master", "origin")
    assert "master is not promoted to dev: it has commits that dev has not" in synced.steps


def test_a_branch_checked_out_in_another_worktree_is_left_alone(day: Any) -> None:
    day.git("worktree", "add", "-q", str(day.root / "second"), "master")
    master = day.head("master")
    day.write("api/main.py", "two\n")
    synced = day.sync()
    assert day.head("master") == master
    assert any("checked out in another worktree" in step for step in synced.steps)


def test_a_linked_worktree_is_synced_like_any_other(day: Any, results: Results) -> None:
    day.git("checkout", "-q", "-b", "other")
    day.git("worktree", "add", "-q", str(day.root / "linked"), "dev")
    (day.root / "linked/new").write_text("new\n")
    synced = day.sync(path=str(day.root / "linked"))
    assert results(synced) == EVERYWHERE
    assert day.git("show", "dev:new") == "new"


def test_a_remote_of_the_manifest_is_set_up(day: Any, results: Results) -> None:
    day.git("remote", "remove", "org")
    wanted = {"origin": "", "org": str(day.root / "org.git")}
    dry = day.sync(remotes=wanted, dry_run=True)
    assert f"set up the remote org: {wanted['org']}" in dry.steps
    assert day.git("remote") == "origin"
    synced = day.sync(remotes=wanted)
    assert results(synced)["org/dev"] == "up-to-date"
    assert day.git("remote", "get-url", "org") == str(day.root / "org.git")


def test_the_authors_line_endings_apply(day: Any) -> None:
    day.write(".gitattributes", "*.txt text eol=crlf\n")
    (day.path / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    day.sync()
    assert day.git("cat-file", "blob", "HEAD:a.txt") == "one\ntwo"
    assert (day.path / "a.txt").read_bytes() == b"one\r\ntwo\r\n"


def test_a_hook_that_rewrites_has_its_way(day: Any) -> None:
    day.hook("pre-commit", "echo formatted >> api/main.py && git add api/main.py")
    day.write("api/main.py", "two\n")
    synced = day.sync()
    assert synced.good
    assert day.git("show", "HEAD:api/main.py") == "two\nformatted"
    assert day.git("status", "--porcelain") == ""


def test_renames_deletions_links_modes_and_names_that_are_no_text(day: Any) -> None:
    import os

    day.git("mv", "api/main.py", "api/renamed.py")
    (day.path / "web/main.ts").unlink()
    (day.path / "link").symlink_to("nowhere")
    day.write("run", "x\n").chmod(0o755)
    (day.path / os.fsdecode(b"caf\xe9\n*")).write_text("odd\n")
    assert day.sync().good
    assert day.git("status", "--porcelain") == ""
    assert day.git("ls-tree", "HEAD", "run", "link").replace("\t", " ").split()[0::4] == ["120000", "100755"]
    assert os.fsdecode(b"caf\xe9\n*") in day.git("ls-tree", "-z", "--name-only", "HEAD").split("\0")


def test_a_new_submodule_goes_along_when_its_commit_is_at_a_remote(day: Any, results: Results) -> None:
    inner = day.root / "inner"
    day.git("clone", "-q", str(day.root / "org.git"), str(inner), at=day.root)
    day.git("submodule", "--quiet", "add", str(day.root / "org.git"), "sub")
    assert results(day.sync(remotes={"origin": ""})) == {"origin/dev": "pushed", "origin/master": "pushed"}
    (day.path / "sub/new").write_text("x")
    day.git("add", "-A", at=day.path / "sub")
    day.git("commit", "-qm", "inner work", at=day.path / "sub")
    synced = day.sync(remotes={"origin": ""})
    assert "is on none of its remotes" in synced.refused[0].reason
    day.git("push", "-q", "origin", "HEAD:refs/heads/more", at=day.path / "sub")
    assert day.sync(remotes={"origin": ""}).good


def test_a_commit_that_was_killed_before_the_index_knew_is_mended(day: Any) -> None:
    day.write("api/main.py", "two\n")
    day.git("commit", "-qam", "two")
    day.git("read-tree", "HEAD~1")
    assert day.git("status", "--porcelain") != ""
    assert day.sync().good
    assert day.git("status", "--porcelain") == ""


def test_a_dry_run_names_the_commits_that_would_go(day: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        day.git("commit", "-q", "--allow-empty", "-m", f"by hand {number}")
    monkeypatch.setenv("GIT_DIR", str(day.root / "origin.git"))
    pushes = {(each.remote, each.branch): each.detail for each in day.sync(dry_run=True).pushes}
    said = "7 commits: by hand 6; by hand 5; by hand 4; by hand 3; by hand 2; …"
    assert pushes["origin", "dev"] == said
    assert pushes["org", "dev"] == said


@pytest.mark.parametrize("what", ["work", "no work"])
def test_a_dry_run_says_what_happens_and_nothing_does(day: Any, what: str, results: Results) -> None:
    day.colleague(theirs="theirs\n")
    if what == "work":
        day.write("api/main.py", "two\n")
    before = [day.git("for-each-ref", at=at) for at in (day.path, day.root / "origin.git", day.root / "org.git")]
    dry = day.sync(dry_run=True)
    after = [day.git("for-each-ref", at=at) for at in (day.path, day.root / "origin.git", day.root / "org.git")]
    assert before == after
    assert not (day.path / "theirs").exists()
    real = day.sync()
    assert (dry.files, dry.message, dry.steps, results(dry)) == (real.files, real.message, real.steps, results(real))
    assert "fast-forward dev to origin/dev" in dry.steps
