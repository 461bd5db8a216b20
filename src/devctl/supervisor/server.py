"""The socket: one line of JSON in, lines of JSON out. See api.protocol."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from devctl.api.protocol import (
    Answer,
    Down,
    Failure,
    Follow,
    Request,
    Restart,
    Snapshot,
    Status,
    Up,
    decode_request,
    encode,
    request_decoder,
)

log = logging.getLogger(__name__)

MAX_LINE = 64 * 1024 * 1024
"""Longest request in bytes: a manifest with many thousands of services."""
BACKLOG = 10_000
"""Lines that may wait for a slow listener before it is hung up on: it asks anew and gets everything."""
PACE = 0.005
"""Seconds between two writes to a listener. What happens meanwhile is told at one stroke: a thousand services that
start at once wake nobody a thousand times."""
PACE_PER_SERVICE = 0.000025
"""The same, at least, for each service there is: who listens to a thousand has more to do with each news."""


class Server:
    """Serves one workspace's socket, which only its user can open."""

    def __init__(
        self,
        submit: Callable[[Request], Awaitable[None]],
        snapshot: Callable[[], Snapshot],
        usage: Callable[[Snapshot], Snapshot],
    ) -> None:
        self._submit, self._snapshot, self._usage = submit, snapshot, usage
        request_decoder()  # before anybody waits for an answer
        self._closing = False
        self._listeners: set[asyncio.Queue[bytes]] = set()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, path: Path) -> None:
        """Bind ``path`` (mode 0600). To be called while holding the workspace's lock: a file there is a dead one's."""
        self._server = await asyncio.start_unix_server(self._accept, sock=_bind(path), limit=MAX_LINE)

    async def close(self, path: Path) -> None:
        """Hang up on everybody, after what was already said has been sent."""
        self._closing = True
        await asyncio.to_thread(path.unlink, missing_ok=True)
        if self._server is not None:
            self._server.close()
        for queue in self._listeners:
            queue.put_nowait(b"")
        if self._connections:
            await asyncio.wait(self._connections, timeout=1)
        for task in self._connections:
            task.cancel()

    def publish(self, snapshot: Snapshot) -> None:
        """Tell every listener."""
        if not self._listeners:
            return
        line = encode(snapshot) + b"\n"
        for queue in list(self._listeners):
            if queue.qsize() > BACKLOG:
                self._listeners.discard(queue)
                queue.put_nowait(b"")
            else:
                queue.put_nowait(line)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        try:
            await task
        except (ConnectionError, asyncio.LimitOverrunError, ValueError) as error:
            log.info("a client went: %s", error)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                request = decode_request(line)
            except msgspec.DecodeError as error:
                await _send(writer, Failure(what="the supervisor does not understand this request", why=str(error)))
                continue
            if isinstance(request, Up | Down | Restart | Follow):
                await self._stream(request, reader, writer)
                return
            await self._once(request, writer)

    async def _once(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if not isinstance(request, Status):
            await self._submit(request)
        snapshot = self._snapshot()
        if isinstance(request, Status) and request.usage:
            snapshot = self._usage(snapshot)
        await _send(writer, snapshot)

    async def _stream(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The first line already shows what the request changed."""
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        if not isinstance(request, Follow):
            await self._submit(request)
        first = self._snapshot()
        pace = max(PACE, PACE_PER_SERVICE * len(first.states))
        queue.put_nowait(encode(first) + b"\n")
        if self._closing:
            queue.put_nowait(b"")
        self._listeners.add(queue)
        hung_up = asyncio.ensure_future(reader.read())
        hung_up.add_done_callback(lambda _: queue.put_nowait(b""))
        try:
            while line := await queue.get():
                lines = [line]
                while not queue.empty() and lines[-1]:
                    lines.append(queue.get_nowait())
                writer.write(b"".join(lines))
                await writer.drain()
                if not lines[-1]:
                    break
                await asyncio.sleep(pace)
        finally:
            self._listeners.discard(queue)
            hung_up.cancel()


def _bind(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    return listener


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(encode(answer) + b"\n")
    await writer.drain()
