"""One round: a folder, ports, a mark, and the tool's commands; whatever happens, nothing of it is left."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig import marked
from rig.events import Journal

PROJECT = "devctl-bench"
FIRST_PORT, LAST_PORT = 12000, 30000
"""Below the ports that the kernel hands out by itself."""
_numbers = itertools.count(1)


class FailedError(Exception):
    """Why a tool has no figure here."""


@dataclass(frozen=True)
class Ran:
    """A command that ended: ``cpu`` counts it and the children that it waited for; times in seconds."""

    code: int
    seconds: float
    cpu: float
    output: str
    ended: float


@dataclass
class Stage:
    """The place of one round. ``env`` carries the mark and keeps the tools' own state in the folder."""

    folder: Path
    mark: str
    first_port: int
    env: dict[str, str]
    journal: Journal
    containers: bool = False
    foreground: subprocess.Popen[bytes] | None = None
    terminal: int = -1
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def project(self) -> str:
        """The name of the round's Compose project."""
        return f"{PROJECT}-{self.mark.replace('.', '-')}"

    def run(self, argv: Sequence[str | Path], timeout: float = 120.0, codes: Sequence[int] | None = (0,)) -> Ran:
        """A command to its end; raises FailedError beyond ``timeout`` s or when it ends with another code."""
        log = self.folder / "command.log"
        with log.open("wb") as out:
            begun = time.monotonic()
            child = subprocess.Popen(
                [str(word) for word in argv], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            self.children.append(child)
            rusage = wait(child, timeout)
            ended = time.monotonic()
        text = log.read_text(encoding="utf-8", errors="replace")
        if rusage is None:
            raise FailedError(f"`{words(argv)}` did not end within {timeout:.0f} s{tail(text)}")
        if codes is not None and child.returncode not in codes:
            raise FailedError(f"`{words(argv)}` ended with {child.returncode}{tail(text)}")
        return Ran(child.returncode, ended - begun, rusage, text, ended)

    def launch(self, argv: Sequence[str | Path], terminal: bool = False) -> None:
        """A command that stays in the foreground; its output goes into a file, or to a terminal that is read dry."""
        with (self.folder / "foreground.log").open("wb") as log:
            given = log.fileno()
            if terminal:
                self.terminal, given = pty.openpty()
                fcntl.ioctl(given, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
                self._start(["cat"], self.terminal, log.fileno())
            self.foreground = self._start(argv, given if terminal else subprocess.DEVNULL, given)
            if terminal:
                os.close(given)

    def _start(self, argv: Sequence[str | Path], given: int, out: int) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [str(word) for word in argv], cwd=self.folder, env=self.env, stdin=given, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.children.append(child)
        return child

    def everyone(self) -> list[marked.Proc]:
        """All living processes of this round."""
        return marked.marked(self.mark)

    def managers(self) -> list[int]:
        """Those that are not services."""
        return [each.pid for each in self.everyone() if not each.service]

    def alive(self) -> str:
        """Raises FailedError when the foreground tool has ended by itself."""
        if self.foreground is not None and self.foreground.poll() is not None:
            log = self.folder / "foreground.log"
            text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise FailedError(f"it ended by itself with {self.foreground.returncode}{tail(text)}")
        return ""


def wait(child: subprocess.Popen[bytes], timeout: float) -> float | None:
    """CPU seconds of a child that ended, at the moment it ends; None, and it is killed, when it doesn't in time."""
    descriptor = os.pidfd_open(child.pid)
    try:
        ready, _, _ = select.select([descriptor], [], [], timeout)
        if not ready:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        _, status, rusage = os.wait4(child.pid, 0)
    finally:
        os.close(descriptor)
    child.returncode = os.waitstatus_to_exitcode(status)
    return rusage.ru_utime + rusage.ru_stime if ready else None


@contextlib.contextmanager
def stage(ports: int, containers: bool = False) -> Iterator[Stage]:
    """A fresh round. Its processes, containers and folder are gone afterwards, also after Ctrl-C."""
    first_port, mark = free_range(ports), f"{os.getpid()}.{next(_numbers)}"
    folder = Path(tempfile.mkdtemp(prefix=f"{PROJECT}-{mark}-"))
    made = Stage(folder, mark, first_port, _environment(folder, mark), Journal(folder / "events"), containers)
    try:
        made.journal.path.touch()
        made.journal.path.chmod(0o666)  # a container's user writes there too
        yield made
    finally:
        with undisturbed():
            _clear(made)


def _environment(folder: Path, mark: str) -> dict[str, str]:
    """Ours, with the mark, and with the tools' own state kept in the folder."""
    return {
        **os.environ,
        marked.VARIABLE: mark,
        "TERM": "xterm-256color",
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_RUNTIME_DIR": str(folder),
        "TMPDIR": str(folder),
        "TMUX_TMPDIR": str(folder),
        "PM2_HOME": str(folder / "pm2"),
        "PITCHFORK_STATE_DIR": str(folder / "pitchfork"),
        "PITCHFORK_CONFIG_DIR": str(folder / "pitchfork-config"),
        "PC_DISABLE_TUI": "1",
        "NO_COLOR": "1",
    }


def _clear(made: Stage) -> None:
    """Each part even when the one before failed."""
    with contextlib.ExitStack() as parts:
        parts.callback(shutil.rmtree, made.folder, ignore_errors=True)
        if made.containers:
            parts.callback(remove_containers, made.project)
        if made.terminal >= 0:
            parts.callback(os.close, made.terminal)
        for child in made.children:
            parts.callback(child.wait, 20)
        parts.callback(marked.end, made.mark)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Another Ctrl-C doesn't cut the clearing short."""
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, signal.SIG_IGN) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def remove_containers(project: str) -> None:
    """A Compose project's containers, networks, volumes and images, also when its files are gone."""
    label = f"label=com.docker.compose.project={project}"
    for kind, listing, removal in (
        ("container", ["ps", "-aq"], ["rm", "-f", "-v"]),
        ("network", ["network", "ls", "-q"], ["network", "rm"]),
        ("volume", ["volume", "ls", "-q"], ["volume", "rm", "-f"]),
        ("image", ["images", "--format", "{{.Repository}}:{{.Tag}}"], ["rmi", "--no-prune"]),
    ):
        if found := _docker(*listing, "--filter", label).stdout.split():
            done = _docker(*removal, *found)
            if done.returncode:
                raise RuntimeError(f"a {kind} of {project} can't be removed: {done.stderr.strip()}")


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=120)


