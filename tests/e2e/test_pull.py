"""The day begins: services start while git fetches, and what the pull brought reaches what runs."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SETUP = "cp lock out; echo ran >> ../../setups"
Port = Callable[[], int]
GITCONFIG = "[user]\n name = Ada\n email = ada@example.com\n[init]\n defaultBranch = dev\n"


class Team:
    """``src`` in the workspace is a clone, on dev, of a bare remote; ``push`` is a colleague's commit there."""

    def __init__(self, bench: Any, home: Path) -> None:
        self.bench, self.src = bench, bench.root / "src"
        self.origin, self.colleague = home / "origin.git", home / "colleague"
        (home / "gitconfig").write_text(GITCONFIG)
        isolated = {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / "gitconfig"), "GIT_CONFIG_SYSTEM": "/dev/null"}
        bench.environment |= isolated
        self.git("init", "-q", "--bare", str(self.origin), at=home)
        self.git("clone", "-q", str(self.origin), str(self.colleague), at=home)
        server = (bench.root / "server.py").read_text()
        self.push({"web/server.py": server, "api/server.py": server, "web/lock": "1\n", ".gitignore": "out\n"})
        self.git("clone", "-q", "-b", "dev", str(self.origin), str(self.src), at=home)

    def git(self, *words: str, at: Path | None = None) -> str:
        command = ["git", "-C", at or self.src, *words]
        done = subprocess.run(command, env=self.bench.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def push(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.colleague / name).parent.mkdir(parents=True, exist_ok=True)
            (self.colleague / name).write_text(text)
        self.git("add", "-A", at=self.colleague)
        self.git("commit", "-q", "-m", "theirs", at=self.colleague)
        self.git("push", "-q", "origin", "HEAD:dev", at=self.colleague)

    def write(self, free_port: Port, services: dict[str, Any] | None = None, **git: Any) -> None:
        """web, which has a setup step, needs api; what ``services`` adds."""
        step = {"command": SETUP, "name": "install", "inputs": ["lock"], "outputs": ["out"]}
        web = self.bench.server(free_port(), "api", path="src/web", setup=step)
        api = self.bench.server(free_port(), path="src/api")
        section = {"path": "src", "branch": "dev", "sync": {"remotes": ["origin"], "timeout": "60s"}, **git}
        self.bench.write({"web": web, "api": api, **(services or {})}, git=section)

    def pids(self) -> dict[str, int]:
        return {name: each["pid"] for name, each in self.bench.services().items()}


@pytest.fixture
def team(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A workspace whose sources have a remote."""
    return Team(bench, tmp_path_factory.mktemp("team"))


@pytest.fixture
def silent() -> Iterator[str]:
    """A git:// address where a listener accepts and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"git://127.0.0.1:{listener.getsockname()[1]}/x.git"


def test_a_pulled_lock_file_runs_the_setup_again_and_restarts_only_what_it_touches(team: Team, free_port: Port) -> None:
    team.write(free_port)
    team.bench.up()
    before = team.pids()
    team.push({"web/lock": "2\n"})
    done = team.bench.up()
    assert "git  src: 1 commit pulled from origin/dev" in done.out
    assert "web: 1 commit pulled, install run, restarted" in done.out
    assert (team.src / "web/out").read_text() == "2\n"
    after = team.pids()
    assert after["web"] != before["web"]
    assert after["api"] == before["api"]
    assert {each["health"] for each in team.bench.services().values()} == {"healthy"}
    again = team.bench.up()
    assert "pulled" not in again.out
    assert team.pids() == after
    assert (team.bench.root / "setups").read_text() == "ran\nran\n"


def test_a_pull_that_touches_nothing_restarts_nothing(team: Team, free_port: Port) -> None:
    team.write(free_port)
    team.bench.up()
    before = team.pids()
    team.push({"README.md": "new\n"})
    done = team.bench.up()
    assert "1 commit pulled from origin/dev" in done.out
    assert (team.src / "README.md").exists()
    assert team.pids() == before
    assert "restarted" not in done.out


def test_the_first_up_of_the_day_ends_with_everything_running_from_what_was_pulled(team: Team, free_port: Port) -> None:
    """The old sources are started first: that must never be how it stays."""
    team.write(free_port)
    old = (team.colleague / "api/server.py").read_text()
    fresh = old.replace("self.end_headers()", "self.end_headers(); self.wfile.write(b'new')")
    team.push({"api/server.py": fresh})
    team.bench.up()
    port = team.bench.services()["api"]["ports"][0]
    assert get(port) == "new"


def get(port: int) -> str:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        return str(answer.read().decode())


def test_a_touched_one_shot_runs_again_and_so_does_what_needs_it(team: Team, free_port: Port) -> None:
    once = {"path": "src/init", "command": "cat table >> ../../made", "restart": "no"}
    done = {"condition": "service_completed_successfully"}
    user = team.bench.server(free_port(), path="src/api") | {"depends_on": {"init": done}}
    team.push({"init/table": "1\n"})
    team.git("pull", "-q")
    team.write(free_port, {"init": once, "user": user})
    team.bench.up()
    before = team.pids()
    team.push({"init/table": "2\n"})
    out = team.bench.up().out
    assert "init: 1 commit pulled, run again" in out
    assert "user: restarted" in out
    assert (team.bench.root / "made").read_text() == "1\n2\n"
    after = team.pids()
    assert after["user"] != before["user"]
    assert (after["api"], after["web"]) == (before["api"], before["web"])


def whole(team: Team, free_port: Port) -> dict[str, Any]:
    """The workspace itself becomes a clone of a remote; its services."""
    root, remote = team.bench.root, team.origin.with_name("root.git")
    team.write(free_port, path=".")
    (root / ".gitignore").write_text("/src/\n/state/\n/setups\n")
    team.git("init", "-q", "-b", "dev", at=root)
    team.git("init", "-q", "--bare", str(remote))
    team.git("remote", "add", "origin", str(remote), at=root)
    commit(team, "first")
    return dict(json.loads((root / "services.yaml").read_text().rpartition("services: ")[2]))


def commit(team: Team, message: str) -> None:
    team.git("add", "-A", at=team.bench.root)
    team.git("commit", "-qm", message, at=team.bench.root)
    team.git("push", "-q", "-u", "origin", "dev", at=team.bench.root)


def test_a_manifest_that_comes_with_the_pull_counts(team: Team, free_port: Port) -> None:
    """It brings a service and changes another."""
    bench, port = team.bench, free_port()
    services = whole(team, free_port)
    bench.up()
    before = team.pids()
    services["more"] = bench.server(port, path=".")
    services["web"]["environment"] = {"NEW": "1"}
    bench.write(services, git={"path": ".", "branch": "dev"})
    commit(team, "second")
    team.git("reset", "-q", "--hard", "HEAD~1", at=bench.root)
    out = bench.up().out
    assert "1 commit pulled from origin/dev" in out
    assert f"http://127.0.0.1:{port}/" in out
    after = team.pids()
    assert after["more"]
    assert after["web"] != before["web"]
    assert after["api"] == before["api"]


def test_a_manifest_that_comes_broken_stops_nothing(team: Team, free_port: Port) -> None:
    bench = team.bench
    services = whole(team, free_port)
    good = (bench.root / "services.yaml").read_text()
    bench.write(services | {"web": {**services["web"], "helth": ""}}, git={"path": ".", "branch": "dev"})
    commit(team, "second")
    team.git("reset", "-q", "--hard", "HEAD~1", at=bench.root)
    out = bench.up().out
    assert "services.yaml: as pulled it is wrong" in out
    assert "-> devctl check" in out
    (bench.root / "services.yaml").write_text(good)
    assert {each["health"] for each in bench.services().values()} == {"healthy"}


@pytest.mark.parametrize("trouble", ["silent", "apart", "elsewhere", "changed", "gone", "inside"])
def test_no_trouble_with_git_is_one_of_up(team: Team, free_port: Port, silent: str, trouble: str) -> None:
    team.write(free_port, sync={"remotes": ["origin"], "timeout": "2s"} if trouble == "silent" else {"timeout": "60s"})
    team.push({"web/lock": "2\n"})
    match trouble:
        case "silent":
            team.git("remote", "set-url", "origin", silent)
            told = "origin: no answer within 2 s; started with what is here"
        case "apart":
            team.git("commit", "-q", "--allow-empty", "-m", "ours")
            told = "gone apart, 1 commit here and 1 commit on origin/dev -> git -C src merge origin/dev"
        case "elsewhere":
            team.git("switch", "-q", "-c", "feature")
            told = "on feature, not on dev -> git -C src switch dev"
        case "changed":
            (team.src / "web/lock").write_text("mine\n")
            told = "web/lock is changed here and on origin/dev -> commit or stash it"
        case "inside":
            team.write(free_port, path="src/web")
            told = "src/web: not pulled: it is not the root of a repository -> git.path in services.yaml"
        case _:
            team.git("remote", "set-url", "origin", str(team.origin.with_name("nowhere.git")))
            told = "origin: it is not there, or you may not see it; started with what is here"
    head = team.git("rev-parse", "HEAD")
    done = team.bench.up("web")
    assert told in done.out
    assert team.git("rev-parse", "HEAD") == head
    assert {each["health"] for each in team.bench.services().values()} == {"healthy"}


def test_no_pull_and_pull_never_ask_nobody(team: Team, free_port: Port, silent: str) -> None:
    team.git("remote", "set-url", "origin", silent)
    team.write(free_port, pull="never")
    assert "git" not in team.bench.up("api").out
    team.write(free_port)
    assert "git" not in team.bench.up("api", "--no-pull").out


def test_services_are_up_while_a_remote_hangs_and_ctrl_c_ends_the_asking(
    team: Team, free_port: Port, silent: str
) -> None:
    team.write(free_port, sync={"timeout": "600s"})
    team.git("remote", "set-url", "origin", silent)
    with team.bench.begin("up", "web") as up:
        try:
            lines = iter(up.stdout.readline, "")
            waits = next((line for line in lines if "waiting for origin" in line), "it never waited")
            assert "of at most 10 min" in waits
            assert team.bench.run("status").code == 0
            assert fetching(team)
            up.send_signal(signal.SIGINT)
            rest = up.stdout.read()
            assert up.wait(60) == 130
        finally:
            up.kill()
    assert "services go on" in rest
    assert fetching(team) == []
    assert team.bench.run("status").code == 0


def fetching(team: Team) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if str(team.src).encode() in words and b"fetch" in words:
            found.append(int(entry.name))
    return found


def test_two_at_once_bring_the_same_forward_and_restart_it_once(team: Team, free_port: Port) -> None:
    team.write(free_port)
    team.bench.up()
    team.push({"web/lock": "2\n"})
    both = [team.bench.begin("up") for _ in range(2)]
    outs = [each.communicate(timeout=90)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0], outs
    assert sum("commit pulled from" in out for out in outs) == 1, outs
    assert (team.bench.root / "setups").read_text() == "ran\nran\n"
    assert (team.src / "web/out").read_text() == "2\n"


def test_what_was_taken_down_while_git_asked_stays_down(team: Team, free_port: Port, poll: Callable[..., Any]) -> None:
    """The pull lands after the down: nothing of it comes up again."""
    team.write(free_port)
    team.push({"web/lock": "2\n"})
    gate = team.bench.root / "gate"
    hook = f"#!/bin/sh\ntouch {gate}.reached\nwhile [ ! -e {gate} ]; do sleep 0.05; done\n"
    (team.src / ".git/hooks/post-merge").write_text(hook)
    (team.src / ".git/hooks/post-merge").chmod(0o755)
    journal = team.bench.root / ".devctl/journal.jsonl"
    with team.bench.begin("up") as up:
        try:
            poll(lambda: Path(f"{gate}.reached").exists(), timeout=60, what="git merges")
            assert team.bench.run("down", "web").code == 0
            gate.touch()
            poll(lambda: "sources_changed" in journal.read_text(), timeout=60, what="the supervisor is told")
        finally:
            gate.touch()
            up.kill()
    assert team.bench.services()["web"]["state"] == "stopped"
    assert team.bench.services()["api"]["health"] == "healthy"


def test_what_could_not_be_pushed_is_pushed_by_the_next_up(team: Team, free_port: Port) -> None:
    team.write(free_port, sync={"branches": ["dev"], "remotes": ["origin"], "timeout": "60s"})
    closed = team.origin / "hooks/pre-receive"
    closed.write_text("#!/bin/sh\necho closed for today >&2; exit 1\n")
    closed.chmod(0o755)
    team.git("commit", "-q", "--allow-empty", "-m", "ours")
    assert team.bench.run("sync", "--yes").code == 1
    out = team.bench.up("api").out
    assert "dev still not on origin: " in out
    assert "closed for today" in out
    closed.unlink()
    assert "dev pushed to origin, which had waited" in team.bench.up("api").out
    assert team.git("rev-parse", "dev", at=team.origin) == team.git("rev-parse", "HEAD")
    assert "git" not in team.bench.up("api").out


def test_a_pulled_build_context_makes_the_image_anew_and_a_mounted_file_restarts_the_container(
    docker: Any, team: Team
) -> None:
    """The engine's fixture comes first, so that it ends last: after ``down``."""
    bench = team.bench
    dockerfile = f'FROM {docker.images["busybox"]}\nCOPY page /page\nCMD ["sleep", "600"]\n'
    team.push({"box/Dockerfile": dockerfile, "box/page": "old\n", "conf/gate": "1\n"})
    team.git("pull", "-q")
    quick = {"init": True, "stop_grace_period": "1s"}
    asleep = {"image": docker.images["busybox"], "command": ["sleep", "600"], **quick}
    box = {"build": str(team.src / "box"), **quick}
    stack = {"services": {"box": box, "gate": {**asleep, "volumes": [f"{team.src}/conf:/conf:ro"]}, "calm": asleep}}
    (bench.root / "compose.yml").write_text(json.dumps(stack))
    section = {"path": "src", "branch": "dev", "sync": {"timeout": "60s"}}
    compose = {"file": "compose.yml", "project": docker.project}
    bench.write({name: {"compose": name} for name in stack["services"]}, compose=compose, git=section)
    bench.up()
    before = {name: docker.container(name) for name in stack["services"]}
    team.push({"box/page": "new\n", "conf/gate": "2\n"})
    out = bench.up().out
    assert "box: image rebuilt, restarted" in out
    assert "gate: 1 commit pulled, restarted" in out
    after = {name: docker.container(name) for name in stack["services"]}
    assert after["box"]["Id"] != before["box"]["Id"]
    found = docker.api.exec_start(docker.api.exec_create(after["box"]["Id"], ["cat", "/page"])["Id"])
    assert found == b"new\n"
    began = {name: (before[name]["State"]["StartedAt"], after[name]["State"]["StartedAt"]) for name in before}
    assert after["gate"]["Id"] == before["gate"]["Id"]
    assert began["gate"][0] != began["gate"][1]
    assert began["calm"][0] == began["calm"][1]
