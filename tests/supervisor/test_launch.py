"""A supervisor that is begun before anything else is known."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl import launch
from devctl.api.client import Client
from devctl.api.protocol import Status
from devctl.core.model import HealthCheck, HttpProbe
from devctl.core.state import State


@pytest.fixture
def ahead(desk: Any) -> Iterator[Path]:
    """The desk's manifest, with whose folder as the current one ``launch.ahead`` is called."""
    manifest: Path = desk.workspace.root / "services.yaml"
    manifest.write_text(f"name: {desk.workspace.name}\nservices: {{}}\n")
    with contextlib.chdir(manifest.parent):
        yield manifest
    if left := launch.claim(desk.workspace):
        os.close(left.leash)
        os.waitpid(left.pid, 0)


def test_it_serves_the_client_that_comes_after_it(desk: Any, ahead: Path) -> None:
    launch.ahead(None)
    client = Client(desk.workspace)
    with client.early() as nothing_runs:
        assert nothing_runs
        first = client._launched
        client.ensure_running()
        assert desk.pid() == first
        next(iter(client.stream(desk.up(desk.service("a")))))
    assert desk.pid() == first


def test_it_is_gone_when_its_client_asked_for_nothing(desk: Any, ahead: Path) -> None:
    launch.ahead(ahead)
    with Client(desk.workspace).early():
        pass
    assert desk.workspace.holder() is None


def test_where_a_supervisor_is_none_is_begun(desk: Any, ahead: Path) -> None:
    desk.bring_up(desk.service("a"))
    launch.ahead(None)
    assert launch.claim(desk.workspace) is None


@pytest.mark.parametrize("text", ["", "name: a\nname: b\n", 'name: "quoted"\n'])
def test_where_the_name_is_not_plain_none_is_begun(desk: Any, ahead: Path, text: str) -> None:
    ahead.write_text(text)
    launch.ahead(None)
    assert launch.claim(desk.workspace) is None
    assert not (desk.workspace.folder / "supervisor.lock").exists()


def test_what_stands_in_the_way_is_left_to_be_told_later(desk: Any, ahead: Path) -> None:
    launch.ahead(Path("no-such.yaml"))
    ahead.unlink()
    launch.ahead(None)
    assert launch.claim(desk.workspace) is None