def sweep() -> list[str]:
    """Clear what a run that was killed has left: processes, containers and folders. Returns their names."""
    left = [mark for mark in marked.marks() if _orphaned(mark.partition(".")[0])]
    for mark in left:
        marked.end(mark)
    projects = {project for project in _projects() if _orphaned(project.split("-")[2])}
    for project in projects:
        remove_containers(project)
    folders = [each for each in _folders() if _orphaned(each.name.split("-")[2].partition(".")[0])]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return [*left, *sorted(projects), *(each.name for each in folders)]


def _orphaned(pid: str) -> bool:
    return not Path(f"/proc/{pid}").exists()


def _folders() -> list[Path]:
    """The rounds whose folders are there."""
    there = Path(tempfile.gettempdir()).iterdir()
    return [each for each in there if re.match(rf"{PROJECT}-\d+\.\d+-", each.name)]


def _projects() -> set[str]:
    """The rounds whose containers or images the engine still has."""
    if shutil.which("docker") is None:
        return set()
    names = _docker("ps", "-a", "--format", '{{.Label "com.docker.compose.project"}}').stdout.split()
    names += _docker("images", "--format", "{{.Repository}}").stdout.split()
    found = (re.match(rf"{PROJECT}-\d+-\d+(?=-|$)", name) for name in names)
    return {each[0] for each in found if each}


def free_range(count: int) -> int:
    """The first of ``count`` ports that nobody listens on; another run looks elsewhere first."""
    places = list(range(FIRST_PORT, LAST_PORT - count, 500))
    begin = os.getpid() % len(places)
    for first in places[begin:] + places[:begin]:
        if all(_free(port) for port in range(first, first + count)):
            return first
    raise FailedError(f"no {count} ports in a row are free")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def words(argv: Sequence[str | Path]) -> str:
    """A command as a person would name it."""
    text = " ".join([Path(argv[0]).name, *map(str, argv[1:])])
    return text if len(text) < 80 else text[:77] + "…"


def tail(text: str) -> str:
    """The end of what was said, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and '"level":"debug"' not in line]
    return f": {' / '.join(lines[-3:])[-400:]}" if lines else ""
