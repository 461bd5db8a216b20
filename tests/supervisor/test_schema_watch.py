"""When a database is compared with its models, what is told of it, and when the watch ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from devctl.core.lifecycle import step
from devctl.core.model import Database, HealthCheck, Runtime, Service, TcpProbe
from devctl.core.state import (
    AnyEvent,
    Asked,
    Exited,
    ProbePassed,
    Schema,
    SchemaChecked,
    SchemaVerdict,
    ServiceState,
    Started,
    Starting,
)
from devctl.errors import DevctlError
from devctl.safety.schema.check import Unreachable
from devctl.supervisor import schema_watch
from devctl.supervisor.schema_watch import SchemaWatch

Poll = Callable[..., Awaitable[object]]
CHECK = HealthCheck(probe=TcpProbe(host="h", port=1))
HOLD = Database(url="x", models="app:Base", hold="schema")
API = Service(name="api", runtime=Runtime.PROCESS, health=CHECK, database=HOLD)
BEHIND = Schema(SchemaVerdict.BEHIND, "users.key is missing", "devctl db upgrade")
CURRENT = Schema(SchemaVerdict.CURRENT)


class Looks:
    """Answers looks with ``answer``; events go through ``step`` and back to the watch, as in the loop."""

    def __init__(self) -> None:
        self.answer: Schema | Exception = CURRENT
        self.looked = 0
        self.state = ServiceState(name="api")
        self.told: list[Schema] = []
        self.watch = SchemaWatch(self.look, self.tell)

    async def look(self, service: Service, state: ServiceState) -> Schema:
        self.looked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def tell(self, *events: AnyEvent) -> None:
        for event in events:
            self.told += [event.found] if isinstance(event, SchemaChecked) else []
            self.state = step(API, self.state, event, 0.0)
            self.watch.changed(API, self.state)

    def starts(self, run: int = 1) -> None:
        self.tell(Starting(service="api", run=run), Started(service="api", run=run))

    def is_up(self, run: int = 1) -> None:
        self.tell(ProbePassed(service="api", run=run))

    @property
    def verdict(self) -> str:
        return str(self.state.schema.verdict)


def living(test: Callable[[Looks], Awaitable[None]]) -> None:
    async def life() -> None:
        looks = Looks()
        try:
            await test(looks)
        finally:
            await looks.watch.close()

    asyncio.run(life())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_watch, "SHORTEST", 0.01)
    monkeypatch.setattr(schema_watch, "LONGEST", 0.02)


def test_a_current_one_is_told_while_its_service_starts_and_looked_at_once(apoll: Poll) -> None:
    async def test(looks: Looks) -> None:
        looks.starts()
        await apoll(lambda: looks.verdict == "current")
        looks.is_up()
        await asyncio.sleep(0.1)
        assert (looks.looked, looks.told) == (1, [CURRENT])

    living(test)


def test_one_that_is_behind_may_be_brought_forward_by_its_starting_service(apoll: Poll) -> None:
    async def test(looks: Looks) -> None:
        looks.answer = BEHIND
        looks.starts()
        await apoll(lambda: looks.looked)
        looks.answer = CURRENT
        looks.is_up()
        await apoll(lambda: looks.verdict == "current")
        assert looks.told == [CURRENT], "behind was never said"

    living(test)


def test_a_mended_schema_is_noticed_without_anybody_asking(apoll: Poll) -> None:
    async def test(looks: Looks) -> None:
        looks.answer = BEHIND
        looks.starts()
        looks.is_up()
        await apoll(lambda: looks.verdict == "behind")
        looks.answer = CURRENT
        await apoll(lambda: looks.verdict == "current")

    living(test)


def test_whoever_asks_does_not_wait_for_the_next_turn(apoll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_watch, "SHORTEST", 1000.0)
    monkeypatch.setattr(schema_watch, "LONGEST", 1000.0)

    async def test(looks: Looks) -> None:
        looks.answer = BEHIND
        looks.starts()
        looks.is_up()
        await apoll(lambda: looks.verdict == "behind")
        looks.answer = CURRENT
        looks.tell(Asked(service="api"))
        assert looks.verdict == "pending"
        await apoll(lambda: looks.verdict == "current")

    living(test)


@pytest.mark.parametrize("asked_at", range(6))
def test_asked_at_any_moment_it_is_looked_at_again(asked_at: int, apoll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the asking falls between two looks: nobody may wait for ever for PENDING to end."""
    monkeypatch.setattr(schema_watch, "LONGEST", 1000.0)
    monkeypatch.setattr(schema_watch, "SHORTEST", 1000.0)

    async def test(looks: Looks) -> None:
        looks.answer = BEHIND
        looks.starts()
        looks.is_up()
        for _ in range(asked_at):
            await asyncio.sleep(0)
        looks.tell(Asked(service="api"))
        await apoll(lambda: looks.verdict == "behind")

    living(test)


