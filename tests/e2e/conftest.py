"""A workspace with a real manifest, driven by the real command. Nothing of it may be left when a test ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devctl.workspace import Workspace

DEVCTL = Path(sys.executable).with_name("devctl")

# Serves HTTP on a port at once, or after some seconds; answers with its own environment under /env/NAME.
SERVER = """
import http.server, os, sys, time
port, delay = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        if self.path.startswith("/env/"):
            self.wfile.write(os.environ.get(self.path[5:], "").encode())
    def log_message(self, *args): print("request", self.path, flush=True)
time.sleep(delay)
print("listening on", port, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both streams."""
        return self.out + self.err

    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


class Bench:
    """One workspace's folder, and the command in it."""

    def __init__(self, root: Path, poll: Callable[..., Any]) -> None:
        self.root, self.poll = root, poll
        self.environment = {**os.environ, "XDG_STATE_HOME": str(root / "state"), "COLUMNS": "100"}
        self.environment.pop("NO_COLOR", None)
        (root / "server.py").write_text(SERVER)
        (root / "state").mkdir()

    def write(self, services: Mapping[str, Any], **rest: Any) -> None:
        """services.yaml anew."""
        parts = {"name": "bench", **rest, "services": services}
        lines = [f"{key}: {value if key == 'name' else json.dumps(value)}\n" for key, value in parts.items()]
        (self.root / "services.yaml").write_text("".join(lines))  # JSON is YAML

    def yaml(self, text: str) -> None:
        """services.yaml anew, as a person writes it."""
        (self.root / "services.yaml").write_text(textwrap.dedent(text))

    def server(self, port: int, *needs: str, delay: float = 0, **more: Any) -> dict[str, Any]:
        """A service that serves HTTP."""
        return {
            "path": ".",
            "command": [sys.executable, "server.py", str(port), str(delay)],
            "ports": [port],
            "health": {"http": f"http://127.0.0.1:{port}/", "period": "500ms", "start_period": "30s"},
            "depends_on": list(needs),
            **more,
        }

    def run(self, *words: str, timeout: float = 90, **environment: str) -> Done:
        """Run devctl to its end, without a terminal."""
        done = subprocess.run(
            [DEVCTL, *words], cwd=self.root, env={**self.environment, **environment}, timeout=timeout,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start devctl and let it run."""
        return subprocess.Popen(
            [DEVCTL, *words], cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def up(self, *words: str) -> Done:
        """`devctl up`, which must succeed."""
        done = self.run("up", *words)
        assert done.code == 0, done.text
        return done

    def services(self) -> dict[str, dict[str, Any]]:
        """What `status --json` says of each service."""
        return {each["name"]: each for each in self.run("status", "--json").json()["services"]}

    def supervisor(self) -> int:
        """Its pid."""
        pid = Workspace(self.root, "bench").holder()
        assert pid
        return pid

    def marked(self) -> list[int]:
        """Every process that carries this workspace's mark."""
        prefix = f"DEVCTL_SERVICE={Workspace(self.root, 'bench').id}/".encode()
        return [pid for pid in _pids() if prefix in _environ(pid)]

    def clear(self) -> None:
        """Everything down, whatever state it is in; fails when something was left."""
        self.run("down", "--yes")
        holder = Workspace(self.root, "bench").holder()
        left = self.marked()
        for pid in [*left, *([holder] if holder else [])]:
            os.kill(pid, signal.SIGKILL)
        assert not left, f"still there after down: {left}"
        assert holder is None, "the supervisor is still there after down"


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def bench(tmp_path: Path, poll: Callable[..., Any]) -> Iterator[Bench]:
    """A workspace. At its end nothing of it runs."""
    made = Bench(tmp_path, poll)
    yield made
    made.clear()
