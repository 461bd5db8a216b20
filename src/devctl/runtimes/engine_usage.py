"""CPU and memory of containers, sampled aside: whoever asks gets the last sample and never waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future

from devctl.errors import DevctlError
from devctl.runtimes.engine import Engine

FRESH = 2.0
"""Seconds a sample is good for."""


class UsageSampler:
    """Samples in ``pool``; ``clock`` in seconds."""

    def __init__(self, engine: Engine, pool: Executor, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._pool, self._clock = engine, pool, clock
        self._raw: dict[str, tuple[float, int]] = {}
        self._last: dict[str, tuple[float, int]] = {}
        self._taken = float("-inf")
        self._running: Future[None] | None = None

    def usage(self, containers: Mapping[str, str]) -> dict[str, tuple[float, int]]:
        """(CPU percent of one core, bytes of memory) last seen by the keys of ``containers`` (key → container id)."""
        idle = self._running is None or self._running.done()
        if containers and idle and self._clock() - self._taken >= FRESH:
            self._running = self._pool.submit(self._sample, tuple(containers.values()))
        return {key: self._last[id_] for key, id_ in containers.items() if id_ in self._last}

    def _sample(self, ids: Iterable[str]) -> None:
        raw, last = {}, {}
        for id_ in ids:
            try:
                cpu, memory = self._engine.stats(id_)
            except DevctlError:
                continue
            now = self._clock()
            before = self._raw.get(id_)
            raw[id_] = (now, cpu)
            last[id_] = (_percent(before, (now, cpu)), memory)
        self._raw, self._last, self._taken = raw, last, self._clock()


def _percent(before: tuple[float, int] | None, after: tuple[float, int]) -> float:
    if before is None or after[0] <= before[0] or after[1] < before[1]:
        return 0.0
    return round((after[1] - before[1]) / 1e9 / (after[0] - before[0]) * 100, 1)
