"""The day's work made safe, in every repository: decided from facts, backed up, committed, brought together, pushed.

Whatever is interrupted, at whichever moment, leaves every piece of work in a ref or in the worktree.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from devctl.core.model import Manifest
from devctl.errors import DevctlError, Exit
from devctl.git.pending import read, write
from devctl.git.report import Report, Synced
from devctl.git.work import Meant, Work
from devctl.workspace import Workspace

LOCK_PATIENCE = 10.0
"""Seconds to wait for another sync of the workspace."""


class Sync:
    """One sync of all repositories: ``look``, then perhaps a question, then ``run``."""

    def __init__(
        self,
        manifest: Manifest,
        workspace: Workspace,
        *,
        dry_run: bool = False,
        message: str = "",
        push_only: Sequence[str] | None = None,
    ) -> None:
        """``push_only`` names repositories (by path) of which only what is committed is pushed, and no other's."""
        self._workspace, self._dry_run = workspace, dry_run
        meant = Meant(
            dry_run=dry_run,
            push_only=push_only is not None,
            message=message,
            host=socket.gethostname().partition(".")[0],
            stamp=datetime.now(UTC).strftime("%Y%m%dT%H%M%S"),
        )
        self._paths = {each.path for each in manifest.git}
        sections = [each for each in manifest.git if push_only is None or each.path in push_only]
        self.works = [Work(section, manifest, meant) for section in sections]

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

    def run(self, tell: Callable[[str], None] = lambda _: None) -> Report:
        """Do it all, or with ``dry_run`` find out what would be done. ``tell`` hears what takes its time, in words.
        Raises DevctlError."""
        if self._dry_run:
            self._reach(tell)
            self._each(Work.rehearse)
            return self._report()
        with locked(self._workspace):
            self._each(Work.back_up)
            self._reach(tell)
            tell("committing")
            self._each(Work.work_locally)
            going = [(work.leaving, remote) for work in self._going() for remote in work.leaving.outgoing]
            tell(f"pushing to {_named(remote for _, remote in going)}" if going else "")
            _together([leaving.push(remote) for leaving, remote in going])
            _together([work.leaving.rescue(remote) for work in self._going() for remote in work.leaving.to_rescue()])
            self._each(Work.look_again)
            self._remember()
        return self._report()

    def _each(self, phase: Callable[[Work], None]) -> None:
        for work in self._going():
            work.guarded(lambda work=work: phase(work))  # type: ignore[misc]

    def _going(self) -> list[Work]:
        return [work for work in self.works if work.going]

    def _reach(self, tell: Callable[[str], None]) -> None:
        self._each(Work.set_up_remotes)
        calls = [(work.leaving, remote) for work in self._going() for remote in work.leaving.names]
        tell(f"asking {_named(remote for _, remote in calls)} what is new" if calls else "")
        _together([leaving.reach(remote, dry_run=self._dry_run) for leaving, remote in calls])

    def _report(self) -> Report:
        return Report(repositories=tuple(work.synced() for work in self.works), dry_run=self._dry_run)

    def _remember(self) -> None:
        """What could not be pushed, for ``status`` and the next time."""
        before = read(self._workspace)
        since = {(each.repository, each.remote): each.since for each in before}
        found_out = {work.section.path for work in self._going()}
        kept = [each for each in before if each.repository in self._paths - found_out]
        fresh = [
            msgspec.structs.replace(each, since=since.get((each.repository, each.remote), time.time()))
            for work in self.works
            for each in work.waiting()
        ]
        # A full disk, a folder whose name is no text: the report says it now, and the next sync finds it out anew.
        with suppress(OSError, UnicodeEncodeError):
            write(self._workspace, (*kept, *fresh))


def _named(remotes: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(remotes))


def retry(manifest: Manifest, workspace: Workspace, but: Collection[str] = ()) -> Report | None:
    """Push what could not be pushed the last time, and nothing else; not of the repositories ``but``. None: nothing
    waits. Raises DevctlError."""
    waiting = {each.repository for each in read(workspace)}.difference(but)
    if not waiting:
        return None
    again = Sync(manifest, workspace, push_only=tuple(waiting))
    again.look()
    return again.run()


def _together(calls: Sequence[Coroutine[Any, Any, None]]) -> None:
    """All at the same time. Ctrl-C ends them all, with the processes that they started."""
    if not calls:
        return

    async def all_of_them() -> None:
        me = (asyncio.get_running_loop(), asyncio.current_task())
        _under_way.append(me)
        try:
            await asyncio.gather(*calls)
        finally:
            _under_way.remove(me)

    asyncio.run(all_of_them())


_under_way: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = []


def break_off() -> None:
    """End what another thread is asking of remotes, with the processes that it started."""
    for loop, task in tuple(_under_way):
        if task is not None:
            with suppress(RuntimeError):  # it has just ended by itself
                loop.call_soon_threadsafe(task.cancel)


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
