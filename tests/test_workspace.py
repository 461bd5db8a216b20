"""A workspace's folder, socket and lock, and the list of a user's workspaces."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl import registry
from devctl import workspace as module
from devctl.errors import DevctlError
from devctl.registry import known_workspaces, others, register
from devctl.workspace import LONGEST_SOCKET, Workspace, write_atomic


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's state folder of this test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    folder, shared = Path(tempfile.mkdtemp(prefix="dw", dir="/tmp")), Path(f"/tmp/devctl-{os.getuid()}")
    was_there = shared.exists()
    yield folder
    shutil.rmtree(folder)
    if not was_there:
        with contextlib.suppress(OSError):
            shared.rmdir()


def made(root: Path, name: str = "cc") -> Workspace:
    root.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(root, name)
    workspace.prepare()
    return workspace


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_state_folder_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    workspace = made(tmp_path / "w")
    assert mode(workspace.folder) == mode(workspace.logs) == mode(workspace.run) == 0o700
    subprocess.run(["git", "init", "-q", str(workspace.root)], check=True)
    asked = ["git", "-C", str(workspace.root), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(asked, check=True, capture_output=True).stdout == b""


def test_preparing_again_keeps_what_is_there_and_mends_its_rights(tmp_path: Path) -> None:
    workspace = made(tmp_path / "w")
    workspace.journal.write_text("kept")
    (workspace.folder / ".gitignore").write_text("mine\n")
    workspace.folder.chmod(0o755)
    workspace.prepare()
    assert workspace.journal.read_text() == "kept"
    assert (workspace.folder / ".gitignore").read_text() == "mine\n"
    assert mode(workspace.folder) == 0o700


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / ".devctl").write_text("a file")
    with pytest.raises(DevctlError, match="cannot be made") as caught:
        Workspace(tmp_path, "cc").prepare()
    assert caught.value.where == str(tmp_path / ".devctl")
    with pytest.raises(DevctlError, match="cannot be made"):
        Workspace(tmp_path / "nowhere", "cc").prepare()
    with pytest.raises(DevctlError, match="lock cannot be taken"):
        Workspace(tmp_path / "nowhere", "cc").acquire()


def test_one_folder_is_one_workspace_whatever_the_way_to_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    direct, linked = Workspace(tmp_path / "real", "cc"), Workspace(tmp_path / "link/../real", "cc")
    assert (direct.id, direct.socket, direct.root) == (linked.id, linked.socket, linked.root)
    assert direct.id != Workspace(tmp_path / "other", "cc").id
    assert direct.id.startswith("cc-")
    assert "/" not in direct.id


def test_the_socket_lies_in_the_state_folder_and_a_long_path_elsewhere(short: Path, tmp_path: Path) -> None:
    assert made(short).socket == short.resolve() / ".devctl/devctl.sock"
    longest = LONGEST_SOCKET - len(os.fsencode(short.resolve())) - len("//.devctl/devctl.sock")
    for length, near in ((longest, True), (longest + 1, False)):
        workspace = made(short / ("x" * length))
        assert workspace.socket.is_relative_to(workspace.root) is near
        assert len(os.fsencode(workspace.socket)) <= LONGEST_SOCKET
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(workspace.socket))
        workspace.socket.unlink()


def test_a_long_path_has_one_socket_however_the_shell_was_started(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From ssh or cron there is no XDG_RUNTIME_DIR, and TMPDIR may be another."""
    runtime = short / "run"
    runtime.mkdir(mode=0o700)
    workspace = made(short / ("x" * 100))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    first = workspace.socket
    assert mode(first.parent) == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("TMPDIR", str(short))
    assert Workspace(workspace.root, "cc").socket == first
    shutil.rmtree(runtime)
    assert Workspace(workspace.root, "cc").socket != first


