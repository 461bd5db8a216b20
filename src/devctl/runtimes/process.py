"""Native processes: each leads a session of its own, writes straight to its log file and outlives the supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

from devctl.core.model import Service
from devctl.core.state import Adopted, ContainerIdentity, Exited, Identity, ProcessIdentity, Started
from devctl.errors import DevctlError
from devctl.logs import Logs
from devctl.runtimes import host, signals
from devctl.runtimes.base import Emit
from devctl.runtimes.checks import Checks
from devctl.runtimes.environment import arguments_of, check, environment_of
from devctl.runtimes.exits import Exits
from devctl.runtimes.orphans import Orphans
from devctl.runtimes.run import Run, Swept
from devctl.runtimes.tree import Ended, Scanner, Tree, Undertaker, owner_of
from devctl.runtimes.usage import Usage
from devctl.runtimes.words import exit_note, start_failure, stop_blind, stop_outcome

LEFTOVER_GRACE = 3.0
"""Seconds what a service leaves behind when it ends by itself has to end on SIGTERM."""

UNWATCHED = "ended while no supervisor was watching"
_WORDS = 10


class ProcessRuntime:
    """Starts, stops, adopts and watches native processes. One for each event loop.

    ``root`` is the workspace's folder, ``workspace`` its id (no "/").
    """

    def __init__(self, root: Path, workspace: str, logs: Logs) -> None:
        self._root, self._workspace, self._logs = root, workspace, logs
        self._runs: dict[str, Run] = {}
        self._starting: dict[str, asyncio.Future[None]] = {}
        self._called_off: set[str] = set()
        self._orphans = Orphans(self._wanted)
        self._exits, self._scanner, self._usage = Exits(), Scanner(self._orphans.reap), Usage()
        self._checks = Checks(spawn, self._exits)
        self._undertaker = Undertaker(self._scanner, self._exits)
        self._gate = asyncio.Lock()
        self._prepared = False

    async def start(self, service: Service, run: int, environment: Mapping[str, str], emit: Emit) -> None:
        """Start it: ends in Started or StartFailed, and later, once, in Exited."""
        self._prepare()
        self._starting[service.name] = asyncio.get_running_loop().create_future()
        try:
            async with self._gate:  # one start each turn of the loop: a thousand of them do not hold up the rest
                await asyncio.sleep(0)
                self._start(service, run, environment, emit)
        except (DevctlError, OSError) as error:
            emit(start_failure(service, run, error))
        finally:
            self._called_off.discard(service.name)
            self._starting.pop(service.name).set_result(None)

    def _prepare(self) -> None:
        if not self._prepared:
            self._prepared = True
            host.become_subreaper()
            host.raise_open_files()
            signals.heed_what_was_ignored()
            os.environ.pop(host.MARK, None)  # or what we run for ourselves would count as that service's
            self._orphans.watch(self._scanner.scan)

    def _start(self, service: Service, run: int, given: Mapping[str, str], emit: Emit) -> None:
        spec = service.process
        if spec is None or service.name in self._called_off:
            raise DevctlError("it was stopped before it began" if spec else "it is no native process")
        mark = f"{self._workspace}/{service.name}/{run}"
        environment = environment_of(spec, given, mark)
        file = check(spec, environment)
        self._logs.mark_run(service.name)
        output = self._logs.open(service.name)
        try:
            pid = spawn(arguments_of(spec.command), spec.path, environment, output, file)
        finally:
            os.close(output)
        try:
            who = host.identity(pid)
            self._watch(Run(service, run, who, self._tree(service.name, who), emit, environment), mark, child=True)
        except OSError:
            os.killpg(pid, signal.SIGKILL)  # nobody would know of it
            os.waitpid(pid, 0)
            raise
        emit(Started(service=service.name, run=run, identity=who))

    def _tree(self, name: str, who: ProcessIdentity | None, watched: bool = True) -> Tree:
        leader = (who.pid, who.start) if who else None
        return Tree(f"{self._workspace}/{name}/", leader, watched and who is not None)

    def _watch(self, run: Run, mark: str, child: bool = False) -> None:
        key = (run.who.pid, run.who.start)
        self._scanner.remember(key, mark)
        self._runs[run.service.name] = run
        run.cancel = self._exits.watch(key, lambda: self._leader_ended(run), child=child)

    def _leader_ended(self, run: Run) -> None:
        run.code = signals.peek(run.who.pid)
        if run.stopping is None:
            run.after_exit = asyncio.get_running_loop().create_task(self._bury(run))

    async def _bury(self, run: Run) -> None:
        """After the end of the leader: end what it left, take its zombie away, tell."""
        grace = min(_grace(run.service), LEFTOVER_GRACE)
        try:
            note = exit_note(run.code, await self._undertaker.end(run.tree, signal.SIGTERM, grace))
        except OSError as error:
            note = f"what it left could not be looked for: {error}"
        self._close(run)
        words = await self._words(run.service)
        run.emit(Exited(service=run.service.name, run=run.number, code=run.code, words=words, note=note))

    async def _words(self, service: Service) -> tuple[str, ...]:
        offset = self._logs.run_offset(service.name)
        return await asyncio.to_thread(self._logs.words, service.name, offset, _WORDS)

    def _close(self, run: Run) -> None:
        run.cancel()
        code = signals.reap(run.who.pid)
        run.code = code if run.code is None else run.code
        if self._runs.get(run.service.name) is run:
            del self._runs[run.service.name]

    async def stop(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        """Stop it and everything it left: ends in Stopped or StopFailed. A second call waits for the first one."""
        self._prepare()
        if starting := self._starting.get(service.name):
            self._called_off.add(service.name)
            await starting
        known = self._runs.get(service.name)
        if known is not None and known.after_exit is not None:
            await asyncio.shield(known.after_exit)
            known = None
        if known is None:
            await self._stop_unknown(service, run, identity, emit)
            return
        if known.stopping is None:
            known.stopping = asyncio.get_running_loop().create_task(self._stop(known, service, run, emit))
        await asyncio.shield(known.stopping)

    async def _stop_unknown(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        try:
            tree = self._tree(service.name, _living(identity, self._workspace), watched=False)
            emit(stop_outcome(service, run, await self._end(service, tree), None))
        except OSError as error:
            emit(stop_blind(service, run, error))

    async def _stop(self, known: Run, service: Service, number: int, emit: Emit) -> None:
        try:
            ended = await self._end(service, known.tree)
        except OSError as error:
            known.stopping = None
            emit(stop_blind(service, number, error))
            return
        if ended.survivors:
            known.stopping = None
        else:
            self._close(known)
        emit(stop_outcome(service, number, ended, known.code))

    async def _end(self, service: Service, tree: Tree) -> Ended:
        spec = service.process or service.native
        number = signals.number(spec.stop_signal) if spec else signal.SIGTERM
        return await self._undertaker.end(tree, number, _grace(service))

    async def adopt(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        """Look whether that very run still lives: ends in Adopted (and later in Exited) or Exited."""
        self._prepare()
        try:
            note = "" if await self._adopt(service, run, identity, emit) else UNWATCHED
        except OSError as error:
            note = f"could not be looked for: {error}"
        if note:
            emit(Exited(service=service.name, run=run, code=None, words=await self._words(service), note=note))

    async def _adopt(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> bool:
        mark = f"{self._workspace}/{service.name}/{run}"
        who = _living(identity, self._workspace) if identity is not None else await self._find_leader(mark)
        if who is not None:
            if service.name not in self._runs:
                self._logs.track(service.name)
                environment = host.here().environment(who.pid)
                self._watch(Run(service, run, who, self._tree(service.name, who), emit, environment), mark)
            emit(Adopted(service=service.name, run=run, identity=who))
            return True
        await self._end(service, self._tree(service.name, None))
        return False

    async def _find_leader(self, mark: str) -> ProcessIdentity | None:
        scan = await self._scanner.fresh()
        for entry in scan.find("owner", owner_of(mark)):
            if scan.marks[entry.pid] == mark and entry.pid == entry.session:
                return ProcessIdentity(pid=entry.pid, start=entry.start, boot=host.boot_id())
        return None

    async def sweep(self, keep: Collection[Identity] = ()) -> tuple[Swept, ...]:
        """End whatever still carries this workspace's mark, except the trees of ``keep``; returns what there was."""
        scan = await self._scanner.fresh()
        kept = {scan.marks.get(who.pid, "").rpartition("/")[0] for who in keep if isinstance(who, ProcessIdentity)}
        owners = {owner_of(mark) for mark in scan.marks.values() if mark.startswith(f"{self._workspace}/")}
        wanted = [owner for owner in owners if owner.rstrip("/") not in kept]
        found = [
            Swept(entry.pid, owner.split("/")[1], host.here().command(entry.pid))
            for owner in wanted
            for entry in scan.find("owner", owner)
        ]
        await asyncio.gather(*(self._undertaker.end(Tree(o), signal.SIGTERM, LEFTOVER_GRACE) for o in wanted))
        return tuple(found)

    def usage(self, identities: Mapping[str, Identity]) -> dict[str, tuple[float, int]]:
        """CPU percent (of one core, since the last call) and memory in bytes by service name, whole trees counted."""
        who = {name: it for name, it in identities.items() if isinstance(it, ProcessIdentity)}
        trees = {name: self._tree(name, it) for name, it in who.items()}
        scan = self._scanner.scan()
        return self._usage.of({name: tree.members(scan) for name, tree in trees.items()})

    async def execute(self, service: Service, command: str | tuple[str, ...], timeout: float) -> tuple[int, str]:
        """Run a health check's command as the service would, in its folder and environment: see Checks.run."""
        spec, known = service.process or service.native, self._runs.get(service.name)
        environment = known.environment if known else dict(os.environ)
        return await self._checks.run(command, spec.path if spec else str(self._root), environment, timeout)

    def _wanted(self) -> set[int]:
        return self._checks.pids | {run.who.pid for run in self._runs.values()}

    async def close(self) -> None:
        """Watch no more; what runs, runs on."""
        for run in self._runs.values():
            run.cancel()
        self._orphans.close()
        self._exits.close()


