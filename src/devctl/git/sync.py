"""The day's work made safe, in every repository: decided from facts, backed up, committed, brought together, pushed.

Whatever is interrupted, at whichever moment, leaves every piece of work in a ref or in the worktree.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from devctl.core.model import Manifest
from devctl.errors import DevctlError, Exit
from devctl.git.pending import Waiting, read, write
from devctl.git.report import Report, Synced
from devctl.git.work import Work
from devctl.workspace import Workspace

LOCK_PATIENCE = 10.0
"""Seconds to wait for another sync of the workspace."""


class Sync:
    """One sync of all repositories: ``look``, then perhaps a question, then ``run``."""

    def __init__(self, manifest: Manifest, workspace: Workspace, *, dry_run: bool = False, message: str = "") -> None:
        self._workspace, self._dry_run = workspace, dry_run
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        host = socket.gethostname().partition(".")[0]
        self.works = [Work(section, manifest, host, stamp, message, dry_run=dry_run) for section in manifest.git]

    def look(self) -> None:
        """Gather facts and decide; nothing is changed."""
        for work in self.works:
            work.guarded(work.look)

    def asking(self) -> list[Synced]:
        """The repositories whose files wait for a yes before they are committed."""
        return [work.synced() for work in self.works if work.asks]

    def without_commit(self, why: str, hint: str) -> None:
        """Nobody said yes: what is not committed stays so."""
        for work in self.works:
            if work.asks:
                work.leave_uncommitted(why, hint)

    def run(self) -> Report:
        """Do it all, or with ``dry_run`` find out what would be done. Raises DevctlError."""
        if self._dry_run:
            self._reach()
            self._each("rehearse")
            return self._report()
        with locked(self._workspace):
            self._each("back_up")
            self._reach()
            self._each("work_locally")
            self._each("check_what_leaves")
            _together([work.push(remote) for work in self._going() for remote in work.outgoing])
            _together([work.rescue(remote) for work in self._going() for remote in work.to_rescue()])
            report = self._report()
            self._remember()
        return report

    def _each(self, phase: str) -> None:
        for work in self._going():
            work.guarded(getattr(work, phase))

    def _going(self) -> list[Work]:
        return [work for work in self.works if work.going]

    def _reach(self) -> None:
        for work in self._going():
            work.guarded(work.set_up_remotes)
        _together([work.reach(remote) for work in self._going() for remote in work.remotes])

    def _report(self) -> Report:
        return Report(tuple(work.synced() for work in self.works), dry_run=self._dry_run)

    def _remember(self) -> None:
        """What could not be pushed, for ``status`` and the next time."""
        since = {(each.repository, each.remote): each.since for each in read(self._workspace)}
        now = time.time()
        waiting = [found for work in self.works for found in work.waiting()]
        kept = [each for each in read(self._workspace) if self._untouched(each)]
        fresh = [
            Waiting(each.repository, each.remote, each.branches, each.commits, each.reason,
                    since.get((each.repository, each.remote), now))
            for each in waiting
        ]  # fmt: skip
        try:
            write(self._workspace, (*kept, *fresh))
        except (OSError, UnicodeEncodeError) as error:
            why = str(getattr(error, "strerror", "") or error)
            raise DevctlError(
                "what is not pushed yet cannot be remembered", str(self._workspace.folder), why
            ) from error

    def _untouched(self, waiting: Waiting) -> bool:
        """Whether this sync found out nothing about it."""
        return any(work.section.path == waiting.repository and not work.going for work in self.works)


def _together(calls: Sequence[object]) -> None:
    """All at the same time. Ctrl-C ends them all, with the processes that they started."""
    if not calls:
        return

    async def all_of_them() -> None:
        await asyncio.gather(*calls)  # type: ignore[call-overload]

    asyncio.run(all_of_them())


@contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Only one sync of a workspace at a time. Raises DevctlError."""
    workspace.prepare()
    descriptor = os.open(workspace.folder / "git.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DevctlError(
                        "another sync of this workspace is still going on",
                        str(workspace.root),
                        hint="devctl sync, once it has ended",
                        code=Exit.PRECONDITION,
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
