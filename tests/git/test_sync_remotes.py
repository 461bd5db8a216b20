"""Remotes as they are: by path and by git://, protected, refusing, gone, silent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl.errors import DevctlError
from devctl.git import pending
from devctl.git.report import Pushed, Synced
from devctl.git.sync import locked, retry

Results = Callable[[Synced], dict[str, str]]


@pytest.fixture
def daemon(tmp_path: Path, free_port: Callable[[], int], poll: Callable[..., Any]) -> Iterator[str]:
    """git's own daemon on loopback for everything below tmp_path: the beginning of its addresses."""
    port = free_port()
    process = subprocess.Popen(
        ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all",
         "--enable=receive-pack", f"--base-path={tmp_path}", str(tmp_path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        poll(answers, what="git daemon listens")
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def silent() -> Iterator[str]:
    """A remote that takes every connection and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"git://127.0.0.1:{listener.getsockname()[1]}/x.git"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for each in taken:
            each.close()


def at(synced: Synced, remote: str, branch: str = "dev") -> Pushed:
    return next(each for each in synced.pushes if (each.remote, each.branch) == (remote, branch))


def work(day: Any, text: str = "two\n") -> None:
    day.write("api/main.py", text)


def test_by_git_daemon(day: Any, daemon: str, results: Results) -> None:
    day.git("remote", "set-url", "org", f"{daemon}/org.git")
    work(day)
    assert set(results(day.sync()).values()) == {"pushed"}
    assert day.head("dev", "org") == day.head()


def test_a_silent_remote_holds_up_nobody_beyond_its_time(day: Any, silent: str, results: Results) -> None:
    day.git("remote", "set-url", "org", silent)
    work(day)
    began = time.monotonic()
    synced = day.sync(timeout=8.0)  # the other remote has to end in it, too, on a machine however busy
    took = time.monotonic() - began
    assert results(synced)["origin/dev"] == "pushed"
    assert at(synced, "org").detail == "no answer within 8 s"
    assert results(synced)["org/dev"] == "unreachable"
    assert 8 <= took < 8 + 60
    assert _left(silent) == []


def _left(address: str) -> list[str]:
    """Processes that still have this in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if address in line and "pytest" not in line:
            found.append(line)
    return found


def test_what_failed_is_remembered_told_and_tried_again(day: Any, results: Results) -> None:
    away = day.root / "away.git"
    (day.root / "org.git").rename(away)
    work(day)
    assert results(day.sync())["org/dev"] == "unreachable"
    work(day, "three\n")
    assert results(day.sync())["org/dev"] == "unreachable"
    (waiting,) = pending.read(day.workspace)
    assert (waiting.remote, waiting.commits, waiting.branches) == ("org", 2, ("dev", "master"))
    assert str(waiting).startswith("2 commits not yet on org: ")
    away.rename(day.root / "org.git")
    work(day, "uncommitted\n")
    head = day.head()
    report = retry(day.manifest(), day.workspace)
    assert report is not None
    assert set(results(report.repositories[0]).values()) <= {"pushed", "up-to-date"}
    assert day.head("dev", "org") == head == day.head()
    assert day.git("status", "--porcelain") == "M api/main.py"
    assert pending.read(day.workspace) == ()
    assert retry(day.manifest(), day.workspace) is None


def test_a_protected_branch_holds_back_the_others_but_the_work_is_safe_beside(day: Any, results: Results) -> None:
    day.hook("update", 'case $1 in refs/heads/master) echo "master is protected" >&2; exit 1;; esac', "org")
    work(day)
    before = day.head("dev", "org"), day.head("master", "org")
    synced = day.sync()
    assert results(synced)["origin/dev"] == "pushed"
    assert "master is protected" in at(synced, "org", "master").detail
    assert (day.head("dev", "org"), day.head("master", "org")) == before
    assert results(synced)["org/dev"] == "rescued"
    (rescue,) = day.git("for-each-ref", "--format=%(refname)", "refs/heads/rescue", at=day.root / "org.git").split()
    assert day.head(rescue, "org") == day.head()
    (waiting,) = pending.read(day.workspace)
    assert waiting.commits == 1


def test_no_rights_at_all(day: Any, results: Results) -> None:
    day.hook("pre-receive", 'echo "you may not push here" >&2; exit 1', "org")
    work(day)
    synced = day.sync()
    assert results(synced)["origin/dev"] == "pushed"
    assert results(synced)["org/dev"] == "rejected"
    assert "you may not push here" in at(synced, "org").detail


def test_a_pre_push_hook_has_its_word(day: Any, results: Results) -> None:
    day.hook("pre-push", 'echo "tests fail" >&2; exit 1')
    work(day)
    before = day.head("dev", "org")
    synced = day.sync()
    assert set(results(synced).values()) == {"rejected"}
    assert at(synced, "org").detail == "tests fail"
    assert day.head("dev", "org") == before


def test_a_branch_that_was_rewritten_there_loses_nothing_here_nor_there(day: Any, results: Results) -> None:
    work(day)
    day.sync()
    known = day.head("origin/dev")
    other = day.root / "other"
    day.git("clone", "-q", "-b", "dev", str(day.root / "origin.git"), str(other), at=day.root)
    day.git("commit", "-q", "--amend", "-m", "rewritten", at=other)
    day.git("push", "-q", "--force", "origin", "dev", at=other)
    rewritten = day.head("dev", "origin")
    day.git("config", "fetch.prune", "true")
    synced = day.sync()
    assert results(synced)["origin/dev"] == "rescued"
    assert (day.head("origin/dev"), day.head("dev", "origin")) == (known, rewritten)


def test_a_branch_that_is_gone_there_keeps_its_ref_here(day: Any) -> None:
    day.git("push", "-q", "origin", "HEAD:refs/heads/old")
    known = day.head("origin/old")
    day.git("config", "fetch.prune", "true")
    day.git("update-ref", "-d", "refs/heads/old", at=day.root / "origin.git")
    day.sync()
    assert day.head("origin/old") == known


def test_a_remote_that_is_configured_as_a_mirror_is_not_forced_into_one(day: Any, results: Results) -> None:
    day.git("update-ref", "refs/heads/theirs-alone", day.head("dev", "org"), at=day.root / "org.git")
    day.git("config", "remote.org.mirror", "true")
    work(day)
    assert results(day.sync())["org/dev"] == "pushed"
    refs = day.git("for-each-ref", "--format=%(refname)", at=day.root / "org.git").split()
    assert refs == ["refs/heads/dev", "refs/heads/master", "refs/heads/theirs-alone"]


def test_a_password_in_an_address_is_shown_nowhere(day: Any, free_port: Callable[[], int]) -> None:
    url = f"http://ada:hunter2@127.0.0.1:{free_port()}/x.git"
    synced = day.sync(remotes={"elsewhere": url}, timeout=10.0)
    assert synced.pushes
    assert "hunter2" not in repr(synced)


def test_a_remote_nobody_has_is_named_with_the_command_that_makes_it(day: Any, results: Results) -> None:
    synced = day.sync(remotes={"origin": "", "backup": ""})
    assert results(synced)["backup/dev"] == "unreachable"
    assert at(synced, "backup").hint == f"git -C {day.path} remote add backup URL"
    assert results(synced)["origin/dev"] == "up-to-date"


def test_an_empty_remote_gets_everything(day: Any, results: Results) -> None:
    day.git("init", "-q", "--bare", str(day.root / "new.git"), at=day.root)
    synced = day.sync(remotes={"new": str(day.root / "new.git")})
    assert results(synced) == {"new/dev": "pushed", "new/master": "pushed"}
    assert day.head("master", "new") == day.head("master")


def test_only_one_sync_of_a_workspace_at_a_time(day: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    work(day)
    monkeypatch.setattr("devctl.git.sync.LOCK_PATIENCE", 0.05)
    with locked(day.workspace), pytest.raises(DevctlError, match="another sync"):
        day.sync()
    assert day.git("status", "--porcelain") == "M api/main.py"
    assert day.sync().good


def test_a_branch_that_was_deleted_there_is_pushed_anew(day: Any, results: Results) -> None:
    day.git("update-ref", "-d", "refs/heads/dev", at=day.root / "org.git")
    synced = day.sync()
    assert results(synced)["org/dev"] == "pushed"
    assert day.head("dev", "org") == day.head("dev")


def test_work_on_a_branch_nobody_named_is_committed_and_said_to_be_pushed_nowhere(day: Any) -> None:
    day.git("checkout", "-q", "-b", "feature/x")
    work(day)
    synced = day.sync()
    assert day.git("log", "-1", "--format=%s", "feature/x") == "api: 1 file changed"
    assert "feature/x is not among git.sync.branches, so it is pushed nowhere" in synced.steps


def test_lfs_objects_go_to_the_remote_too(day: Any, results: Results) -> None:
    day.git("lfs", "install", "--local")
    day.git("lfs", "track", "*.bin")
    day.write("model.bin", "x" * 200_000)
    for name in ("origin", "org"):
        day.git("remote", "set-url", name, f"file://{day.root}/{name}.git")
    synced = day.sync()
    assert set(results(synced).values()) == {"pushed"}, synced.pushes
    assert list((day.root / "org.git/lfs/objects").rglob("*"))
