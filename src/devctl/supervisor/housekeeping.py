"""What is done now and then while services run: the logs' time index, and their rotation."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

PERIOD = 0.25
"""Seconds between looks at the logs, which is also how precisely a line's time is known."""


class HasLogs(Protocol):
    """What is needed of logs.Logs."""

    def tick(self, now: float | None = None) -> list[str]:
        """Note which logs have grown; returns the names of those that have grown too large."""

    def rotate(self, name: str) -> bool:
        """Set a log aside."""


async def keep_logs(logs: HasLogs) -> None:
    """Look at the logs for ever; the cost stays below about 1 % of a core however many there are."""
    while True:
        begun = time.perf_counter()
        for name in logs.tick():
            await asyncio.to_thread(logs.rotate, name)
        await asyncio.sleep(max(PERIOD, (time.perf_counter() - begun) * 100))
