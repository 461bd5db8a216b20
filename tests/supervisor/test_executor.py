"""Every action ends in an event: in order for one service, at once for different ones, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from devctl.api.protocol import Up
from devctl.core.model import Manifest, ProcessSpec, Runtime, Service, SetupStep
from devctl.core.state import (
    AnyEvent,
    ContainerIdentity,
    Exited,
    Identity,
    ProcessIdentity,
    ServiceState,
    SetupDone,
    SetupFailed,
    Started,
    StartFailed,
    State,
    StopFailed,
    Stopped,
)
from devctl.errors import DevctlError
from devctl.supervisor.executor import Executor

Poll = Callable[..., Awaitable[Any]]
STEP = SetupStep(command="make", path="/")


def process(name: str, *setup: SetupStep) -> Service:
    return Service(name=name, runtime=Runtime.PROCESS, process=ProcessSpec(command="run", path="/", setup=setup))


def container(name: str) -> Service:
    return Service(name=name, runtime=Runtime.CONTAINER, compose=name)


class Adapter:
    """A runtime that does each thing when its gate is opened. ``breaks``: with this error."""

    def __init__(self, did: list[str], label: str) -> None:
        self.did, self.label = did, label
        self.breaks: Exception | None = None
        self.gates: dict[str, asyncio.Event] = {}
        self.environment: Mapping[str, str] = {}

    async def _do(self, what: str, service: Service, run: int) -> None:
        self.did.append(f"{self.label} {what} {service.name} {run}")
        if gate := self.gates.get(service.name):
            await gate.wait()
        if self.breaks:
            raise self.breaks

    async def start(self, service: Service, run: int, environment: Mapping[str, str], emit: Any) -> None:
        self.environment = environment
        await self._do("start", service, run)
        emit(Started(service=service.name, run=run))

    async def stop(self, service: Service, run: int, identity: Identity | None, emit: Any) -> None:
        await self._do("stop", service, run)
        emit(Stopped(service=service.name, run=run))

    async def adopt(self, service: Service, run: int, identity: Identity | None, emit: Any) -> None:
        await self._do("adopt", service, run)

    def usage(self, identities: Mapping[str, Identity]) -> dict[str, tuple[float, int]]:
        return {}


class Desk:
    """An executor whose runtimes, setups and stack are scripted."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.told: list[AnyEvent] = []
        self.states: dict[str, ServiceState] = {}
        self.processes, self.containers = Adapter(self.did, "process"), Adapter(self.did, "container")
        self.setup: Callable[[Service], Awaitable[str]] = self.nothing
        self.stack: Callable[[list[Service]], Awaitable[None]] = self.all_current
        self.held: StartFailed | None = None
        self.executor = Executor(
            {Runtime.PROCESS: self.processes, Runtime.CONTAINER: self.containers, Runtime.EXTERNAL: self.processes},
            lambda name: self.states.get(name) or ServiceState(name=name),
            self.told.append,
            run_setup=lambda service, environment: self.setup(service),
            prepare_stack=lambda services, environment, running, emit: self._stack(services, running),
            held_port=self._held,
            environment={"WHO": "first"},
        )

    async def nothing(self, service: Service) -> str:
        return ""

    async def all_current(self, services: list[Service]) -> None:
        for each in services:
            self.told.append(SetupDone(service=each.name))

    async def _stack(self, services: list[Service], running: Mapping[str, object]) -> None:
        self.did.append(f"prepare {' '.join(each.name for each in services)} running {' '.join(running)}".rstrip())
        await self.stack(services)

    async def _held(self, service: Service) -> StartFailed | None:
        return self.held

    def runs(self, name: str, identity: Identity, state: State = State.RUNNING) -> ServiceState:
        self.states[name] = ServiceState(name=name, state=state, run=1, identity=identity)
        return self.states[name]


def life(test: Callable[[Desk], Awaitable[None]]) -> None:
    async def whole() -> None:
        desk = Desk()
        await test(desk)
        await desk.executor.close()

    asyncio.run(whole())


