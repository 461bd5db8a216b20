"""What has come for the loop and is not taken in yet. For one thread: there is no lock."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator

from devctl.api.protocol import Request
from devctl.core.state import AnyEvent


class Inbox:
    """News and requests, in the order in which they came."""

    def __init__(self) -> None:
        self._items: deque[AnyEvent | Request] = deque()
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._items)

    def post(self, item: AnyEvent | Request) -> None:
        """Put something in. To be called on the loop's thread."""
        self._items.append(item)
        self._wake.set()

    async def submit(self, request: Request) -> None:
        """Put a request in and wait until it has been acted upon."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self.post(request)
        await done

    def drain(self) -> Iterator[AnyEvent | Request]:
        """Everything, also what comes in meanwhile."""
        while self._items:
            yield self._items.popleft()

    def acted(self) -> None:
        """What was taken in has been acted upon: whoever waits may go on."""
        for done in self._waiting:
            if not done.done():
                done.set_result(None)
        self._waiting.clear()

    async def wait(self, delay: float | None) -> None:
        """Until something comes, or for ``delay`` seconds."""
        if self._items:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay)
        self._wake.clear()
