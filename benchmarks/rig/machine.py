"""What was measured, and on what."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def now() -> str:
    """The date and time, UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def load() -> list[float]:
    """The load averages of the last 1, 5 and 15 minutes."""
    return [round(each, 2) for each in os.getloadavg()]


def machine() -> dict[str, object]:
    """What it runs on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "python": platform.python_version(),
        "node": said("node", "--version"),
        "docker": said("docker", "version", "--format", "{{.Server.Version}}"),
    }


def commit() -> str:
    """devctl's commit; with + when the tree has changes of its own."""
    head = said("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    changed = said("git", "-C", str(ROOT), "status", "--porcelain", "--", "src", "benchmarks/*.py", "pyproject.toml")
    return head + ("+" if changed else "")


def said(*argv: str) -> str:
    """What a command says, or ""."""
    if shutil.which(argv[0]) is None:
        return ""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
