"""The pull, with real git: bare remotes, a git daemon, a listener that never answers, and people who work meanwhile."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl.core.model import Dependency, GitRepository, Manifest, ProcessSpec, Runtime, Service, SetupStep
from devctl.git.pull.fetch import Landed, Outcome, Puller
from devctl.git.pull.touch import touched
from devctl.git.sync import _together, break_off, locked
from devctl.workspace import Workspace

Git = Callable[..., str]


class Team:
    """``here`` is our clone of ``origin`` on dev; ``push`` is a colleague's commit there."""

    def __init__(self, tmp_path: Path, here: Path, git: Git) -> None:
        self.here, self.git = here, git
        self.origin, self.colleague = tmp_path / "origin.git", tmp_path / "colleague"
        self.new_remote("origin")
        git("push", "-q", "-u", "origin", "dev")
        subprocess.run(["git", "clone", "-q", "-b", "dev", self.origin, self.colleague], check=True)
        self.landed: list[Landed] = []
        (tmp_path / "workspace").mkdir()
        self.workspace = Workspace(tmp_path / "workspace", "day")

    def new_remote(self, name: str) -> Path:
        at = self.origin.with_name(f"{name}.git")
        subprocess.run(["git", "init", "-q", "--bare", "-b", "dev", at], check=True)
        self.git("remote", "add", name, str(at))
        return at

    def push(self, files: dict[str, str], to: str = "origin") -> str:
        """Commit these files and push dev; the commit."""
        for name, text in files.items():
            (self.colleague / name).parent.mkdir(parents=True, exist_ok=True)
            (self.colleague / name).write_text(text)
        self.git("add", "-f", "-A", at=self.colleague)
        self.git("commit", "-q", "--allow-empty", "-m", "theirs", at=self.colleague)
        self.git("push", "-q", str(self.origin.with_name(f"{to}.git")), "dev", at=self.colleague)
        return self.git("rev-parse", "HEAD", at=self.colleague).strip()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").strip()

    def section(self, **more: object) -> GitRepository:
        return GitRepository(
            path=str(self.here), **{"branch": "dev", "timeout": 30.0, "remotes": {"origin": "", "org": ""}, **more}
        )  # type: ignore[arg-type]

    def pull(self, **more: object) -> Outcome:
        return asyncio.run(Puller(self.section(**more), self.workspace, self.landed.append).run())


@pytest.fixture
def team(tmp_path: Path, repo: Path, git: Git) -> Team:
    """A repository with a remote and a colleague."""
    return Team(tmp_path, repo, git)


@pytest.fixture
def silent() -> Iterator[str]:
    """A git:// address where a listener accepts and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"git://127.0.0.1:{listener.getsockname()[1]}/x.git"


def why(outcome: Outcome) -> str:
    assert outcome.stay is not None
    return outcome.stay.reason


def test_the_branch_is_brought_forward_and_says_what_came(team: Team) -> None:
    before = team.head()
    team.push({"a": "one\n"})
    after = team.push({"web/b": "two\n", "gone é\n": "odd\n"})
    outcome = team.pull()
    assert (outcome.number, outcome.ref, outcome.stay, outcome.unreached) == (2, "origin/dev", None, ())
    (landed,) = team.landed
    assert (landed.before, landed.after, set(landed.files)) == (before, after, {"a", "web/b", "gone é\n"})
    assert team.head() == after
    assert team.git("status", "--porcelain") == ""
    assert team.git("symbolic-ref", "HEAD") == "refs/heads/dev\n"
    assert team.pull() == Outcome(path=str(team.here))


def test_what_a_colleague_pushed_to_the_other_remote_comes_too(team: Team) -> None:
    team.new_remote("org")
    team.push({"a": "one\n"}, to="org")
    assert team.pull().ref == "org/dev"
    team.push({"a": "two\n"})
    after = team.push({"a": "three\n"}, to="org")
    outcome = team.pull()
    assert team.head() == after
    assert sum(each.number for each in team.landed) == 3 == outcome.number + 1


def test_a_submodule_that_came_is_named_and_not_touched(team: Team) -> None:
    first = team.head()
    team.git("update-index", "--add", "--cacheinfo", f"160000,{first},part", at=team.colleague)
    team.git("commit", "-q", "-m", "a submodule", at=team.colleague)
    team.git("push", "-q", str(team.origin), "dev", at=team.colleague)
    assert team.pull().stay is None
    (landed,) = team.landed
    assert (landed.files, landed.submodules) == (("part",), ("part",))
    after = team.push({"b": "one\n"})
    assert team.pull().stay is None
    assert team.head() == after


def test_what_lies_on_a_remote_that_the_manifest_does_not_name_is_fetched_and_not_taken(team: Team) -> None:
    """A colleague's own remote, say: nobody has looked at what is there."""
    team.new_remote("bob")
    before = team.head()
    theirs = team.push({"a": "one\n"}, to="bob")
    assert team.pull() == Outcome(path=str(team.here))
    assert team.head() == before
    assert team.git("rev-parse", "bob/dev").strip() == theirs