def test_a_module_of_the_workspace_is_not_taken_for_pythons(desk: Any) -> None:
    for name in ("asyncio", "logging", "devctl"):
        (desk.workspace.root / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    with contextlib.chdir(desk.workspace.root):
        assert desk.client.ask(desk.up(desk.service("a"))).pid == desk.pid()


TLS_SERVER = """
import http.server, ssl, subprocess, sys
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-days", "2", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "chain.pem"], check=True)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("chain.pem", "key.pem")
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def test_without_asyncios_ssl_it_still_speaks_https(desk: Any, free_port: Callable[[], int]) -> None:
    port = free_port()
    check = HealthCheck(probe=HttpProbe(url=f"https://localhost:{port}/"))
    service = desk.service("a", (sys.executable, "-c", TLS_SERVER, str(port)), health=check)
    assert desk.bring_up(service).states["a"].health == "healthy"


COMMAND = str(Path(sys.executable).with_name("devctl"))


@pytest.fixture
def commanded(desk: Any) -> Callable[..., int]:
    """``devctl up`` as a program of its own, by these words, in the desk's workspace; the supervisor's pid."""
    root = desk.workspace.root
    services = {"a": {"path": ".", "command": ["sleep", "1000"]}}
    (root / "services.yaml").write_text(f"name: {desk.workspace.name}\nservices: {json.dumps(services)}\n")

    def run(*words: str, **more: Any) -> int:
        subprocess.run([*(words or (COMMAND,)), "up"], cwd=root, check=True, timeout=60, capture_output=True, **more)
        pid: int = desk.pid()
        return pid

    return run


def opened(pid: int) -> list[Path]:
    """What it has open. What it closes meanwhile is left out."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(each.readlink())
    return found


def test_what_a_command_copies_itself_into_calls_itself_a_supervisor(desk: Any, commanded: Callable[..., int]) -> None:
    shown = Path(f"/proc/{commanded()}/cmdline").read_bytes().rstrip(b"\0").decode()
    assert f"devctl supervisor {desk.workspace.root}".startswith(shown)
    assert shown.startswith("devctl supervisor /")


def test_a_command_that_is_copied_gives_nothing_of_its_own_away(desk: Any, commanded: Callable[..., int]) -> None:
    theirs, ours = os.pipe()
    try:
        pid = commanded(pass_fds=[ours])
        own = Path(f"/proc/self/fd/{ours}").readlink()
        held = opened(pid)
    finally:
        os.close(theirs)
        os.close(ours)
    assert own not in held
    assert held.count(desk.workspace.supervisor_log) == 2
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").resolve() == desk.workspace.root


COPIED = """
import os, sys
from contextlib import suppress
from pathlib import Path
from devctl.launch import launch
from devctl.workspace import Workspace
held, _ = os.pipe()
ours = os.readlink(f"/proc/self/fd/{held}")
pid = launch(Workspace(Path(sys.argv[1]), "demo"))
left = []
for each in Path(f"/proc/{pid}/fd").iterdir():
    with suppress(FileNotFoundError):  # a file that it has read meanwhile
        left.append(os.readlink(each))
print("threading" in sys.modules, ours in left)
os.kill(pid, 9)
os.waitpid(pid, 0)
"""


def test_a_command_goes_on_once_its_copy_stands_on_its_own(tmp_path: Path) -> None:
    said = subprocess.check_output([sys.executable, "-c", COPIED, tmp_path], text=True, timeout=60)
    assert said.split() == ["False", "False"]


def test_nor_does_a_copy_take_a_module_of_the_workspace_for_pythons(desk: Any, commanded: Callable[..., int]) -> None:
    (desk.workspace.root / "asyncio.py").write_text("raise SystemExit('the wrong module')\n")
    commanded(sys.executable, "-m", "devctl")
    assert desk.workspace.supervisor_log.read_text().count("Traceback") == 0
    assert desk.client.ask(Status()).states["a"].state == State.RUNNING


def test_where_threads_run_nothing_is_copied(desk: Any, ahead: Path) -> None:
    launch.ahead(None)
    client = Client(desk.workspace)
    with client.early():
        client.ensure_running()
        words = Path(f"/proc/{desk.pid()}/cmdline").read_bytes().split(b"\0")
    assert words[1:4] == [b"-P", b"-m", b"devctl.supervisor.daemon"]


PLACED = """
import os, sys
sys.path[0:0] = [sys.argv[2]] if sys.argv[2:] else []
sys.argv[0] = sys.argv[1]
from devctl.launch import _forget_the_scripts_folder
before = list(sys.path)
_forget_the_scripts_folder()
print(before[0], sys.path == before, sys.path == before[1:])
"""


@pytest.mark.parametrize(
    ("put", "gone"), [("", True), (".", True), ("bin", True), ("lib", False), ("lib/app.pyz", False)]
)
def test_a_copy_forgets_no_folder_but_the_scripts(tmp_path: Path, put: str, gone: bool) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/devctl").touch()
    (tmp_path / "devctl").symlink_to("bin/devctl")
    first = [str(tmp_path / put)] if put else []
    said = subprocess.check_output([sys.executable, "-c", PLACED, "devctl", *first], text=True, cwd=tmp_path)
    assert said.split()[-2:] == [str(not gone), str(gone)]


STARTED = """
import gc, sys
name = sys.argv[0]
sys.argv[0] = sys.argv.pop()
import devctl.supervisor
print(gc.isenabled(), "asyncio" in sys.modules, sys.modules.get("ssl", "not loaded"))
import ssl
print(ssl.OPENSSL_VERSION_INFO > (1,))
"""


@pytest.mark.parametrize(("argv", "found"), [("-m", "False True not loaded"), ("-c", "True False not loaded")])
def test_only_what_is_started_as_a_supervisor_leaves_things_out(argv: str, found: str) -> None:
    said = subprocess.check_output([sys.executable, "-c", STARTED, argv], text=True)
    assert said.splitlines() == [found, "True"]


LET_GO = """
import gc, os, sys
sys.argv[0] = "-m"
gc.set_threshold(100_000, 50, 50)
from devctl.supervisor.daemon import main
leash, theirs = os.pipe()
os.close(theirs)
print(gc.isenabled(), main(sys.argv[1], "demo", str(leash)), gc.isenabled(), *gc.get_threshold())
"""


def test_it_collects_garbage_once_it_serves(tmp_path: Path) -> None:
    said = subprocess.check_output([sys.executable, "-c", LET_GO, tmp_path], text=True)
    assert said.split() == ["False", "0", "True", "700", "10", "10"]


AFTERWARDS = """
import logging, os, sys
sys.argv[0] = "-m"
from devctl import registry
from devctl.supervisor import daemon
told = []
def fail(workspace):
    raise RuntimeError("not this time")
def let_go(record):
    told.append(str(record.exc_info[1]))
    os.close(ours)
    return True
registry.register = fail
daemon.ASKED = float(sys.argv[2])
leash, ours = os.pipe()
if sys.argv[2] == "0":
    daemon.log.addFilter(let_go)
else:
    os.close(ours)
print(daemon.main(sys.argv[1], "demo", str(leash)), told, sorted(os.listdir(".devctl")))
"""


@pytest.mark.parametrize(("after", "told"), [("0", ["not this time"]), ("60", [])])
def test_what_is_done_afterwards_stands_in_no_ends_way(tmp_path: Path, after: str, told: list[str]) -> None:
    """Neither when it fails nor when it has not begun."""
    words = [sys.executable, "-c", AFTERWARDS, tmp_path, after]
    said = subprocess.run(words, text=True, timeout=30, check=True, stdout=subprocess.PIPE).stdout
    assert said.strip() == f"0 {told} {['.gitignore', 'journal.jsonl', 'logs', 'run', 'supervisor.lock']}"


def test_it_inherits_no_descriptor_of_the_shell(desk: Any) -> None:
    theirs, ours = os.pipe()
    try:
        os.set_inheritable(ours, True)
        client = Client(desk.workspace)
        with client.early():
            client.ensure_running()
            next(iter(client.stream(desk.up(desk.service("a")))))
        os.close(ours)
        ours = -1
        assert select.select([theirs], [], [], 30)[0], "somebody else holds the other end"
        assert os.read(theirs, 1) == b""
        assert client.ask(Status()).pid == desk.pid()
    finally:
        os.close(theirs)
        if ours >= 0:
            os.close(ours)


def test_it_leads_a_session_of_its_own_in_its_workspace(desk: Any) -> None:
    desk.bring_up(desk.service("a"))
    assert os.getsid(desk.pid()) == desk.pid() != os.getsid(0)
    assert Path(f"/proc/{desk.pid()}/cwd").resolve() == desk.workspace.root
