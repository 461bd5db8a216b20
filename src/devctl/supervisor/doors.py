"""When is it worth asking a starting service again? Once somebody listens on its port.

One look shows all ports at once, where each attempt to connect shows one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from devctl.core.model import HealthCheck, HttpProbe, Runtime, Service, TcpProbe
from devctl.listening import listening_ports

SHARE = 0.005
"""The gap to the next look, as a share of the shortest wait: a look is so cheap that it comes more often than a try."""
SHORTEST, LONGEST = 0.002, 0.1
"""Bounds of that gap, in seconds."""
STALE = 0.5
"""Seconds after which a look counts for nothing."""
COST, DEAR = 30, 0.0002
"""The gap is at least so many times what the last look took, and twice that for one that took longer than DEAR seconds:
with hundreds of listeners there are that many services, of which one or another is ready at each look."""
TRY = 0.0003
"""What trying one port takes, in seconds (a refused connection and its task): a look is worth it while it takes no
more than trying each."""


def port_of(service: Service, health: HealthCheck) -> int | None:
    """The port of this machine that a native service must open before its check can pass, None for other checks. (A
    container's port may be forwarded with no listener here.)"""
    if service.runtime is not Runtime.PROCESS:
        return None
    from devctl.probes.connect import is_local  # not before the first service is started

    match health.probe:
        case TcpProbe(host=host, port=port) if is_local(host):
            return port
        case HttpProbe(url=url):
            return _local_port(url)
    return None


@functools.lru_cache(4096)
def _local_port(url: str) -> int | None:
    from devctl.probes.connect import is_local

    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    return (parts.port or usual) if is_local(parts.hostname or "") else None


class Doors:
    """Looks which ports are open, as long as somebody waits for one. ``look``: all of them, None where unknown."""

    def __init__(self, look: Callable[[], frozenset[int] | None] = listening_ports) -> None:
        self._look = look
        self._open: frozenset[int] = frozenset()
        self._blind = False
        self._waiting: dict[asyncio.Future[None], tuple[int, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._cost = 0.0
        self._looked = -STALE

    def shut(self, port: int, waiting: int) -> bool:
        """Whether it is worth waiting for the next look: nobody listened there at the last one, or it is too long ago.

        False where no look shows anything, and where there are more listeners to look through than the ``waiting``
        are worth.
        """
        if self._blind or self._cost > waiting * TRY:
            return False
        return port not in self._open or time.monotonic() - self._looked > STALE

    async def opened(self, port: int, since: float, limit: float) -> None:
        """Until somebody listens on ``port``, or for ``limit`` seconds. ``since``: monotonic seconds, when it began."""
        loop = asyncio.get_running_loop()
        seen: asyncio.Future[None] = loop.create_future()
        self._waiting[seen] = (port, since)
        self._plan(loop, since)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(seen, limit)
        finally:
            self._waiting.pop(seen, None)

    def _plan(self, loop: asyncio.AbstractEventLoop, since: float) -> None:
        """Look soon enough for who waits since then."""
        waited = time.monotonic() - since
        least = self._cost * (COST if self._cost < DEAR else 2 * COST)
        due = loop.time() + max(min(max(waited * SHARE, SHORTEST), LONGEST), least)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        begun = time.thread_time()
        found = self._look()
        self._cost = time.thread_time() - begun
        self._looked = time.monotonic()
        self._blind, self._open = found is None, found or frozenset()
        for seen, (port, _since) in list(self._waiting.items()):
            if (self._blind or port in self._open) and not seen.done():
                seen.set_result(None)
                del self._waiting[seen]
        if self._waiting:
            self._plan(asyncio.get_running_loop(), max(since for _, since in self._waiting.values()))

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