def test_work_beside_what_comes_stays_byte_for_byte(team: Team) -> None:
    team.git("config", "merge.autoStash", "true")  # it would forget what was staged
    (team.here / "mine").write_text("untracked\n")
    (team.here / "a").write_text("zero\nand mine\n")
    team.git("add", "a")
    (team.here / "a").write_text("zero\nand more of mine\n")
    before = team.git("status", "--porcelain"), team.git("diff"), team.git("diff", "--cached")
    after = team.push({"web/b": "two\n"})
    assert team.pull().stay is None
    assert team.head() == after
    assert (team.git("status", "--porcelain"), team.git("diff"), team.git("diff", "--cached")) == before
    assert (team.here / "mine").read_text() == "untracked\n"


@pytest.mark.parametrize("state", ["changed", "staged", "deleted", "untracked", "ignored", "renamed", "folder"])
def test_a_file_that_differs_here_is_never_touched(team: Team, state: str) -> None:
    """An ignored file too: git itself would overwrite it without a word."""
    here, name = team.here, "a" if state in {"changed", "staged", "deleted", "renamed"} else "secret.env"
    match state:
        case "changed" | "staged":
            (here / name).write_text("mine\n")
            if state == "staged":
                team.git("add", name)
        case "deleted":
            (here / name).unlink()
        case "renamed":
            team.git("mv", name, "elsewhere")
        case "folder":
            (here / name).mkdir()
            (here / name / "mine").write_text("mine\n")
        case _:
            (here / name).write_text("mine\n")
            if state == "ignored":
                (here / ".git/info").mkdir(exist_ok=True)
                (here / ".git/info/exclude").write_text("*.env\n")
    team.push({name: "theirs\n"})
    before = team.head(), tree(here), team.git("status", "--porcelain", "--ignored")
    outcome = team.pull()
    assert f"1 commit on origin/dev not pulled: {name}" in why(outcome)
    assert (team.head(), tree(here), team.git("status", "--porcelain", "--ignored")) == before
    assert team.landed == []


