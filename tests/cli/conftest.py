"""The real command in a small workspace, without a terminal and on a pseudo terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from devctl.workspace import Workspace

SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x1b\x07]*(?:\x1b\\|\x07)")


class Terminal:
    """devctl on a pseudo terminal: what it writes, and keys for it."""

    def __init__(self, argv: list[str], cwd: Path, environment: Mapping[str, str], size: tuple[int, int]) -> None:
        self.text = ""
        self.master, slave = pty.openpty()
        self.slave = slave
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            argv, cwd=cwd, env=dict(environment), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - so that Ctrl-C reaches it
        )  # fmt: skip

    @property
    def plain(self) -> str:
        """What was written, without escape sequences."""
        return SEQUENCES.sub("", self.text).replace("\r", "")

    def read(self, pause: float = 0.05) -> None:
        """Take in what is there."""
        while select.select([self.master], [], [], pause)[0]:
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                return

    def until(self, text: str, timeout: float = 60.0) -> None:
        """Wait until this was written."""
        deadline = time.monotonic() + timeout
        while text not in self.plain:
            if time.monotonic() > deadline or (self.process.poll() is not None and not self._more()):
                pytest.fail(f"never wrote {text!r}:\n{self.plain}")
            self.read()

    def _more(self) -> bool:
        before = len(self.text)
        self.read(0.2)
        return len(self.text) > before

    def keys(self, text: str) -> None:
        """Press them."""
        os.write(self.master, text.encode())

    def end(self, timeout: float = 60.0) -> int:
        """Wait for its end; the exit code."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                pytest.fail(f"does not end:\n{self.plain}")
            self.read()
        self.read()
        return self.process.returncode

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Place:
    """A workspace's folder, and the command in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            key: value for key, value in os.environ.items()
            if key not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "DEVCTL_DEBUG"}
        } | {"XDG_STATE_HOME": str(root / "state"), "TERM": "xterm-256color", "PYTHONUTF8": "1"}  # fmt: skip
        (root / "server.py").write_text(SERVER)
        self.terminals: list[Terminal] = []

    def write(self, services: Mapping[str, Any], **rest: Any) -> None:
        """services.yaml anew."""
        parts = {**rest, "services": services}
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in parts.items())
        (self.root / "services.yaml").write_text(f"name: place\n{text}")  # JSON is YAML

    def server(self, port: int, **more: Any) -> dict[str, Any]:
        """A service that serves HTTP."""
        command = [sys.executable, "server.py", str(port)]
        return {"path": ".", "command": command, "ports": [port], "health": f"http://127.0.0.1:{port}/", **more}

    def argv(self, *words: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "devctl", *words]

    def run(self, *words: str, timeout: float = 90, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, without a terminal."""
        return subprocess.run(
            self.argv(*words), cwd=self.root, env={**self.environment, **environment}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def on_terminal(self, *words: str, size: tuple[int, int] = (80, 24), **environment: str) -> Terminal:
        """Start it on a terminal."""
        made = Terminal(self.argv(*words), self.root, {**self.environment, **environment}, size)
        self.terminals.append(made)
        return made

    def clear(self) -> None:
        """Everything down; fails when something was left."""
        for terminal in self.terminals:
            terminal.close()
        done = self.run("down") if (self.root / ".devctl").exists() else None
        holder = Workspace(self.root, "place").holder()
        if holder:
            os.kill(holder, signal.SIGKILL)
        assert not holder, f"the supervisor is still there: {done}"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A workspace with no manifest yet. At its end nothing of it runs."""
    made = Place(tmp_path)
    yield made
    made.clear()


@pytest.fixture
def stranger(tmp_path: Path, poll: Callable[..., Any]) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """``stranger(port)`` → a process that has nothing to do with devctl and listens there."""
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int) -> subprocess.Popen[bytes]:
        import socket

        process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], cwd=tmp_path, stderr=subprocess.DEVNULL)
        started.append(process)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        poll(listens, what="the stranger listens")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