def test_what_was_seen_before_somebody_asked_is_not_told(apoll: Poll) -> None:
    """Asked just after the schema was mended, while a look at the old one is under way."""

    async def test(looks: Looks) -> None:
        looks.answer = BEHIND
        looks.starts()
        looks.is_up()
        await apoll(lambda: looks.verdict == "behind")
        gate = asyncio.Event()

        async def slow(service: Service, state: ServiceState) -> Schema:
            seen = looks.answer
            await gate.wait()
            assert isinstance(seen, Schema)
            return seen

        looks.watch._watches["api"]._check = slow
        looks.tell(Asked(service="api"))
        await asyncio.sleep(0.05)
        looks.tell(SchemaChecked(service="api", run=1, found=BEHIND))  # from elsewhere, so that asking is news again
        looks.told.clear()
        looks.answer = CURRENT
        looks.tell(Asked(service="api"))
        gate.set()
        await apoll(lambda: looks.told)
        assert looks.told == [CURRENT]

    living(test)


def test_a_database_that_does_not_answer_is_tried_again_and_then_said(
    apoll: Poll, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(looks: Looks) -> None:
        looks.answer = Unreachable("the database does not answer", why="Connection refused")
        looks.starts()
        looks.is_up()
        await apoll(lambda: looks.looked > 3)
        assert looks.told == []
        monkeypatch.setattr(schema_watch, "PATIENCE", 0.0)
        await apoll(lambda: looks.verdict == "unchecked")
        assert looks.state.schema.reason == "the database does not answer: Connection refused"
        looks.answer = BEHIND
        await apoll(lambda: looks.verdict == "behind")

    living(test)


@pytest.mark.parametrize("error", [DevctlError("the models of api do not import", why="No module named x"), OSError(5)])
def test_models_that_do_not_import_are_said_at_once_and_hold_nothing_up(error: Any, apoll: Poll) -> None:
    async def test(looks: Looks) -> None:
        looks.answer = error
        looks.starts()
        looks.is_up()
        await apoll(lambda: looks.verdict == "unchecked")
        assert looks.state.schema.reason

    living(test)


def test_a_run_that_ends_ends_its_watch_and_the_next_one_has_its_own(apoll: Poll) -> None:
    async def test(looks: Looks) -> None:
        looks.answer = BEHIND
        looks.starts()
        looks.is_up()
        await apoll(lambda: looks.verdict == "behind")
        looks.tell(Exited(service="api", run=1, code=1))
        await asyncio.sleep(0)
        seen = looks.looked
        await asyncio.sleep(0.1)
        assert looks.looked == seen
        looks.answer = CURRENT
        looks.starts(run=2)
        await apoll(lambda: looks.verdict == "current")

    living(test)


def test_a_service_that_holds_nobody_is_never_looked_at() -> None:
    async def test(looks: Looks) -> None:
        state = step(API, ServiceState(name="api"), Starting(service="api", run=1), 0.0)
        free = Service(name="api", runtime=Runtime.PROCESS, database=Database(url="x", models="app:Base"))
        looks.watch.changed(free, step(API, state, Started(service="api", run=1), 0.0))
        await asyncio.sleep(0.05)
        assert looks.looked == 0

    living(test)