def test_what_concerns_one_service_is_done_in_order_and_the_others_do_not_wait(apoll: Poll) -> None:
    async def test(desk: Desk) -> None:
        a, b = process("a"), process("b")
        desk.processes.gates["a"] = asyncio.Event()
        desk.executor.start(a, 1)
        desk.executor.stop(a, 1)
        desk.executor.start(b, 1)
        await apoll(lambda: Started(service="b", run=1) in desk.told)
        assert desk.did == ["process start a 1", "process start b 1"]
        desk.processes.gates["a"].set()
        await apoll(lambda: len(desk.told) == 3)
        assert desk.told[1:] == [Started(service="a", run=1), Stopped(service="a", run=1)]

    life(test)


def test_what_breaks_ends_in_an_event_and_the_next_is_done_all_the_same(
    apoll: Poll, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(desk: Desk) -> None:
        a = process("a")
        desk.processes.breaks = KeyError("x")
        desk.executor.start(a, 1)
        desk.executor.stop(a, 1)
        desk.executor.adopt(a, ServiceState(name="a", state=State.RUNNING, run=1))
        await apoll(lambda: len(desk.told) == 3)
        why = "devctl itself failed: KeyError: 'x'"
        assert desk.told == [
            StartFailed(service="a", run=1, reason=why),
            StopFailed(service="a", run=1, reason=why),
            Exited(service="a", run=1, code=None, note=why),
        ]

    life(test)


def test_a_held_port_is_looked_for_right_before_the_start_of_a_process_alone(apoll: Poll) -> None:
    async def test(desk: Desk) -> None:
        desk.held = StartFailed(service="a", reason="port 80 is held", final=True)
        desk.executor.start(process("a"), 7)
        desk.executor.start(container("c"), 1)
        await apoll(lambda: len(desk.told) == 2)
        assert StartFailed(service="a", run=7, reason="port 80 is held", final=True) in desk.told
        assert desk.did == ["container start c 1"]

    life(test)


def test_whoever_asked_last_gives_the_environment(apoll: Poll) -> None:
    manifest = Manifest(name="m", file="/f", root="/", services={})

    async def test(desk: Desk) -> None:
        desk.executor.asked(Up(manifest=manifest, names=(), environment={"WHO": "second"}))
        desk.executor.asked(Up(manifest=manifest, names=()))
        desk.executor.start(process("a"), 1)
        await apoll(lambda: desk.told)
        assert desk.processes.environment == {"WHO": "second"}

    life(test)


@pytest.mark.parametrize(
    ("identity", "by"),
    [
        (ProcessIdentity(pid=7, start=1), "process"),
        (ContainerIdentity(id="c", started="1"), "container"),
        (None, "container"),
    ],
)
def test_what_runs_is_stopped_by_what_runs_it(apoll: Poll, identity: Identity | None, by: str) -> None:
    """Also when the manifest has made it a container meanwhile."""

    async def test(desk: Desk) -> None:
        if identity is not None:
            desk.runs("a", identity)
        desk.executor.stop(container("a"), 1)
        await apoll(lambda: desk.told)
        assert desk.did == [f"{by} stop a 1"]

    life(test)


def test_what_an_earlier_supervisor_was_stopping_is_stopped(apoll: Poll) -> None:
    async def test(desk: Desk) -> None:
        state = desk.runs("a", ProcessIdentity(pid=7, start=1), State.STOPPING)
        desk.executor.adopt(process("a"), state)
        await apoll(lambda: desk.told)
        assert desk.did == ["process stop a 1"]

    life(test)


# -- setups


def test_what_has_no_setup_is_current_at_once() -> None:
    async def test(desk: Desk) -> None:
        desk.executor.prepare([process("a")])
        assert desk.told == [SetupDone(service="a")]

    life(test)


def test_how_a_setup_ended(apoll: Poll, caplog: pytest.LogCaptureFixture) -> None:
    outcomes: dict[str, str | Exception] = {
        "done": "npm ci: package.json changed",
        "failed": DevctlError("npm ci failed: exit code 1", hint="cd web && npm ci", details=("no such package",)),
        "broken": ZeroDivisionError("oh"),
    }

    async def setup(service: Service) -> str:
        outcome = outcomes[service.name]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def test(desk: Desk) -> None:
        desk.setup = setup
        desk.executor.prepare([process(name, STEP) for name in outcomes])
        await apoll(lambda: len(desk.told) == 3)
        assert desk.told == [
            SetupDone(service="done", changed="npm ci: package.json changed"),
            SetupFailed(
                service="failed",
                reason="npm ci failed: exit code 1",
                words=("no such package",),
                hint="cd web && npm ci",
            ),
            SetupFailed(service="broken", reason="devctl itself failed: ZeroDivisionError: oh"),
        ]

    life(test)


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_a_setup_that_is_no_longer_wanted_says_so_whenever_it_is_called_off(apoll: Poll, turns: int) -> None:
    async def forever(service: Service) -> str:
        await asyncio.sleep(600)
        return ""

    async def test(desk: Desk) -> None:
        desk.setup = forever
        desk.executor.prepare([process("a", STEP)])
        for _ in range(turns):
            await asyncio.sleep(0)
        desk.executor.interrupt_setup("a")
        desk.executor.interrupt_setup("a")
        await apoll(lambda: desk.told)
        assert desk.told == [SetupFailed(service="a")]

    life(test)


def test_a_stack_is_prepared_once_at_a_time_and_is_told_what_runs(apoll: Poll) -> None:
    gate = asyncio.Event()

    async def slow(services: list[Service]) -> None:
        await gate.wait()

    async def test(desk: Desk) -> None:
        desk.stack = slow
        desk.runs("b", ContainerIdentity(id="c", started="1"))
        desk.executor.prepare([container("a"), process("p")])
        desk.executor.prepare([container("b")])
        await apoll(lambda: desk.did)
        for _ in range(20):
            await asyncio.sleep(0)
        assert desk.did == ["prepare a running"]
        gate.set()
        await apoll(lambda: len(desk.did) == 2)
        assert desk.did[1] == "prepare b running b"

    life(test)


@pytest.mark.parametrize(
    ("error", "reason", "hint"),
    [
        (DevctlError("the build failed", hint="look"), "the build failed", "look"),
        (OSError(5, "oh"), "devctl itself failed: OSError: [Errno 5] oh", ""),
    ],
)
def test_a_stack_that_cannot_be_prepared_fails_each_of_its_services(
    apoll: Poll, caplog: pytest.LogCaptureFixture, error: Exception, reason: str, hint: str
) -> None:
    async def broken(services: list[Service]) -> None:
        raise error

    async def test(desk: Desk) -> None:
        desk.stack = broken
        desk.executor.prepare([container("a"), container("b")])
        await apoll(lambda: len(desk.told) == 2)
        assert desk.told == [SetupFailed(service=name, reason=reason, hint=hint) for name in ("a", "b")]

    life(test)


def test_closing_lets_a_stop_end_and_breaks_off_setups_and_stack(apoll: Poll) -> None:
    async def forever(what: object) -> Any:
        await asyncio.sleep(600)

    async def test(desk: Desk) -> None:
        desk.setup, desk.stack = forever, forever
        desk.processes.gates["a"] = asyncio.Event()
        desk.executor.prepare([process("s", STEP), container("c")])
        desk.executor.stop(process("a"), 1)
        await apoll(lambda: len(desk.did) == 2)
        asyncio.get_running_loop().call_later(0.01, desk.processes.gates["a"].set)
        await desk.executor.close()
        assert Stopped(service="a", run=1) in desk.told
        assert SetupFailed(service="s") in desk.told
        assert SetupFailed(service="c") in desk.told

    life(test)
