"""Being told when a process ends, whoever's child it is: by pidfd (Linux), kqueue (macOS) or a look now and then."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from typing import Any

from devctl.runtimes import host
from devctl.runtimes.host import Key

Cancel = Callable[[], None]
_POLL = 0.05


class Exits:
    """Watches processes from one event loop. ``on_exit`` is called once, soon after the end, if it isn't over yet."""

    def __init__(self) -> None:
        self._queue: Any = None
        self._waiting: dict[int, dict[object, Callable[[], None]]] = {}

    def watch(self, who: Key, on_exit: Callable[[], None], child: bool = False) -> Cancel:
        """Call ``on_exit`` when that very process has ended (a zombie has). Returns what calls it off.

        ``child``: it is one of ours that is not reaped yet, so nobody else can have its pid.
        """
        loop = asyncio.get_running_loop()
        if hasattr(os, "pidfd_open"):
            try:
                return self._by_pidfd(loop, who, on_exit, child)
            except ProcessLookupError:
                return loop.call_soon(on_exit).cancel
            except OSError:
                return _by_polling(loop, who, on_exit)
        if hasattr(select, "kqueue"):
            return self._by_kqueue(loop, who, on_exit)
        return _by_polling(loop, who, on_exit)

    def _by_pidfd(self, loop: asyncio.AbstractEventLoop, who: Key, on_exit: Callable[[], None], child: bool) -> Cancel:
        handle = os.pidfd_open(who[0])
        if not child and not _is(who):
            os.close(handle)
            return loop.call_soon(on_exit).cancel

        def cancel() -> None:
            nonlocal handle
            if handle >= 0:
                loop.remove_reader(handle)
                os.close(handle)
                handle = -1

        def ended() -> None:
            cancel()
            on_exit()

        loop.add_reader(handle, ended)
        return cancel

    def _by_kqueue(self, loop: asyncio.AbstractEventLoop, who: Key, on_exit: Callable[[], None]) -> Cancel:
        kq: Any = select
        if self._queue is None:
            self._queue = kq.kqueue()
            loop.add_reader(self._queue.fileno(), self._drain)
        token, pid = object(), who[0]
        self._waiting.setdefault(pid, {})[token] = on_exit
        event = kq.kevent(pid, kq.KQ_FILTER_PROC, kq.KQ_EV_ADD | kq.KQ_EV_ONESHOT, kq.KQ_NOTE_EXIT)
        try:
            self._queue.control([event], 0, 0)
        except ProcessLookupError:
            loop.call_soon(self._ended, pid)
        else:
            if not _is(who):
                loop.call_soon(self._ended, pid)
        return lambda: self._forget(pid, token)

    def _forget(self, pid: int, token: object) -> None:
        waiting = self._waiting.get(pid, {})
        waiting.pop(token, None)
        if not waiting:
            self._waiting.pop(pid, None)

    def _drain(self) -> None:
        for event in self._queue.control(None, 64, 0):
            self._ended(event.ident)

    def _ended(self, pid: int) -> None:
        for on_exit in self._waiting.pop(pid, {}).values():
            on_exit()

    def close(self) -> None:
        """Give the queue back. What was watched by pidfd is called off one by one."""
        if self._queue is not None:
            asyncio.get_running_loop().remove_reader(self._queue.fileno())
            self._queue.close()
            self._queue = None


def _is(who: Key) -> bool:
    found = host.here().process(who[0])
    return found is not None and found.start == who[1] and not found.dead


def _by_polling(loop: asyncio.AbstractEventLoop, who: Key, on_exit: Callable[[], None]) -> Cancel:
    timer: asyncio.TimerHandle | asyncio.Handle

    def look() -> None:
        nonlocal timer
        if _is(who):
            timer = loop.call_later(_POLL, look)
        else:
            on_exit()

    def cancel() -> None:
        timer.cancel()

    timer = loop.call_soon(look)
    return cancel
