"""What is measured on: workspaces of services that become ready a known time after their start."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEVCTL = Path(sys.executable).with_name("devctl")

# Perl starts in 2 ms where Python takes 15, so that what is measured is the orchestrator and not the services.
READY_AFTER = """use Socket; select(undef, undef, undef, $ARGV[1]);
socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) or die "bind: $!"; listen(S, 16);
$SIG{TERM} = sub { select(undef, undef, undef, $ARGV[2]); exit 0 }; sleep 1 while 1;"""


@dataclass(frozen=True)
class Work:
    """Services in a shape; ``depth`` of them stand one behind the other, each ready ``delay`` s after its start."""

    shape: str
    count: int
    delay: float
    depth: int
    parents: tuple[int | None, ...]

    @property
    def critical_path(self) -> float:
        """Seconds that no orchestrator can beat."""
        return self.depth * self.delay


def chain(count: int, delay: float) -> Work:
    """Each needs the one before."""
    return Work("chain", count, delay, count, tuple(number - 1 if number else None for number in range(count)))


def tree(count: int, delay: float, branching: int = 3) -> Work:
    """Each but the first needs one, and up to ``branching`` need each."""
    parents = tuple((number - 1) // branching if number else None for number in range(count))
    depth, number = 1, count - 1
    while number:
        number, depth = (number - 1) // branching, depth + 1
    return Work("tree", count, delay, depth, parents)


def manifest(work: Work, first_port: int, stopping: float = 0.0) -> str:
    """The services.yaml of a piece of work. JSON is YAML."""
    services = {
        f"s{number}": {
            "path": ".",
            "command": ["perl", "-e", READY_AFTER, str(first_port + number), str(work.delay), str(stopping)],
            "health": f"tcp://127.0.0.1:{first_port + number}",
            **({"depends_on": [f"s{parent}"]} if parent is not None else {}),
        }
        for number, parent in enumerate(work.parents)
    }
    return f"name: bench\nservices: {json.dumps(services)}\n"


def free_range(count: int) -> int:
    """The first of ``count`` ports nobody listens on, below those the kernel hands out."""
    for first in range(12000, 30000, 500):
        if all(_free(port) for port in range(first, first + count)):
            return first
    raise SystemExit("no range of free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextlib.contextmanager
def workspace(text: str) -> Iterator[Path]:
    """A folder with this manifest; whatever was started there is down at the end."""
    folder = Path(tempfile.mkdtemp(prefix="devctl-bench-"))
    (folder / "services.yaml").write_text(text)
    try:
        yield folder
    finally:
        subprocess.run([DEVCTL, "down", "--yes"], cwd=folder, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def timed(argv: list[str | Path], folder: Path, codes: tuple[int, ...] = (0,)) -> float:
    """Seconds a command takes. Ends the run with its output when it fails."""
    begun = time.perf_counter()
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - begun
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(map(str, argv))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return spent


def supervisor(folder: Path) -> int:
    """Its pid."""
    status = subprocess.run([DEVCTL, "status", "--json"], cwd=folder, capture_output=True, text=True, check=False)
    return int(json.loads(status.stdout)["supervisor"]["pid"])


def cpu_seconds(pid: int) -> float:
    """CPU time a process has used, its children not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident memory, in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def end(pid: int) -> None:
    """Make sure that it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