def tree(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_git_itself_refuses_to_overwrite_what_is_ignored(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a file come to lie there after we looked, git's own look is the second net."""
    (team.here / ".git/info").mkdir(exist_ok=True)
    (team.here / ".git/info/exclude").write_text("*.env\n")
    team.push({"secret.env": "theirs\n"})
    monkeypatch.setattr(
        "devctl.git.pull.fetch.obstacle", lambda *_: (team.here / "secret.env").write_text("mine\n") and None
    )
    assert "git says" in why(team.pull())
    assert (team.here / "secret.env").read_text() == "mine\n"


def test_settings_that_would_squash_stash_or_merge_have_no_say(team: Team) -> None:
    for key, value in {"branch.dev.mergeOptions": "--squash", "merge.autoStash": "true", "merge.ff": "false"}.items():
        team.git("config", key, value)
    after = team.push({"b": "one\n"})
    assert team.pull().stay is None
    assert team.head() == after


def test_gone_apart_nothing_is_merged(team: Team) -> None:
    team.git("commit", "-q", "--allow-empty", "-m", "ours")
    before = team.head()
    team.push({"b": "one\n"})
    assert "gone apart, 1 commit here and 1 commit on origin/dev" in why(team.pull())
    assert team.head() == before


def test_another_branch_a_detached_head_and_an_unfinished_merge_are_left_alone(team: Team) -> None:
    team.push({"b": "one\n"})
    tracking = team.git("rev-parse", "refs/remotes/origin/dev")
    team.git("switch", "-q", "-c", "feature")
    assert why(team.pull()) == "not pulled: on feature, not on dev"
    team.git("checkout", "-q", "--detach")
    assert why(team.pull()) == "not pulled: HEAD is on no branch"
    team.git("switch", "-q", "feature")
    (team.here / "a").write_text("feature\n")
    team.git("commit", "-qam", "feature")
    team.git("switch", "-q", "dev")
    (team.here / "a").write_text("dev\n")
    team.git("commit", "-qam", "dev")
    team.git("merge", "feature", check=False)
    before = tree(team.here), team.git("status", "--porcelain")
    assert why(team.pull()) == "not pulled: a merge is under way, and is left alone"
    assert (tree(team.here), team.git("status", "--porcelain")) == before
    assert team.git("rev-parse", "refs/remotes/origin/dev") == tracking, "nothing was even fetched"


def test_no_upstream_and_one_that_is_gone(team: Team) -> None:
    team.git("branch", "--unset-upstream")
    assert why(team.pull()) == "not pulled: dev follows no remote branch"
    team.git("branch", "--set-upstream-to=origin/dev")
    team.git("update-ref", "-d", "refs/remotes/origin/dev")
    team.git("update-ref", "-d", "refs/heads/dev", at=team.origin)
    assert why(team.pull()) == "not pulled: origin/dev is not there (any more)"


def test_a_remote_that_hangs_costs_its_timeout_and_is_said(team: Team, silent: str) -> None:
    team.git("remote", "set-url", "origin", silent)
    outcome = team.pull(timeout=1.0)
    assert [(each.remote, each.why) for each in outcome.unreached] == [("origin", "no answer within 1 s")]
    assert outcome.stay is None
    assert fetching(team) == []


def test_what_one_remote_has_does_not_wait_for_another(team: Team, silent: str, apoll: Callable[..., Any]) -> None:
    team.git("remote", "add", "org", silent)
    after = team.push({"b": "one\n"})
    asked: list[tuple[str, ...]] = []

    async def pull() -> None:
        puller = Puller(team.section(timeout=600.0), team.workspace, lambda _: asked.append(puller.asked))
        work = asyncio.create_task(puller.run())
        await apoll(lambda: asked)
        work.cancel()
        await asyncio.wait([work])

    asyncio.run(pull())
    assert asked == [("org",)]
    assert team.head() == after


def test_broken_off_it_leaves_no_git_behind(team: Team, silent: str, apoll: Callable[..., Any]) -> None:
    team.git("remote", "set-url", "origin", silent)

    async def broken_off() -> None:
        work = asyncio.create_task(Puller(team.section(timeout=600.0), team.workspace, team.landed.append).run())
        await apoll(lambda: fetching(team))
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()

    asyncio.run(broken_off())
    assert fetching(team) == []
    assert [path.name for path in (team.here / ".git").glob("**/*.lock")] == ["devctl.lock"]


def fetching(team: Team) -> list[int]:
    """Every git that fetches into this repository."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if str(team.here).encode() in words and b"fetch" in words:
            found.append(int(entry.name))
    return found


def test_nobody_at_the_address_is_said_and_what_was_fetched_before_is_used(
    team: Team, free_port: Callable[[], int]
) -> None:
    after = team.push({"b": "one\n"})
    team.git("fetch", "-q", "origin")
    team.git("remote", "set-url", "origin", f"git://127.0.0.1:{free_port()}/x")
    outcome = team.pull()
    assert [(each.remote, each.why) for each in outcome.unreached] == [("origin", "nobody answers there")]
    assert team.head() == after


def test_over_the_network_from_a_git_daemon(
    team: Team, free_port: Callable[[], int], poll: Callable[..., object]
) -> None:
    port = free_port()
    command = ["git", "daemon", "--reuseaddr", "--export-all", f"--base-path={team.origin.parent}"]
    command += ["--listen=127.0.0.1", f"--port={port}"]
    daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        poll(lambda: answers(port), what="git daemon")
        team.git("remote", "set-url", "origin", f"git://127.0.0.1:{port}/origin.git")
        after = team.push({"b": "one\n"})
        assert team.pull().unreached == ()
        assert team.head() == after
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)  # git itself only waits for git-daemon
        daemon.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_two_at_once_bring_it_forward_once(team: Team) -> None:
    team.push({"b": "one\n"})

    async def both() -> list[Outcome]:
        return list(
            await asyncio.gather(*(Puller(team.section(), team.workspace, team.landed.append).run() for _ in range(2)))
        )

    outcomes = asyncio.run(both())
    assert [outcome.stay for outcome in outcomes] == [None, None]
    assert sorted(outcome.number for outcome in outcomes) == [0, 1]
    assert len(team.landed) == 1


def test_another_devctl_that_holds_the_repository_is_waited_for_and_not_for_ever(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devctl.git.pull.fetch.ALONE", 0.2)
    after = team.push({"b": "one\n"})
    with (team.here / ".git/devctl.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert team.pull().stay is None
    assert team.head() == after


def test_beside_a_sync_nothing_is_brought_forward(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devctl.git.sync.LOCK_PATIENCE", 0.2)
    team.push({"b": "one\n"})
    before = team.head()
    with locked(team.workspace):
        assert "another sync of this workspace" in why(team.pull())
    assert team.head() == before


def test_a_branch_that_was_rewritten_there_is_not_taken_over(team: Team) -> None:
    """What only the old remote branch still reaches stays reachable."""
    first = team.push({"b": "one\n"})
    team.pull()
    team.git("fetch", "-q", "origin")
    team.git("config", "fetch.prune", "true")
    team.git("config", "fetch.output", "compact")
    team.git("commit", "-q", "--amend", "-m", "rewritten", at=team.colleague)
    team.git("push", "-q", "--force", str(team.origin), "dev", at=team.colleague)
    team.git("push", "-q", str(team.origin), "dev:other", at=team.colleague)
    outcome = team.pull()
    assert [(each.remote, each.why) for each in outcome.unreached] == [("origin", "dev was rewritten there")]
    assert team.head() == team.git("rev-parse", "refs/remotes/origin/dev").strip() == first
    assert team.git("rev-parse", "refs/remotes/origin/other"), "all else was fetched"


def test_an_index_that_is_locked_for_good_is_said(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devctl.git.pull.fetch.LOCK_PATIENCE", 0.2)
    team.push({"b": "one\n"})
    (team.here / ".git/index.lock").touch()
    before = team.head()
    assert "index.lock" in why(team.pull())
    assert team.head() == before


def test_somebody_who_switches_the_branch_meanwhile_keeps_it(team: Team) -> None:
    """Facts are looked at anew after the fetch: by a hook of git's own, in the middle of it."""
    team.push({"b": "one\n"})
    before = team.head()
    team.git("branch", "mine")
    hook = team.here / ".git/hooks/reference-transaction"
    hook.write_text(
        '#!/bin/sh\n[ "$1" = committed ] && [ -z "$GUARD" ] && GUARD=1 git symbolic-ref HEAD refs/heads/mine\nexit 0\n'
    )
    hook.chmod(0o755)
    assert why(team.pull()) == "not pulled: on mine, not on dev"
    assert team.git("rev-parse", "dev").strip() == before


def test_never_means_that_nothing_is_even_looked_at(team: Team) -> None:
    team.push({"b": "one\n"})
    outcome = team.pull(pull="never")
    assert outcome.stay is not None
    assert outcome.stay.quiet
    assert team.landed == []


# -- what a pull touches


def process(name: str, folder: Path, *needs: str, oneshot: bool = False, setup: Path | None = None) -> Service:
    steps = (SetupStep(command="make", path=str(setup)),) if setup else ()
    files = (str(folder.parent / f"{name}.env"),)
    return Service(
        name=name, runtime=Runtime.PROCESS, path=str(folder), oneshot=oneshot,
        process=ProcessSpec(command="run", path=str(folder), setup=steps, env_file=files),
        depends_on=tuple(Dependency(service=need) for need in needs),
    )  # fmt: skip


def test_a_service_is_touched_by_its_folder_its_env_file_its_setup_and_its_one_shots(team: Team) -> None:
    here = team.here
    services = [
        process("api", here / "api"),
        process("web", here / "web", "init"),
        process("webby", here / "webby"),
        process("set", here / "elsewhere", setup=here / "tools"),
        process("init", here / "init", "first", oneshot=True),
        process("first", here / "first", oneshot=True),
        process("worker", here / "worker", "api"),
        Service(name="box", runtime=Runtime.CONTAINER, path=str(here / "box"), compose="box"),
        Service(name="job", runtime=Runtime.CONTAINER, path=str(here / "box"), compose="job", oneshot=True),
        Service(name="library", runtime=Runtime.LIBRARY, path=str(here / "api")),
        Service(name="out", runtime=Runtime.PROCESS, path="/somewhere/else"),
        Service(name="nowhere", runtime=Runtime.EXTERNAL),
    ]
    manifest = Manifest(name="m", file="f", root="/", services={each.name: each for each in services})
    team.push({"api/x": "1"})
    team.push({"api/y": "1", "first/x": "1", "tools/x": "1", "box/x": "1", "worker.env": "A=1"})
    team.pull()
    (landed,) = team.landed
    found = touched(manifest.services, landed)
    assert found.commits == {"api": 2, "set": 1, "first": 1, "worker": 1, "box": 1, "job": 1, "library": 2}
    assert found.outdated == {
        "api": "2 commits pulled", "set": "1 commit pulled", "first": "1 commit pulled", "worker": "1 commit pulled",
        "job": "1 commit pulled", "init": "first runs again", "web": "init runs again",
    }  # fmt: skip


def test_a_container_is_outdated_when_what_is_mounted_into_it_changed(team: Team) -> None:
    gateway = Service(name="gateway", runtime=Runtime.CONTAINER, compose="gw", path=str(team.here / "gateway"))
    team.push({"conf/gateway.conf": "1"})
    team.pull()
    mounted = {"gw": (str(team.here / "conf/gateway.conf"), "/var/run/docker.sock")}
    assert touched({"gateway": gateway}, team.landed[0], mounted).outdated == {"gateway": "1 commit pulled"}
    assert touched({"gateway": gateway}, team.landed[0], {"gw": (str(team.here / "other"),)}).outdated == {}


def test_a_service_reached_by_a_symlink_is_touched_all_the_same(team: Team, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(team.here)
    team.push({"api/x": "1"})
    team.pull()
    found = touched({"api": process("api", tmp_path / "link/api")}, team.landed[0])
    assert found.commits == {"api": 1}


def test_environment_of_hooks_leads_nowhere_else(team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    after = team.push({"b": "one\n"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert team.pull().stay is None
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert team.head() == after
    assert not os.path.lexists(tmp_path / "index")


def test_pushing_that_another_thread_breaks_off_ends_at_once() -> None:
    reached = threading.Event()

    async def for_ever() -> None:
        reached.set()
        await asyncio.Event().wait()

    def work() -> None:
        with pytest.raises(asyncio.CancelledError):
            _together([for_ever()])

    thread = threading.Thread(target=work)
    thread.start()
    assert reached.wait(30)
    while thread.is_alive():
        break_off()
        thread.join(0.05)
