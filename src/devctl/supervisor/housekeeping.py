"""What is done now and then while services run: the logs' time index, their rotation, and room on a full disk."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Protocol

from devctl.supervisor.beat import BEAT, shared

PERIOD = BEAT
"""Seconds between looks at the logs, which is also how precisely a line's time is known."""
RESERVE = 16_000_000
"""Free bytes below which the disk counts as full (on a small file system: a quarter of it)."""
SPARED = 100_000
"""Bytes a log may keep on a full disk."""


class HasLogs(Protocol):
    """What is needed of logs.Logs."""

    folder: Path

    def tick(self, now: float | None = None) -> list[str]:
        """Note which logs have grown; returns the names of those that have grown too large."""

    def rotate(self, name: str, max_bytes: int = ..., keep: int = ...) -> bool:
        """Set a log aside, or, with ``keep`` 0, empty it."""


async def keep_logs(logs: HasLogs) -> None:
    """Look at the logs for ever; looking stays below about 1 % of a core however many there are. What it finds to do
    must not keep it from looking: a disk that a storm fills is full within a second."""
    while True:
        begun = time.perf_counter()
        large = logs.tick()
        spent = time.perf_counter() - begun
        for name in large:
            await asyncio.to_thread(logs.rotate, name)
        if disk_is_full(logs.folder):
            await asyncio.to_thread(make_room, logs)
        due = spent * 100
        await asyncio.sleep(due if due > PERIOD else shared(PERIOD, time.monotonic()))


def disk_is_full(folder: Path) -> bool:
    """Whether so little is free that services would soon fail to write their logs."""
    try:
        facts = os.statvfs(folder)
    except OSError:
        return False
    return facts.f_bavail * facts.f_frsize < min(RESERVE, facts.f_blocks * facts.f_frsize // 4)


def make_room(logs: HasLogs) -> None:
    """A service writes straight to its log, and many end when a write fails: so old lines go before that."""
    for aside in logs.folder.glob("*.log.[0-9]*"):
        aside.unlink(missing_ok=True)
    for path in logs.folder.glob("*.log"):
        logs.rotate(path.name.removesuffix(".log"), SPARED, 0)
