"""How branches and remotes stand to each other, missing remotes, and addresses without their secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devctl.core.model import GitRepository
from devctl.errors import DevctlError
from devctl.git.pending import Waiting, write
from devctl.git.remotes import set_up, survey
from devctl.git.urls import public, scrubbed
from devctl.workspace import Workspace

Git = Callable[..., str]


@pytest.fixture
def origin(tmp_path: Path, git: Git) -> Path:
    """A bare remote that has dev as it is here."""
    at = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", at], check=True)
    git("remote", "add", "origin", str(at))
    git("push", "-q", "-u", "origin", "dev")
    return at


def test_ahead_behind_and_what_is_not_there(repo: Path, git: Git, origin: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "theirs")
    git("push", "-q", "origin", "dev")
    git("reset", "-q", "--hard", "HEAD~1")
    git("commit", "-q", "--allow-empty", "-m", "ours")
    git("commit", "-q", "--allow-empty", "-m", "ours too")
    git("branch", "master", "HEAD~2")
    wanted = GitRepository(path=str(repo), branch="dev", sync_branches=("dev", "master", "later"))
    found = survey(wanted)
    assert [(lane.branch, lane.ahead, lane.behind, lane.known, lane.here) for lane in found.lanes] == [
        ("dev", 2, 1, True, True),
        ("master", 0, 0, False, True),
        ("later", 0, 0, False, False),
    ]
    assert found.lanes[0].moved > 0
    assert found.lanes[1].moved == 0


def test_a_missing_remote_is_set_up_as_the_manifest_says(repo: Path, git: Git, origin: Path) -> None:
    wanted = GitRepository(
        path=str(repo), branch="dev", remotes={"origin": "https://elsewhere.example/x", "org": "/srv/x.git", "name": ""}
    )
    found = survey(wanted)
    assert found.missing == ("org",)
    assert [(each.name, each.missing, each.elsewhere) for each in found.remotes] == [
        ("origin", False, "https://elsewhere.example/x"),
        ("org", True, ""),
        ("name", True, ""),
    ]
    set_up(wanted, found.missing)
    assert git("remote", "get-url", "org") == "/srv/x.git\n"
    assert git("remote", "get-url", "origin") == f"{origin}\n"
    assert survey(wanted).missing == ()
    with pytest.raises(DevctlError, match="cannot be set up"):
        set_up(wanted, ["org"])


def test_a_folder_that_is_no_repository_is_said(tmp_path: Path) -> None:
    assert "no such folder" in survey(GitRepository(path=str(tmp_path / "nowhere"))).problem
    assert "not a repository" in survey(GitRepository(path=str(tmp_path))).problem


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@host.example/x.git", "https://host.example/x.git"),
        ("https://secret@host.example/x", "https://host.example/x"),
        ("https://host.example/x?token=secret#secret", "https://host.example/x"),
        ("HTTPS://a@b:secret@host.example/x", "HTTPS://host.example/x"),
        ("ssh://git:secret@host.example:22/x", "ssh://git@host.example:22/x"),
        ("git@github.com:acme/tool.git", "git@github.com:acme/tool.git"),
        ("git://host.example/x", "git://host.example/x"),
        ("/srv/me:not@secret/x.git", "/srv/me:not@secret/x.git"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert public(url) == shown
    assert "secret" not in scrubbed(f"fatal: unable to access '{url}': no") or url.startswith("/")


def test_the_verb_asks_nobody_where_there_is_no_terminal(repo: Path, git: Git, origin: Path, tmp_path: Path) -> None:
    git_part = {"path": "repo", "branch": "dev", "sync": {"remotes": {"org": "https://me:secret@host.example/x"}}}
    manifest = {"name": "bench", "services": {"a": {"library": True}}, "git": git_part}
    (tmp_path / "services.yaml").write_text(json.dumps(manifest).replace('"bench"', "bench"))
    devctl = Path(sys.executable).with_name("devctl")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [devctl, "remotes", *words], cwd=tmp_path, env=os.environ, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=True,
        )  # fmt: skip

    shown = run()
    assert "devctl remotes --yes sets up org" in shown.stdout
    found = json.loads(run("--json").stdout)["repositories"][0]
    assert {each["name"]: each["missing"] for each in found["remotes"]} == {"org": True, "origin": False}
    assert "org" not in git("remote").split()
    origin_dev = Waiting(repository=str(repo), remote="origin", branches=("dev",), commits=2, reason="closed for today")
    write(Workspace(tmp_path, "bench"), (origin_dev,))
    assert "not pushed: closed for today" in run().stdout
    lanes = json.loads(run("--json").stdout)["repositories"][0]["branches"]
    assert [(each["branch"], each["remote"], each["pending"]) for each in lanes] == [
        ("dev", "origin", "closed for today")
    ]
    done = run("--yes")
    assert "set up: org https://host.example/x" in done.stderr
    assert git("remote", "get-url", "org") == "https://me:secret@host.example/x\n"
    assert "secret" not in shown.stdout + done.stdout + done.stderr
