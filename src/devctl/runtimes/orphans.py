"""Zombies that became our children because their own parent ended (we are their subreaper)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from devctl.runtimes import signals
from devctl.runtimes.tree import Scan

_EVERY = 5.0


class Orphans:
    """Takes them away at every look, and looks when there is any. ``wanted``: the pids whose exit code is wanted."""

    def __init__(self, wanted: Callable[[], set[int]]) -> None:
        self._wanted = wanted
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, look: Callable[[], object]) -> None:
        """Call ``look`` every few seconds while there are zombies."""
        if signals.has_zombie():
            look()
        self._timer = asyncio.get_running_loop().call_later(_EVERY, self.watch, look)

    def reap(self, scan: Scan) -> None:
        """Take the zombies of this look away; never one whose exit code somebody still wants.

        What this process starts leads a session or is in its own; so a child in any other session was adopted.
        """
        wanted, me, mine = self._wanted(), os.getpid(), os.getsid(0)
        for entry in scan.processes.values():
            if entry.dead and entry.parent == me and entry.pid not in wanted:
                adopted = entry.session not in {entry.pid, mine}
                if adopted or scan.marks[entry.pid]:
                    signals.reap(entry.pid)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