def test_a_folder_for_sockets_that_others_may_enter_is_not_used(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = short / "run"
    (runtime / "devctl").mkdir(parents=True)
    (runtime / "devctl").chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    workspace = made(short / ("x" * 100))
    assert not workspace.socket.is_relative_to(runtime)
    assert mode(workspace.socket.parent) == 0o700


def test_with_no_private_folder_at_all_the_socket_has_no_place(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short / f"devctl-{os.getuid()}").mkdir()
    (short / f"devctl-{os.getuid()}").chmod(0o777)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(module, "SHARED", short)
    with pytest.raises(DevctlError, match="not private") as caught:
        _ = made(short / ("x" * 100)).socket
    assert caught.value.hint


def test_nor_is_a_symbolic_link(short: Path) -> None:
    (short / "mine").mkdir(mode=0o700)
    (short / "link").symlink_to("mine")
    assert module._is_private(short / "mine")
    assert not module._is_private(short / "link")
    assert not module._is_private(short / "nowhere")


def test_the_lock_has_one_holder(tmp_path: Path) -> None:
    workspace = made(tmp_path / "w")
    assert workspace.holder() is None
    lock = workspace.acquire()
    assert lock
    assert workspace.holder() == os.getpid()
    assert Workspace(workspace.root, "cc").acquire() is None
    lock.release()
    assert workspace.holder() is None
    again = workspace.acquire()
    assert again
    again.release()


HOLD = """
import sys, time
from pathlib import Path
from devctl.workspace import Workspace
lock = Workspace(Path(sys.argv[1]), "cc").acquire()
print(bool(lock), flush=True)
time.sleep(1000)
"""


@contextlib.contextmanager
def holding(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that tries to take the lock."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(root)], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    workspace = made(tmp_path / "w")
    with holding(workspace.root) as process:
        assert process.stdout
        assert process.stdout.readline() == "True\n"
        assert workspace.holder() == process.pid
        assert workspace.acquire() is None
        process.kill()
        process.wait()
        assert workspace.holder() is None
        lock = workspace.acquire()
        assert lock
        lock.release()


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    workspace = made(tmp_path / "w")
    lock = workspace.acquire()
    assert lock
    child = subprocess.Popen(["sleep", "1000"], close_fds=False)
    lock.release()
    try:
        assert workspace.holder() is None
    finally:
        child.kill()
        child.wait()


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    workspace = made(tmp_path / "w")
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(holding(workspace.root)) for _ in range(5)]
        answers = [process.stdout.readline() for process in processes if process.stdout]
    assert sorted(answers) == ["False\n"] * 4 + ["True\n"]


def test_asking_who_holds_it_keeps_nobody_out(tmp_path: Path) -> None:
    """Whoever asks shares the lock for a moment."""
    workspace = made(tmp_path / "w")
    asker = os.open(workspace.folder / "supervisor.lock", os.O_RDWR | os.O_CREAT)
    module.fcntl.flock(asker, module.fcntl.LOCK_SH)
    tries: list[float] = []

    def sleep(seconds: float) -> None:
        tries.append(seconds)
        os.close(asker)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.time, "sleep", sleep)
        lock = workspace.acquire()
    assert lock
    assert tries
    lock.release()


def test_workspaces_of_a_user_know_of_each_other(tmp_path: Path, state: Path) -> None:
    one, two = made(tmp_path / "one", "a"), made(tmp_path / "two", "b")
    assert others() == {}
    register(one)
    register(two)
    register(one)
    assert others() == {one.id: ("a", str(one.root)), two.id: ("b", str(two.root))}
    assert {key: each.root for key, each in known_workspaces().items()} == {one.id: one.root, two.id: two.root}
    assert mode(state / "devctl") == 0o700
    assert mode(state / "devctl/workspaces.json") == 0o600


def test_registering_again_writes_nothing(tmp_path: Path, state: Path) -> None:
    workspace = made(tmp_path / "w")
    register(workspace)
    before = (state / "devctl/workspaces.json").stat()
    register(workspace)
    after = (state / "devctl/workspaces.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_workspace_that_is_gone_is_forgotten(tmp_path: Path, state: Path) -> None:
    gone, here = made(tmp_path / "gone"), made(tmp_path / "here")
    register(gone)
    shutil.rmtree(gone.root)
    assert others() == {}
    register(here)
    assert gone.id not in (state / "devctl/workspaces.json").read_text()


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"x": 1}', b'{"x": {"name": 3}}', b"\xff"])
def test_a_broken_registry_counts_as_empty_and_is_mended(tmp_path: Path, state: Path, broken: bytes) -> None:
    workspace = made(tmp_path / "w")
    (state / "devctl").mkdir(parents=True)
    (state / "devctl/workspaces.json").write_bytes(broken)
    assert others() == {}
    register(workspace)
    assert list(others()) == [workspace.id]


def test_without_a_place_to_write_nothing_is_known_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = made(tmp_path / "w")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file/below"))
    register(workspace)
    assert others() == {}
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/nonexistent/none" if os.getuid() else str(tmp_path / "file"))
    register(workspace)
    assert others() == {}


def test_a_relative_state_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made(tmp_path / "w")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    register(workspace)
    assert not (tmp_path / "relative").exists()
    assert (tmp_path / "home/.local/state/devctl/workspaces.json").is_file()


def test_a_folder_whose_name_is_no_text_does_not_stop_anything(tmp_path: Path) -> None:
    register(Workspace(tmp_path / os.fsdecode(b"w\xff"), "cc"))
    assert others() == {}


@pytest.mark.parametrize("text", [b"[]", b'{"a": {"name": "\xff"', b"\xff"])
def test_a_broken_registry_is_written_anew(tmp_path: Path, text: bytes) -> None:
    workspace = made(tmp_path / "w")
    register(workspace)
    file = registry._registry_file()
    file.write_bytes(text)
    assert others() == {}
    register(workspace)
    assert list(others()) == [workspace.id]


def test_a_registry_that_is_kept_locked_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PATIENCE", 0.05)
    first, second = made(tmp_path / "first"), made(tmp_path / "second")
    register(first)
    with registry._registry():
        register(second)
    assert list(others()) == [first.id]
    register(second)
    assert set(others()) == {first.id, second.id}


def test_many_register_at_once_and_none_is_lost(tmp_path: Path) -> None:
    roots = [made(tmp_path / f"w{number}").root for number in range(6)]
    code = (
        "import sys\nfrom pathlib import Path\nfrom devctl.registry import register\n"
        "from devctl.workspace import Workspace\n"
        "for _ in range(5): register(Workspace(Path(sys.argv[1]), 'cc'))"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [subprocess.Popen([sys.executable, "-c", code, str(root)], env=env) for root in roots]
    assert [process.wait() for process in running] == [0] * 6
    assert {root for _, root in others().values()} == {str(root) for root in roots}


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"newer")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
