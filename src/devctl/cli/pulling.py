"""The pull beside ``up``: all repositories at once, in a thread; what it touched is asked of the supervisor anew."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from devctl.api.protocol import Renew, Up
from devctl.cli.place import Place
from devctl.core.model import GitRepository
from devctl.errors import DevctlError
from devctl.ui.pulled import Sight, Told
from devctl.ui.words import count, listing

if TYPE_CHECKING:
    import asyncio

    from devctl.git.pull.fetch import Landed, Outcome, Puller
    from devctl.git.report import Synced

Remake = Callable[[], Up]
"""The request anew, from the manifest as it is on disk now. Raises DevctlError."""


class Pull:
    """Everything of one ``up``'s pull. Nothing of it stops anything from starting."""

    def __init__(self, place: Place, request: Up, remake: Remake) -> None:
        self._place, self._request, self._remake = place, request, remake
        self._sections = request.manifest.git
        self._wake: Callable[[], None] = lambda: None
        self._changing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[None] | None = None
        self._stopped = False
        self._break_off: Callable[[], None] = lambda: None
        limit = max((each.timeout for each in self._sections), default=0.0)
        self.sight = Sight(over=not self._sections, limit=limit)

    def begin(self, wake: Callable[[], None]) -> None:
        """Fetch; ``wake`` is called whenever ``sight`` is another."""
        if self.sight.over:
            return
        self._wake = wake
        lonely = [each for each in self._sections if each.pull != "never" and not Path(each.path, ".git").exists()]
        for each in lonely:
            reason = "it is not the root of a repository" if Path(each.path).is_dir() else "there is no such folder"
            self._tell(Told(self._name(each.path), f"not pulled: {reason}", "git.path in services.yaml"))
        self._sections = tuple(each for each in self._sections if each not in lonely and each.pull != "never")
        if not (self._sections or waits(self._place)):
            self._see(over=True)
            return
        self._thread = threading.Thread(target=self._run, name="pull", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End what asks remotes. What is being brought forward is, and its services hear of it; that takes a moment."""
        self._stopped = True
        if self._thread is None or not self._thread.is_alive():
            return
        if self._loop is not None and self._work is not None:
            with suppress(RuntimeError):  # it has just ended by itself
                self._loop.call_soon_threadsafe(self._work.cancel)
        while self._thread.is_alive():
            self._break_off()
            self._thread.join(0.1)

    # -- in the thread

    def _run(self) -> None:
        import asyncio

        _step_back()
        try:
            asyncio.run(self._all())
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - a mistake of ours in the pull is no obstacle to what starts
            first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            self._tell(Told("git", f"not pulled: devctl itself failed: {type(first).__name__}: {first}"))
        finally:
            self._see(asking=(), over=True)

    async def _all(self) -> None:
        """All repositories at once; then, with nothing under way any more, what waits to be pushed."""
        import asyncio

        from devctl.git.pull.fetch import Puller

        self._loop, self._work = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopped:
            return
        pullers = [Puller(section, self._place.workspace, self._landed) for section in self._sections]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(pullers))
            ones = zip(self._sections, pullers, strict=True)
            works = [group.create_task(self._one(section, puller)) for section, puller in ones]
        silent = {outcome.path for outcome in (work.result() for work in works) if outcome.unreached}
        await asyncio.to_thread(self._push_again, silent)

    def _push_again(self, silent: set[str]) -> None:
        """What could not be pushed the last time; not where a remote has just been found to give nothing."""
        from devctl.git.sync import break_off, retry

        self._break_off = break_off
        if self._stopped:
            return
        try:
            report = retry(self._request.manifest, self._place.workspace, silent)
        except DevctlError as error:
            self._tell(Told("git", f"not pushed: {error.what}", error.hint))
            return
        for synced in report.repositories if report else ():
            for told in again(self._name(synced.path), synced):
                self._tell(told)

    async def _watch(self, pullers: Sequence[Puller]) -> None:
        """Who is still asked, for the screen."""
        import asyncio

        while not all(puller.done for puller in pullers):
            asking = tuple(dict.fromkeys(name for puller in pullers for name in puller.asked))
            if asking != self.sight.asking:
                self._see(asking=asking)
            await asyncio.sleep(0.05)

    async def _one(self, section: GitRepository, puller: Puller) -> Outcome:
        outcome = await puller.run()
        for told in self._sentences(section, outcome):
            self._tell(told)
        return outcome

    def _sentences(self, section: GitRepository, outcome: Outcome) -> list[Told]:
        """Why it is not pulled, and which remotes gave nothing: a line for each reason."""
        name, told = self._name(section.path), list[Told]()
        if outcome.stay and not outcome.stay.quiet:
            told.append(Told(name, outcome.stay.reason, outcome.stay.hint))
        for why, hint in dict.fromkeys((each.why, each.hint) for each in outcome.unreached):
            remotes = [each.remote for each in outcome.unreached if each.why == why]
            told.append(Told(name, f"{listing(remotes)}: {why}; started with what is here", hint))
        return told

    def _name(self, path: str) -> str:
        inside = os.path.relpath(path, self._place.manifest.root)
        return os.path.basename(path) if inside.startswith("..") or inside == "." else inside  # noqa: PTH119

    def _landed(self, landed: Landed) -> None:
        """In a thread that nobody breaks off: what came to lie under running services is told the supervisor."""
        from devctl.git.pull.policy import git_in
        from devctl.git.pull.touch import touched
        from devctl.runtimes.compose_config import binds_of

        self._tell(
            Told(self._name(landed.path), f"{count(landed.number, 'commit')} pulled from {landed.ref}", good=True)
        )
        if landed.submodules:
            update = f"{git_in(os.path.relpath(landed.path))} submodule update"
            told = f"{listing(landed.submodules, 3)} must be checked out anew"
            self._tell(Told(self._name(landed.path), told, update))
        request = self._renewed(landed)
        found = touched(request.manifest.services, landed, binds_of(self._place.workspace.folder))
        commits = {**self.sight.commits}
        for service, number in found.commits.items():
            commits[service] = commits.get(service, 0) + number
        try:
            answer = self._place.client.ask(Renew(up=request, changed=found.outdated))
        except DevctlError as error:
            self._tell(Told("git", f"services were not told: {error}", "devctl up"))
            return
        self._see(commits=commits, renewals=answer.renewals, manifest=request.manifest, names=request.names)

    def _renewed(self, landed: Landed) -> Up:
        """The request; from the manifest as it is now where that came with the pull."""
        file = os.path.relpath(os.path.realpath(self._place.file), os.path.realpath(landed.path))
        if file not in landed.files:
            return self._request
        try:
            self._request = self._remake()
        except DevctlError as error:
            where = f"{error.where}: " if error.where else ""
            self._tell(Told("services.yaml", f"as pulled it is wrong: {where}{error.what}", "devctl check"))
        return self._request

    def _tell(self, told: Told) -> None:
        with self._changing:
            self.sight = replace(self.sight, told=(*self.sight.told, told))
        self._wake()

    def _see(self, **changes: object) -> None:
        with self._changing:
            self.sight = replace(self.sight, **changes)
        self._wake()


def _step_back() -> None:
    """What starts goes first: this thread, and the git commands it starts, take what is left of the processor. Only
    Linux knows priorities of threads."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def waits(place: Place) -> bool:
    """Whether something may wait to be pushed."""
    return (place.workspace.folder / "git-pending.json").exists()


def again(name: str, synced: Synced) -> list[Told]:
    """What became of what had waited to be pushed, a sentence for each remote and outcome."""
    if synced.decision != "sync":
        return [Told(name, f"not pushed: {synced.reason}", synced.hint)] if synced.reason else []
    told: dict[Told, None] = {}
    for each in synced.pushes:
        branches = listing(
            [one.branch for one in synced.pushes if (one.remote, one.result) == (each.remote, each.result)]
        )
        match each.result:
            case "pushed":
                told[Told(name, f"{branches} pushed to {each.remote}, which had waited", good=True)] = None
            case "rescued":
                told[Told(name, f"{branches} put in safety on {each.remote}: {each.detail}", each.hint)] = None
            case "rejected" | "unreachable":
                told[Told(name, f"{branches} still not on {each.remote}: {each.detail}", each.hint)] = None
    return list(told)


def pull_beside(place: Place, request: Up, remake: Remake) -> Pull | None:
    """None where there is nothing to pull."""
    return Pull(place, request, remake) if request.manifest.git else None
