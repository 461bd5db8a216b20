"""News of a project's containers, from a thread to the event loop, for as long as the engine and we live."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from devctl.errors import DevctlError
from devctl.runtimes.engine import Engine, EngineGone, Events

SILENCE = 20.0
"""Seconds without news after which the stream is opened anew: a connection through a sleeping VM dies silently."""
OVERLAP = 5.0
"""Seconds of the past each stream begins with; whoever listens tells old news by its time."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between tries while the engine doesn't answer."""


class EngineWatch:
    """Calls back on the event loop's thread: ``on_news(event)`` for every start and end of a container,
    ``on_listening()`` whenever a stream has been opened (what happened before it must be looked up then),
    ``on_silence(reason)`` after every try that failed."""

    def __init__(
        self,
        engine: Engine,
        project: str,
        on_news: Callable[[Mapping[str, Any]], None],
        on_listening: Callable[[], None],
        on_silence: Callable[[str], None],
    ) -> None:
        self._engine, self._project = engine, project
        self._on_news, self._on_listening, self._on_silence = on_news, on_listening, on_silence
        self._loop = asyncio.get_running_loop()
        self._over = threading.Event()
        self._stream: Events | None = None
        self._first = asyncio.Event()
        self._thread = threading.Thread(target=self._watch, name="docker-events", daemon=True)
        self._thread.start()

    async def ready(self) -> None:
        """Returns once the engine listens, or has failed to."""
        await self._first.wait()

    def close(self) -> None:
        """No more calls."""
        self._over.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join(1.0)

    def _watch(self) -> None:
        pause = FIRST_PAUSE
        while not self._over.is_set():
            try:
                self._listen()
                pause = FIRST_PAUSE
            except EngineGone as error:
                self._call(self._silence, error.what)
            except DevctlError as error:
                self._call(self._silence, str(error))
            self._over.wait(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _listen(self) -> None:
        """Until the stream ends."""
        self._stream = stream = self._engine.events(self._project, time.time() - OVERLAP, SILENCE)
        if self._over.is_set():
            stream.close()
            return
        self._call(self._listening)
        for event in stream:
            self._call(self._news, event)

    def _news(self, event: Mapping[str, Any]) -> None:
        if not self._over.is_set():
            self._on_news(event)

    def _listening(self) -> None:
        self._first.set()
        if not self._over.is_set():
            self._on_listening()

    def _silence(self, reason: str) -> None:
        self._first.set()
        if not self._over.is_set():
            self._on_silence(reason)

    def _call(self, what: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:
            self._over.set()
