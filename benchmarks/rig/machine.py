"""What was measured, and on what."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IDLE = 0.1
"""The share of all cores' time that may be used on a machine at rest."""

CLOCK_GETTIME = {"x86_64": 228, "aarch64": 113, "riscv64": 113}
"""The number of this system call, by machine (Linux, arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h)."""


def clock_gettime() -> int:
    """The number of the system call by which a service reads the clock without a module of Perl. Raises SystemExit."""
    if platform.machine() not in CLOCK_GETTIME:
        raise SystemExit(f"the services don't know how to read the clock on {platform.machine()}: see rig/machine.py")
    return CLOCK_GETTIME[platform.machine()]


def now() -> str:
    """The date and time, UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def load() -> list[float]:
    """The load averages of the last 1, 5 and 15 minutes."""
    return [round(each, 2) for each in os.getloadavg()]


def until_idle(patience: float, window: float = 0.25) -> float:
    """Wait until less than IDLE was busy for ``window`` s, ``patience`` s at most; the share that was at last."""
    deadline = time.monotonic() + patience
    while True:
        before = _ticks()
        time.sleep(window)
        used, all_ = (after - then for after, then in zip(_ticks(), before, strict=True))
        busy = round(used / max(1, all_), 3)
        if busy <= IDLE or time.monotonic() > deadline:
            return busy


def _ticks() -> tuple[int, int]:
    """(used, all) ticks of all cores so far; waiting for a disk is no use of one."""
    fields = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


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
