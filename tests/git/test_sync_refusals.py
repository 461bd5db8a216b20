"""What is never committed and never leaves: each refused with its place and the way out, while all else goes on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from devctl.git.report import Decision, Synced

Results = Callable[[Synced], dict[str, str]]
KEY = "AKIA" + "QYLPMN5HXEXAMPLE"
CONFLICT = "a\n<<<<<<< HEAD\nmine\n=======\ntheirs\n>>>>>>> side\n"


@pytest.mark.parametrize(
    ("name", "text", "where", "why"),
    [
        (".env", "A=only-in-the-file\n", ".env:1", "environment file"),
        ("api/.env.production", "A=only-in-the-file\n", "api/.env.production:1", "environment file"),
        ("api/id_rsa", "only-in-the-file\n", "api/id_rsa:1", "keys or passwords"),
        ("api/settings.py", f'import os\nKEY = "{KEY}"\n', "api/settings.py:2", "holds a secret (AWS Access Key)"),
        ("api/server.pem", "-----BEGIN RSA PRIVATE KEY-----\nx\n", "api/server.pem:1", "holds a secret (Private Key)"),
        ("api/notes", CONFLICT, "api/notes:2", "conflict marker"),
        ("api/dump", "x" * 100_001, "api/dump", "more than max_file_size"),
    ],
)  # fmt: skip
def test_a_file_is_left_out_and_the_rest_goes(
    day: Any, results: Results, name: str, text: str, where: str, why: str
) -> None:
    day.write(name, text)
    day.write("web/fine.ts", "fine\n")
    synced = day.sync()
    (refused,) = synced.refused
    assert refused.where == where
    assert why in refused.reason
    assert refused.hint
    assert not synced.good
    assert set(results(synced).values()) == {"pushed"}
    assert day.git("show", "--name-only", "--format=", "HEAD") == "web/fine.ts"
    assert (day.path / name).read_text() == text
    assert day.git("show", f"{synced.backup}:{name}") == text.strip()
    for remote in ("origin", "org"):
        everything = day.git("cat-file", "--batch-all-objects", "--batch", at=day.root / f"{remote}.git")
        assert text.strip() not in everything


def test_what_is_staged_already_is_left_out_too_and_stays_staged(day: Any) -> None:
    day.write(".env", "A=1\n")
    day.git("add", ".env")
    day.write("web/fine.ts", "fine\n")
    synced = day.sync()
    assert [each.where for each in synced.refused] == [".env:1"]
    assert day.git("show", "--name-only", "--format=", "HEAD") == "web/fine.ts"
    assert day.git("status", "--porcelain") == "A  .env"


def test_the_way_out_of_a_tracked_environment_file_is_committed(day: Any) -> None:
    day.write(".env", "A=1\n")
    day.git("add", "-f", ".env")
    day.git("commit", "-qm", "by hand")
    day.git("push", "-q", "origin", "dev")
    day.git("push", "-q", "org", "dev")
    day.git("rm", "-q", "--cached", ".env")
    day.write(".gitignore", ".env\n")
    assert day.sync().good
    assert (day.path / ".env").read_text() == "A=1\n"
    assert day.git("ls-tree", "--name-only", "HEAD", ".env") == ""


def test_an_example_of_an_environment_file_is_none(day: Any) -> None:
    day.write(".env.example", "A=\n")
    assert day.sync().good


def test_a_tracked_file_that_got_a_secret_stays_changed(day: Any) -> None:
    day.write("api/main.py", f'KEY = "{KEY}"\n')
    synced = day.sync()
    assert [each.where for each in synced.refused] == ["api/main.py:1"]
    assert (synced.commit, day.git("status", "--porcelain")) == ("", "M api/main.py")


def test_what_its_author_looked_at_is_no_secret(day: Any) -> None:
    day.write("api/main.py", f'KEY = "{KEY}"  # pragma: allowlist secret\n')
    assert day.sync().good


def test_a_marker_that_was_committed_before_is_a_text_about_conflicts(day: Any) -> None:
    day.write("api/fixture", CONFLICT)
    day.git("add", "-A")
    day.git("commit", "-qm", "by hand")
    day.write("api/fixture", CONFLICT + "more\n")
    assert day.sync().good
    day.write("api/fixture", CONFLICT + "more\n" + CONFLICT)
    assert [each.where for each in day.sync().refused] == ["api/fixture:2"]


def test_a_repository_inside_is_named_and_its_content_untouched(day: Any) -> None:
    day.git("init", "-q", "inner")
    (day.path / "inner/file").write_text("x")
    day.write("web/fine.ts", "fine\n")
    synced = day.sync()
    assert [each.where for each in synced.refused] == ["inner"]
    assert day.git("show", "--name-only", "--format=", "HEAD") == "web/fine.ts"


@pytest.mark.parametrize("where", ["in the last commit", "in the history only", "as an environment file"])
def test_a_secret_committed_by_hand_goes_to_no_remote_not_even_as_a_rescue(
    day: Any, results: Results, where: str
) -> None:
    if where == "as an environment file":
        secret = "A=only-in-the-file"
        day.write("api/.env", f"{secret}\n")
    else:
        day.write("api/key.py", f'KEY = "{KEY}"\n')
        secret = KEY
    day.git("add", "-Af")
    day.git("commit", "-qm", "by hand")
    if where == "in the history only":
        day.write("api/key.py", "KEY = None\n")
        day.git("commit", "-qam", "taken out")
    day.colleague(**{"api/main.py": "theirs\n"})
    synced = day.sync()
    assert set(results(synced).values()) <= {"rejected", "up-to-date"}
    told = next(each for each in synced.pushes if each.branch == "dev" and each.remote == "org")
    assert "api/" in told.detail
    assert "(commit " in told.detail
    for remote in ("origin", "org"):
        assert secret not in day.git("cat-file", "--batch-all-objects", "--batch", at=day.root / f"{remote}.git")


def test_what_one_remote_has_already_is_no_less_a_secret_for_the_other(day: Any, results: Results) -> None:
    day.git("switch", "-qc", "private")
    day.write("api/key.py", f'KEY = "{KEY}"\n')
    day.git("add", "-A")
    day.git("commit", "-qm", "by hand")
    day.git("push", "-q", "origin", "private")
    day.git("switch", "-q", "dev")
    day.write("api/key.py", f'KEY = "{KEY}"\nmore = 1\n')
    day.git("add", "-A")
    day.git("commit", "-qm", "the same, and more")
    assert results(day.sync())["org/dev"] == "rejected"
    assert KEY not in day.git("cat-file", "--batch-all-objects", "--batch", at=day.root / "org.git")


def test_what_is_new_where_a_remote_pushes_to_is_looked_at_even_if_it_fetches_it_from_elsewhere(
    day: Any, results: Results
) -> None:
    day.write("api/key.py", f'KEY = "{KEY}"\n')
    day.git("add", "-A")
    day.git("commit", "-qm", "by hand")
    day.git("push", "-q", "origin", "dev", "dev:master")
    day.git("commit", "-q", "--allow-empty", "-m", "more")
    day.git("remote", "set-url", "--add", "--push", "origin", str(day.root / "org.git"))
    assert results(day.sync(remotes={"origin": ""}))["origin/dev"] == "rejected"
    assert KEY not in day.git("cat-file", "--batch-all-objects", "--batch", at=day.root / "org.git")
    day.git("push", "-q", "org", "dev")
    day.git("commit", "-q", "--allow-empty", "-m", "once it is there")
    assert results(day.sync(remotes={"origin": ""}))["origin/dev"] == "pushed"


def test_a_secret_that_is_replaced_only_here_goes_to_no_remote(day: Any, results: Results) -> None:
    day.write("api/key.py", f'KEY = "{KEY}"\n')
    day.git("add", "-A")
    day.git("commit", "-qm", "by hand")
    day.git("replace", day.head("HEAD:api/key.py"), day.head("HEAD:web/main.ts"))
    assert results(day.sync())["org/dev"] == "rejected"


def test_a_secret_in_a_commits_message_goes_to_no_remote(day: Any, results: Results) -> None:
    day.git("commit", "-q", "--allow-empty", "-m", f"Log in anew\n\nwith {KEY}")
    synced = day.sync()
    assert {results(synced)["origin/dev"], results(synced)["org/dev"]} == {"rejected"}
    assert f"message of commit {day.head()[:10]}:3" in synced.pushes[0].detail


def test_a_baseline_lets_a_reviewed_history_go(day: Any, results: Results) -> None:
    day.write("api/key.py", f'KEY = "{KEY}"\n')
    day.git("add", "-A")
    day.git("commit", "-qm", "by hand")
    assert results(day.sync())["org/dev"] == "rejected"
    from detect_secrets.core.potential_secret import PotentialSecret

    listed = f'{{"results": {{"api/key.py": [{{"hashed_secret": "{PotentialSecret.hash_secret(KEY)}"}}]}}}}'
    day.write(".secrets.baseline", listed)
    assert set(results(day.sync()).values()) == {"pushed"}


@pytest.mark.parametrize(
    ("words", "named", "hint"),
    [
        (["merge", "side"], "merge", "merge --continue"),
        (["rebase", "side"], "rebase", "rebase --continue"),
        (["cherry-pick", "side"], "cherry-pick", "cherry-pick --continue"),
        (["revert", "--no-edit", "side"], "revert", "revert --continue"),
        (["bisect", "start"], "bisect", "bisect reset"),
    ],
)
def test_in_the_middle_of_something_all_is_left_as_it_is_and_backed_up(
    day: Any, words: list[str], named: str, hint: str
) -> None:
    day.git("checkout", "-q", "-b", "side")
    day.write("api/main.py", "side\n")
    day.git("commit", "-qam", "side")
    day.git("checkout", "-q", "dev")
    day.write("api/main.py", "dev\n")
    day.git("commit", "-qam", "dev's own")
    day.git(*words, check=False)
    day.write("untracked", "mine\n")
    refs, index = day.git("for-each-ref", "refs/heads", "refs/remotes"), day.git("ls-files", "-s")
    synced = day.sync()
    assert synced.decision is Decision.REFUSE
    assert f"a {named}" in synced.reason
    assert hint in synced.hint
    assert named == "bisect" or "api/main.py:1: " in synced.reason
    assert (day.git("for-each-ref", "refs/heads", "refs/remotes"), day.git("ls-files", "-s")) == (refs, index)
    assert day.git("show", f"{synced.backup}:untracked") == "mine"


def test_detached_locked_and_not_ours(day: Any) -> None:
    day.git("checkout", "-q", "--detach")
    detached = day.sync()
    assert detached.decision is Decision.REFUSE
    assert "on no branch" in detached.reason
    assert "switch dev" in detached.hint
    day.git("checkout", "-q", "dev")
    (day.path / ".git/index.lock").touch()
    locked = day.sync()
    assert locked.decision is Decision.REFUSE
    assert str(day.path / ".git/index.lock") in locked.hint
    skipped = day.sync(path=str(day.path / "api"))
    assert skipped.decision is Decision.SKIP
    assert f"inside the repository {day.path}" in skipped.reason
    assert day.sync(path=str(day.root / "none")).decision is Decision.SKIP


def test_a_hook_that_fails_is_told_in_its_own_words_and_nothing_moved(day: Any, results: Results) -> None:
    day.hook("pre-commit", "echo 'lint: main.py:1 is wrong' >&2; exit 1")
    day.write("api/main.py", "staged\n")
    day.git("add", "api/main.py")
    day.write("api/main.py", "unstaged\n")
    before = day.git("ls-files", "-s"), day.head()
    synced = day.sync()
    assert synced.failure == "a hook refused the commit"
    assert "lint: main.py:1 is wrong" in synced.output
    assert (day.git("ls-files", "-s"), day.head()) == before
    assert day.git("show", f"{synced.backup}:api/main.py") == "unstaged"
    assert day.git("show", f"{synced.backup}^2:api/main.py") == "staged"
    assert set(results(synced).values()) == {"up-to-date"}


def test_without_a_key_to_sign_with_nothing_is_committed(day: Any) -> None:
    day.git("config", "commit.gpgsign", "true")
    day.git("config", "gpg.program", "false")
    day.write("api/main.py", "two\n")
    head = day.head()
    synced = day.sync()
    assert synced.failure == "the commit could not be signed"
    assert (day.head(), (day.path / "api/main.py").read_text()) == (head, "two\n")


def test_a_signature_is_made_where_the_author_wants_one(day: Any) -> None:
    signer = day.write("../sign", "#!/bin/sh\ncat >/dev/null; echo '[GNUPG:] SIG_CREATED ' >&2; echo 'a signature'\n")
    signer.chmod(0o755)
    day.git("config", "commit.gpgsign", "true")
    day.git("config", "gpg.program", str(signer))
    day.write("api/main.py", "two\n")
    assert day.sync().good
    assert "gpgsig a signature" in day.git("cat-file", "commit", "HEAD")


def test_somebody_git_does_not_know_is_told_how_to_say_who_he_is(day: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    day.git("config", "user.useConfigOnly", "true")
    day.write("api/main.py", "two\n")
    synced = day.sync()
    assert synced.failure == "git does not know who you are"
    assert "user.email" in synced.failure_hint
    assert synced.backup


def test_what_git_ignores_is_not_written_over_by_what_a_colleague_pushed(day: Any) -> None:
    day.write(".gitignore", "config.local\n")
    assert day.sync().good
    day.write("config.local", "mine alone\n")
    day.colleague(**{"config.local": "theirs\n"})
    synced = day.sync()
    assert (day.path / "config.local").read_text() == "mine alone\n"
    assert any("config.local is here already and not known to git" in step for step in synced.steps)


@pytest.mark.parametrize("ignored", ["", "api/main.log"])
def test_a_file_that_becomes_a_folder_and_a_folder_that_becomes_a_file(day: Any, ignored: str) -> None:
    day.write(".gitignore", "*.log\n")
    day.write("conf", "a file\n")
    day.sync()
    day.git("clone", "-q", "-b", "dev", str(day.root / "origin.git"), str(day.root / "other"), at=day.root)
    for words in (("rm", "-q", "conf", "api/main.py"), ("checkout", "-qb", "x")):
        day.git(*words, at=day.root / "other")
    (day.root / "other/conf").mkdir()
    (day.root / "other/conf/a").write_text("in a folder\n")
    (day.root / "other/api").write_text("a file\n")
    day.git("add", "-A", at=day.root / "other")
    day.git("commit", "-qm", "theirs", at=day.root / "other")
    day.git("push", "-q", "origin", "x:dev", at=day.root / "other")
    if ignored:
        day.write(ignored, "the only copy\n")
    synced = day.sync()
    assert (day.path / "conf").is_dir() is not bool(ignored)
    assert not ignored or (day.path / ignored).read_text() == "the only copy\n"
    assert ("fast-forward dev to origin/dev" in synced.steps) is not bool(ignored)


def test_git_itself_says_why_a_branch_is_not_brought_forward(day: Any) -> None:
    day.git("update-index", "--skip-worktree", "api/main.py")
    day.write("api/main.py", "mine alone\n")
    day.colleague(**{"api/main.py": "theirs\n"})
    said = day.sync().steps[0]
    assert said.startswith("dev is not brought forward to origin/dev: Your local changes")
    assert said.endswith(": api/main.py")
    assert (day.path / "api/main.py").read_text() == "mine alone\n"


def test_commit_never_leaves_work_uncommitted_and_pushes_what_is(day: Any, results: Results) -> None:
    day.write("api/main.py", "two\n")
    day.git("commit", "-qam", "by hand")
    day.write("api/main.py", "three\n")
    synced = day.sync(commit="never")
    assert synced.good
    assert results(synced)["org/dev"] == "pushed"
    assert day.git("status", "--porcelain") == "M api/main.py"


def test_lfs_applies_and_takes_large_files(day: Any) -> None:
    assert subprocess.run(["git", "lfs", "version"], capture_output=True, check=False).returncode == 0, (
        "git-lfs is missing: apt-get install git-lfs"
    )
    day.git("lfs", "install", "--local")
    day.git("lfs", "track", "*.bin")
    day.write("model.bin", "x" * 200_000)
    day.write("big.raw", "x" * 200_000)
    synced = day.sync()
    assert [each.where for each in synced.refused] == ["big.raw"]
    assert day.git("cat-file", "blob", "HEAD:model.bin").startswith("version https://git-lfs")
    day.write("key.bin", f"KEY = {KEY}\n")
    assert "key.bin:1" in [each.where for each in day.sync().refused]
    day.git("add", "key.bin")
    day.git("commit", "-qm", "by hand", "--", "key.bin")
    assert "key.bin:1" in day.sync().pushes[0].detail


def test_an_index_that_somebody_else_holds_is_told_of_the_commit_by_the_next_sync(day: Any) -> None:
    day.hook("post-commit", "touch .git/index.lock")
    day.write("api/main.py", "two\n")
    synced = day.sync()
    assert synced.commit == day.head()
    assert any("behind the commit" in step for step in synced.steps)
    (day.path / ".git/index.lock").unlink()
    assert day.sync().good
    assert day.git("status", "--porcelain") == ""