def spawn(arguments: list[str], path: str, environment: Mapping[str, str], output: int, file: str | None = None) -> int:
    """Start a process as leader of a new session and return its pid; the caller reaps it. Raises OSError.

    ``file``: what is executed, to be looked for when None.
    Its stdin is a pipe that it holds open for writing itself: it never ends and never has anything to read.
    """
    stdin = host.endless()
    try:
        child = subprocess.Popen(
            arguments, executable=file, cwd=path, env=environment, stdin=stdin, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(stdin)
    host.restore_open_files(child.pid)
    child.returncode = 0  # so that subprocess forgets it and leaves its exit code to us
    return child.pid


def _grace(service: Service) -> float:
    spec = service.process or service.native
    return spec.stop_grace_period if spec else 10.0


def _living(identity: Identity | None, workspace: str) -> ProcessIdentity | None:
    if identity is None or isinstance(identity, ContainerIdentity) or not host.alive(identity):
        return None
    return None if _is_of_another_folder(identity.pid, workspace) else identity


def _is_of_another_folder(pid: int, workspace: str) -> bool:
    """A folder that was copied while its services ran knows them by the journal; they remain the first one's."""
    owner = (host.here().mark(pid) or workspace).partition("/")[0]
    return owner.rpartition("-")[2] != workspace.rpartition("-")[2]  # the folder's hash; the name may change
