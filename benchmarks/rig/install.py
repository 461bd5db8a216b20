"""The tools measured beside devctl, pinned, each built or installed into a folder of its own in the user's cache.

Nothing is installed system-wide. What can't be had here is left out with the reason, and tried again at the next run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LIMIT = 1800.0
"""Seconds that building one tool may take; the largest is half a thousand Rust crates."""


class MissingError(Exception):
    """Why a tool can't be had."""


@dataclass(frozen=True)
class Pinned:
    """A package of a registry; ``program`` is what it brings, ``tools`` what has to be there to build and to run it."""

    registry: str
    packages: tuple[str, ...]
    version: str
    program: str
    tools: tuple[str, ...]


PINNED = {
    "process-compose": Pinned("go", ("github.com/f1bonacc1/process-compose",), "v1.85.0", "process-compose", ("go",)),
    "overmind": Pinned("go", ("github.com/DarthSim/overmind/v2",), "v2.5.1", "overmind", ("go", "tmux")),
    "pitchfork": Pinned("cargo", ("pitchfork-cli",), "2.33.0", "pitchfork", ("cargo",)),
    "honcho": Pinned("pypi", ("honcho==2.0.0",), "2.0.0", "honcho", ()),
    "supervisord": Pinned("pypi", ("supervisor==4.3.0",), "4.3.0", "supervisord", ()),
    "mprocs": Pinned("npm", ("mprocs@0.9.6",), "0.9.6", "mprocs", ("npm",)),
    "concurrently": Pinned(
        "npm", ("concurrently@10.0.7", "wait-on@9.5.1"), "10.0.7 + wait-on 9.5.1", "concurrently", ("npm",)
    ),
    "pm2": Pinned("npm", ("pm2@7.0.4",), "7.0.4", "pm2", ("npm",)),
}


def cache() -> Path:
    """Where the tools are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devctl-bench"


def installed(name: str, say: Callable[[str], None]) -> Path:
    """The folder of its programs; built or installed first where it isn't there yet. Raises MissingError."""
    pin = PINNED[name]
    for tool in pin.tools:
        if shutil.which(tool) is None:
            raise MissingError(f"needs {tool}, which is not on the PATH")
    home = cache() / f"{name}-{pin.version.split()[0].lstrip('v')}"
    done, programs = home / ".installed", home / _PROGRAMS[pin.registry]
    if not done.exists() or not (programs / pin.program).exists():
        say(f"installing {name} {pin.version} into {home}")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _INSTALLERS[pin.registry](pin, home)
        done.touch()
    return programs


def _pypi(pin: Pinned, home: Path) -> None:
    _run([sys.executable, "-m", "venv", home], home)
    _run([home / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *pin.packages], home)


def _npm(pin: Pinned, home: Path) -> None:
    _run(["npm", "install", "--prefix", home, "--no-audit", "--no-fund", "--loglevel=error", *pin.packages], home)


def _cargo(pin: Pinned, home: Path) -> None:
    _run(["cargo", "install", "--locked", "--root", home, "--version", pin.version, *pin.packages], home)


def _go(pin: Pinned, home: Path) -> None:
    """By a module of our own that requires it: `go install` would ask for the list of versions too."""
    module = home / "module"
    module.mkdir()
    (module / "go.mod").write_text(f"module bench\n\ngo 1.23\n\nrequire {pin.packages[0]} {pin.version}\n")
    program = home / "bin" / pin.program
    _run(["go", "build", "-mod=mod", "-o", program, pin.packages[0]], module, {"CGO_ENABLED": "0"})


_INSTALLERS = {"pypi": _pypi, "npm": _npm, "cargo": _cargo, "go": _go}
_PROGRAMS = {"pypi": "bin", "npm": "node_modules/.bin", "cargo": "bin", "go": "bin"}


def _run(argv: list[str | Path], folder: Path, more: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            argv, cwd=folder, env={**os.environ, **(more or {})}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", check=False, timeout=LIMIT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise MissingError(f"`{argv[0]}` was not done in {LIMIT:.0f} s") from None
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise MissingError(f"`{Path(argv[0]).name} {argv[1]}` failed: {' / '.join(lines[-2:])[-300:]}")
