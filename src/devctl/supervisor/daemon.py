"""The composition root: one supervisor for one workspace. Run as ``python -m devctl.supervisor.daemon ROOT NAME``."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from devctl import __version__
from devctl.api.protocol import Down, Handover, Snapshot, Usage
from devctl.core.model import LogProbe, Runtime, Service
from devctl.core.state import ProcessIdentity, Schema, ServiceState, StartFailed
from devctl.logs import Logs, setup_log
from devctl.runtimes import host
from devctl.runtimes.base import RuntimeAdapter
from devctl.runtimes.process import ProcessRuntime
from devctl.supervisor.effects import Effects
from devctl.supervisor.executor import Executor, External
from devctl.supervisor.housekeeping import keep_logs
from devctl.supervisor.journal import Began, Journal, Past, recover
from devctl.supervisor.loop import Loop
from devctl.supervisor.observe import Observer
from devctl.supervisor.schema_watch import SchemaWatch
from devctl.supervisor.server import Server
from devctl.supervisor.stack import Stack
from devctl.workspace import Workspace

if TYPE_CHECKING:
    from devctl.probes import Prober

log = logging.getLogger(__name__)

UNASKED = 10.0
"""Seconds after which a supervisor that nobody has asked for anything goes: it came too late, or for nothing."""
ASKED = 0.05
"""Seconds after which whoever started a supervisor has asked: what nobody waits for is done then."""


class Supervisor:
    """All the parts, for one workspace."""

    def __init__(self, workspace: Workspace, past: Past) -> None:
        self.workspace = workspace
        self.journal = Journal(workspace.journal)
        self.loop = Loop(self.journal, past)
        self.logs = Logs(workspace.root)
        self.processes = ProcessRuntime(workspace.root, workspace.id, self.logs)
        self.stack = Stack(workspace)
        self.runtimes: Mapping[Runtime, RuntimeAdapter] = {
            Runtime.PROCESS: self.processes,
            Runtime.CONTAINER: self.stack,
            Runtime.EXTERNAL: External(),
            Runtime.LIBRARY: External(),
        }
        executor = Executor(
            self.runtimes,
            lambda name: self.loop.states.get(name) or ServiceState(name=name),
            self.loop.post,
            run_setup=self._run_setup,
            prepare_stack=self.stack.prepare,
            held_port=self._held_port,
            environment=dict(os.environ),
        )
        self._executor = executor
        schemas = SchemaWatch(self._check_schema, self.loop.post)
        self.effects = Effects(executor, Observer(self._check, self.loop.post), schemas, self.stack)
        self.loop.effects = self.effects
        self.server = Server(self.loop.submit, self.loop.snapshot, self._with_usage)
        self.loop.publish = self.server.publish

    async def serve(self, leash: int | None = None) -> None:
        """Adopt what runs, then work until asked to go. Who started us holds the other end of ``leash``."""
        self._begin()
        self.effects.adopt(self.loop.services, self.loop.states, self.loop.manifest)
        housekeeping = asyncio.create_task(keep_logs(self.logs))
        await self.server.open(self.workspace.socket)
        self.workspace.alive_mark.touch()
        afterwards = asyncio.create_task(self._afterwards())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.loop.post, Handover())
        asyncio.get_running_loop().call_later(UNASKED, self._go_unless_asked)
        if leash is not None:
            asyncio.get_running_loop().add_reader(leash, self._let_go, leash)
        gc.freeze()
        gc.enable()
        handover = await self.loop.run()
        afterwards.cancel()
        await self.effects.close()
        self.loop.settle()
        housekeeping.cancel()
        if not handover:
            await self.processes.sweep()
            self.workspace.alive_mark.unlink(missing_ok=True)
        await self.server.close(self.workspace.socket)
        await self.prober.close()
        await self.stack.close()
        await self.processes.close()
        self.journal.close()

    def _let_go(self, leash: int) -> None:
        asyncio.get_running_loop().remove_reader(leash)
        os.close(leash)
        self._go_unless_asked()

    def _go_unless_asked(self) -> None:
        if not self.loop.wanted and not any(state.active for state in self.loop.states.values()):
            self.loop.post(Down(exit=True))

    @functools.cached_property
    def prober(self) -> Prober:
        """Loaded once the first services are on their way: none of them is healthy at once."""
        from devctl.probes import Prober

        return Prober(self.logs, self.processes.execute, self.stack.execute)

    async def _afterwards(self) -> None:
        await asyncio.sleep(ASKED)
        import_module("devctl.probes")
        from devctl.registry import register

        try:
            await asyncio.to_thread(register, self.workspace)
        except Exception:  # nobody waits for it: told now, or never
            log.exception("other workspaces do not learn of this one")

    def _begin(self) -> None:
        self.journal.set_aside()
        began = Began(version=__version__, pid=os.getpid(), boot=host.boot_id(), wall=time.time(), now=time.monotonic())
        self.journal.write([began, *self.loop.standing()])

    async def _run_setup(self, service: Service, environment: Mapping[str, str]) -> str:
        from devctl.setup.run import run

        self.logs.track(setup_log(service.name))
        return await run(service, self.workspace, environment)

    async def _held_port(self, service: Service) -> StartFailed | None:
        if not service.ports:
            return None
        from devctl.ports.free import is_free

        held = [port.number for port in service.ports if not is_free(port.number)]
        if not held:
            return None
        from devctl.ports.holders import holders
        from devctl.ports.policy import describe

        found = await asyncio.to_thread(functools.partial(holders, held, engine_lookup=self.stack.holder_of_port))
        told = "; ".join(f"port {port} is held by {describe(found.get(port))}" for port in held)
        hint = f"devctl ports --free {held[0]}"
        return StartFailed(service=service.name, reason=told, hint=hint, final=True)

    async def _check(self, service: Service, state: ServiceState) -> str:
        pid = state.identity.pid if isinstance(state.identity, ProcessIdentity) else state.run
        logged = service.health is not None and isinstance(service.health.probe, LogProbe)
        offset = self.logs.run_offset(service.name) if logged else 0
        return await self.prober.check(service, pid=pid, log_offset=offset)

    async def _check_schema(self, service: Service, state: ServiceState) -> Schema:
        from devctl.supervisor.schema_look import look

        if self.loop.manifest is None:
            return Schema()
        engine = self.stack.endpoint().environment() if service.runtime is Runtime.CONTAINER else {}
        return await look(self.loop.manifest, service, state, self._executor.environment, engine)

    def _with_usage(self, snapshot: Snapshot) -> Snapshot:
        identities = {name: state.identity for name, state in snapshot.states.items() if state.identity}
        found: dict[str, Usage] = {}
        for runtime in self.runtimes.values():
            for name, (cpu, memory) in runtime.usage(identities).items():
                found[name] = Usage(cpu_percent=cpu, memory_bytes=memory)
        return msgspec.structs.replace(snapshot, usage=found)


def main(root: str, name: str, leash: str = "") -> int:
    """Serve until asked to go; 0 also when another supervisor is there already. ``leash``: a descriptor, see serve."""
    os.chdir(root)
    workspace = Workspace(Path(root), name)
    workspace.prepare()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    lock = workspace.acquire()
    if lock is None:
        return 0
    try:
        supervisor = Supervisor(workspace, recover(workspace.journal, host.boot_id()))
        asyncio.run(supervisor.serve(int(leash) if leash else None))
    finally:
        lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
