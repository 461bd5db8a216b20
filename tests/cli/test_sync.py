"""``devctl sync`` and the end of the day as people and programs meet them."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CONFIG = "[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = dev\n"


class Repo:
    """A repository ``product`` beside the manifest, and two bare remotes."""

    def __init__(self, place: Any) -> None:
        self.place, self.path = place, place.root / "product"
        config = place.root / "gitconfig"
        config.write_text(CONFIG)
        place.environment |= {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_SYSTEM": "/dev/null"}
        for name in ("origin", "org"):
            self.git("init", "-q", "--bare", str(place.root / f"{name}.git"), at=place.root)
        self.git("init", "-q", str(self.path), at=place.root)
        (self.path / "a").write_text("one\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "first")
        self.git("branch", "master")
        for name in ("origin", "org"):
            self.git("remote", "add", name, f"../{name}.git")
            self.git("push", "-q", name, "dev", "master")

    def git(self, *words: str, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", at or self.path, *words],
            env=self.place.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def manifest(self, services: dict[str, Any] | None = None, **sync: Any) -> None:
        told = {"branches": ["dev", "master"], "promote": {"master": "dev"}, "remotes": ["origin", "org"], **sync}
        product = {"library": True, "path": "product"}
        self.place.write(
            {"product": product, **(services or {})}, git={"path": "product", "branch": "dev", "sync": told}
        )


@pytest.fixture
def repo(place: Any) -> Repo:
    return Repo(place)


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"git://127.0.0.1:{listener.getsockname()[1]}/x.git"


def test_json_has_the_shape_that_programs_rely_on(place: Any, repo: Repo) -> None:
    repo.manifest()
    (repo.path / "a").write_text("two\n")
    done = place.run("sync", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.keys() == {"repositories", "mirrors"}
    (found,) = said["repositories"]
    assert found.keys() == {"path", "decision", "reason", "commit", "backup", "pushes"}
    assert (found["path"], found["decision"], found["reason"]) == (str(repo.path), "sync", "")
    assert found["commit"] == repo.git("rev-parse", "HEAD")
    assert found["backup"].startswith("refs/devctl/backup/")
    pushes = {(each["remote"], each["branch"]): each["result"] for each in found["pushes"]}
    assert pushes == {(remote, branch): "pushed" for remote in ("origin", "org") for branch in ("dev", "master")}
    assert all(each.keys() == {"remote", "branch", "result", "detail"} for each in found["pushes"])


def test_without_a_terminal_nothing_is_committed_unasked_and_the_flag_is_named(place: Any, repo: Repo) -> None:
    repo.manifest()
    (repo.path / "a").write_text("two\n")
    done = place.run("sync")
    assert done.returncode == 1
    assert "nobody could be asked" in done.stdout
    assert "devctl sync --yes" in done.stdout
    assert repo.git("status", "--porcelain") == "M a"


def test_it_asks_once_with_the_list_of_files(place: Any, repo: Repo) -> None:
    repo.manifest()
    (repo.path / "a").write_text("two\n")
    (repo.path / "new").write_text("new\n")
    screen = place.on_terminal("sync", size=(100, 30))
    screen.until("[y/N]")
    assert "2 files to commit on dev in product:" in screen.plain
    assert "a" in screen.plain
    assert "new" in screen.plain
    screen.keys("y\n")
    assert screen.end() == 0
    assert screen.plain.count("[y/N]") == 1
    assert "pushed" in screen.plain
    assert repo.git("status", "--porcelain") == ""


def test_a_no_leaves_everything_as_it_is(place: Any, repo: Repo) -> None:
    repo.manifest()
    (repo.path / "a").write_text("two\n")
    refs = repo.git("for-each-ref")
    screen = place.on_terminal("sync")
    screen.until("[y/N]")
    screen.keys("n\n")
    assert screen.end() == 3
    assert (repo.git("for-each-ref"), repo.git("status", "--porcelain")) == (refs, "M a")


def test_a_manifest_that_says_always_is_not_asked_about(place: Any, repo: Repo) -> None:
    repo.manifest(commit="always")
    (repo.path / "a").write_text("two\n")
    done = place.run("sync", "--message", "my words")
    assert done.returncode == 0, done.stdout
    assert repo.git("log", "-1", "--format=%s", "org/dev") == "my words"


def test_a_dry_run_is_told_in_words(place: Any, repo: Repo) -> None:
    repo.manifest()
    (repo.path / "a").write_text("two\n")
    (repo.path / ".env").write_text("A=1\n")
    done = place.run("sync", "--dry-run")
    assert done.returncode == 1
    assert "would commit 1 file: product: 1 file changed" in done.stdout
    assert "would fast-forward master to dev" in done.stdout
    assert "org: dev and master would be pushed" in done.stdout
    assert "not committed: .env:1" in done.stdout
    assert repo.git("status", "--porcelain").splitlines() == ["M a", "?? .env"]


def test_down_ends_the_day_and_no_sync_does_not(place: Any, repo: Repo, free_port: Callable[[], int]) -> None:
    port = free_port()
    repo.manifest({"web": place.server(port)}, commit="always")
    assert place.run("up").returncode == 0
    (repo.path / "a").write_text("two\n")
    assert place.run("down", "web").returncode == 0
    assert repo.git("status", "--porcelain") == "M a"
    assert place.run("up").returncode == 0
    assert place.run("down", "--no-sync").returncode == 0
    assert repo.git("status", "--porcelain") == "M a"
    done = place.run("down")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pushed" in done.stdout
    assert repo.git("status", "--porcelain") == ""
    assert repo.git("rev-parse", "org/master") == repo.git("rev-parse", "HEAD")


def test_a_silent_remote_holds_up_down_no_longer_than_its_time_and_services_stop_first(
    place: Any, repo: Repo, free_port: Callable[[], int], silent: str
) -> None:
    port = free_port()
    repo.git("remote", "set-url", "org", silent)
    repo.manifest({"web": place.server(port)}, commit="always", timeout="8s")
    assert place.run("up").returncode == 0
    (repo.path / "a").write_text("two\n")
    began = time.monotonic()
    done = place.run("down")
    assert time.monotonic() - began < 8 + 60
    assert done.returncode == 1
    assert done.stdout.index("stopped") < done.stdout.index("no answer within 8 s")
    assert "origin: dev and master pushed" in done.stdout
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    status = place.run("status")
    assert "1 commit not yet on org: no answer within 8 s" in status.stdout
    (pending,) = json.loads(place.run("status", "--json").stdout)["pending"]
    assert (pending["remote"], pending["commits"]) == ("org", 1)


def test_a_folder_that_is_no_repository_is_skipped_and_that_is_no_failure(place: Any, repo: Repo) -> None:
    repo.manifest()
    (repo.path / "inner").mkdir()
    place.write(
        {"product": {"library": True, "path": "product"}}, git={"path": "product/inner", "sync": {"branches": ["dev"]}}
    )
    done = place.run("sync", "--json")
    assert done.returncode == 0
    (found,) = json.loads(done.stdout)["repositories"]
    assert found["decision"] == "skip"
    assert "inside the repository" in found["reason"]
