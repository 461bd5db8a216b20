"""Real listeners on real ports, of which nothing is left after a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SERVE = """
import os, signal, socket, sys, time
host, port, deaf = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
if "deaf" in deaf: signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if host == "::": server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
server.bind((host, port)); server.listen()
if "helper" in deaf: os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "1000")
if "worker" not in deaf or os.fork(): print(os.getpid(), server.getsockname()[1], flush=True)
while True: time.sleep(1000)
"""
SERVE_NODE = """
const server = require("http").createServer((_, answer) => answer.end("ok"))
server.listen(+process.argv[2], process.argv[1], () => console.log(process.pid, server.address().port))
"""


class Server:
    """A listener: ``pid`` listens at ``port``; ``process`` is what was started, a runner of it perhaps."""

    def __init__(self, process: subprocess.Popen[str], pid: int, port: int) -> None:
        self.process, self.pid, self.port = process, pid, port


def living(pid: int) -> bool:
    """Whether it exists and is no zombie, by a look of this test's own."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """``alive(pid)``: it exists and is no zombie."""
    return living


class Starter:
    """Starts processes that carry a mark of this test alone, by which what is left of them is found."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tag = folder, f"devctl-ports-test-{os.getpid()}-{folder}"
        self._started: list[subprocess.Popen[str]] = []

    def launch(self, argv: list[str], session: bool = True, **environment: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PORTS_TEST": self.tag, **environment}
        process = subprocess.Popen(
            argv, cwd=self.folder, env=env, start_new_session=session, stdout=subprocess.PIPE, text=True
        )
        self._started.append(process)
        return process

    def serve(self, host: str = "127.0.0.1", *how: str, session: bool = True, port: int = 0, **env: str) -> Server:
        """A Python listener. ``how``: "deaf" ignores SIGTERM, "worker" shares its socket with a child, "helper" has a
        child without it."""
        argv = [sys.executable, "-S", "-E", "-c", SERVE, host, str(port), *how]
        return self.heard(self.launch(argv, session, **env))

    def node(self, host: str) -> Server:
        return self.heard(self.launch(["node", "-e", SERVE_NODE, host, "0"]))

    def npm(self) -> Server:
        """As ``npm run dev`` does it: a runner, a shell, and node below them."""
        (self.folder / "server.js").write_text(SERVE_NODE.replace("argv[2]", "argv[3]").replace("argv[1]", "argv[2]"))
        script = {"name": "x", "scripts": {"dev": "node server.js 127.0.0.1 0"}}
        (self.folder / "package.json").write_text(json.dumps(script))
        return self.heard(self.launch(["npm", "run", "--silent", "dev"]))

    def scripted(self) -> tuple[Server, int]:
        """A script with a sleeper and a listener, all in one group; also the sleeper's pid."""
        script = f'sleep 1000 & echo $! > sleeper; "{sys.executable}" -S -E -c "$SERVE" 127.0.0.1 0 & wait'
        server = self.heard(self.launch(["/bin/sh", "-c", script], SERVE=SERVE))
        return server, int((self.folder / "sleeper").read_text())

    def restarting(self, port: int) -> Server:
        """A runner that starts its listener anew whenever it ends, as nodemon does."""
        script = f'while :; do "{sys.executable}" -S -E -c "$SERVE" 127.0.0.1 {port}; done'
        return self.heard(self.launch(["/bin/sh", "-c", script], SERVE=SERVE))

    def sentinel(self) -> subprocess.Popen[str]:
        """Somebody who must never be touched."""
        return self.launch(["sleep", "1000"])

    def heard(self, process: subprocess.Popen[str]) -> Server:
        assert process.stdout is not None
        for line in process.stdout:
            words = line.split()
            if len(words) == 2 and all(word.isdigit() for word in words):
                return Server(process, int(words[0]), int(words[1]))
        raise AssertionError(f"it never listened: {process.args}")

    def marked(self) -> list[int]:
        mark, found = f"PORTS_TEST={self.tag}\0".encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def clear(self) -> None:
        while left := [pid for pid in self.marked() if living(pid)]:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            for process in self._started:
                process.poll()
        for process in self._started:
            process.wait()
            if process.stdout:
                process.stdout.close()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    """Starts listeners and sentinels; nothing of them remains. Workspaces are registered in a place of this test's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    starter: Any = Starter(tmp_path)
    try:
        yield starter
    finally:
        starter.clear()
