"""CPU and memory of trees, from one look to the next."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from devctl.runtimes.host import Key, Process


class Usage:
    """Remembers each process's CPU seconds, so that the next look can tell what was used since."""

    def __init__(self) -> None:
        self._cpu: dict[Key, float] = {}
        self._then = 0.0

    def of(self, trees: Mapping[str, Iterable[Process]]) -> dict[str, tuple[float, int]]:
        """CPU percent of one core since the last call (0 at the first) and resident bytes of each tree that lives."""
        now = time.monotonic()
        elapsed = now - self._then if self._then else 0.0
        before, self._cpu, self._then = self._cpu, {}, now
        found: dict[str, tuple[float, int]] = {}
        for name, members in trees.items():
            used, memory = 0.0, 0
            for member in members:
                self._cpu[member.key] = member.cpu
                used += member.cpu - before.get(member.key, 0.0)
                memory += member.rss
            if memory:
                found[name] = (round(100 * used / elapsed, 1) if elapsed else 0.0, memory)
        return found
