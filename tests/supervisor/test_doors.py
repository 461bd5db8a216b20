"""Waiting for a port by looking at all of them: when it looks, whom it wakes, what it does where it sees nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from devctl.core.model import ExecProbe, HealthCheck, HttpProbe, LogProbe, Probe, Runtime, Service, TcpProbe
from devctl.core.state import AnyEvent, Health, ProbeFailed, ProbePassed, ServiceState, State
from devctl.supervisor import doors, observe
from devctl.supervisor.doors import COST, STALE, TRY, Doors, port_of
from devctl.supervisor.observe import Observer

Poll = Callable[..., Awaitable[object]]
FOREVER = 600.0


class House:
    """Doors whose ports are opened and shut by hand; ``looks`` counts how often somebody looked."""

    def __init__(self) -> None:
        self.open: frozenset[int] | None = frozenset()
        self.looks = 0
        self.doors = Doors(self.look)

    def look(self) -> frozenset[int] | None:
        self.looks += 1
        return self.open

    def waits(self, port: int, limit: float = FOREVER) -> asyncio.Task[None]:
        return asyncio.ensure_future(self.doors.opened(port, time.monotonic(), limit))


def service(probe: Probe, runtime: Runtime = Runtime.PROCESS, start_period: float = FOREVER) -> Service:
    return Service(name="api", runtime=runtime, health=HealthCheck(probe=probe, start_period=start_period))


@pytest.mark.parametrize(
    ("probe", "port"),
    [
        (TcpProbe(host="localhost", port=7), 7),
        (TcpProbe(host="127.0.0.1", port=7), 7),
        (TcpProbe(host="::1", port=7), 7),
        (HttpProbe(url="http://localhost:8000/health"), 8000),
        (HttpProbe(url="http://localhost/"), 80),
        (HttpProbe(url="https://127.0.0.1/"), 443),
        (TcpProbe(host="db.example.com", port=7), None),
        (TcpProbe(host="10.0.0.7", port=7), None),
        (HttpProbe(url="https://example.com/"), None),
        (LogProbe(pattern="ready"), None),
        (ExecProbe(command="true"), None),
    ],
)
def test_which_checks_need_a_port_of_this_machine(probe: Probe, port: int | None) -> None:
    wanted = service(probe)
    assert wanted.health
    assert port_of(wanted, wanted.health) == port


@pytest.mark.parametrize("runtime", [Runtime.CONTAINER, Runtime.EXTERNAL])
def test_what_does_not_run_here_may_be_reached_without_a_listener(runtime: Runtime) -> None:
    wanted = service(TcpProbe(host="localhost", port=7), runtime)
    assert wanted.health
    assert port_of(wanted, wanted.health) is None


def test_who_waits_is_woken_when_the_port_opens_and_nobody_else(apoll: Poll) -> None:
    async def life() -> None:
        house = House()
        one, other = house.waits(1), house.waits(2)
        await apoll(lambda: house.looks >= 2)
        assert house.doors.shut(1, 1)
        house.open = frozenset({1})
        await apoll(one.done)
        assert not other.done()
        assert not house.doors.shut(1, 1)
        assert house.doors.shut(2, 1)
        other.cancel()

    asyncio.run(life())


def test_nobody_looks_once_nobody_waits(apoll: Poll) -> None:
    async def life() -> None:
        house = House()
        house.open = frozenset({1})
        await house.waits(1)
        looks = house.looks
        gone = house.waits(2)
        await asyncio.sleep(0)
        gone.cancel()
        await apoll(lambda: house.doors._timer is None)
        assert house.looks == looks

    asyncio.run(life())


def test_a_wait_has_an_end(apoll: Poll) -> None:
    async def life() -> None:
        house = House()
        await asyncio.wait_for(house.waits(1, 0.02), 60)
        assert house.doors._waiting == {}

    asyncio.run(life())


def test_where_no_look_shows_anything_nobody_waits_for_one() -> None:
    async def life() -> None:
        house = House()
        house.open = None
        await asyncio.wait_for(house.waits(1), 60)
        assert not house.doors.shut(1, 1)

    asyncio.run(life())


def test_who_comes_after_long_waiters_is_looked_for_soon(apoll: Poll) -> None:
    async def life() -> None:
        house = House()
        old = asyncio.ensure_future(house.doors.opened(1, time.monotonic() - 1000, FOREVER))
        await asyncio.sleep(0)
        late = house.doors._timer
        assert late
        new = house.waits(2)
        await asyncio.sleep(0)
        soon = house.doors._timer
        assert soon
        assert soon.when() < late.when()
        assert late.cancelled()
        old.cancel()
        new.cancel()

    asyncio.run(life())


@pytest.mark.parametrize(("took", "times"), [(3.0, 2 * COST), (1.0, 2 * COST), (0.9, COST)])
def test_a_dear_look_is_taken_less_often(took: float, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "DEAR", 1.0)

    async def life() -> None:
        house = House()
        house.doors._cost = took
        begun = asyncio.get_running_loop().time()
        waits = house.waits(1)
        await asyncio.sleep(0)
        assert house.doors._timer
        assert house.doors._timer.when() - begun >= took * times
        assert house.doors._timer.when() - asyncio.get_running_loop().time() <= took * times
        waits.cancel()

    asyncio.run(life())


def test_a_look_is_dear_or_cheap_by_how_many_wait_for_it() -> None:
    """One service that waits among a thousand listeners is tried itself."""
    doors = House().doors
    doors._cost = 10 * TRY
    assert not doors.shut(1, 9)
    assert doors.shut(1, 11)


def test_an_old_look_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def life() -> None:
        house = House()
        house.open = frozenset({1})
        await house.waits(1)
        assert not house.doors.shut(1, 1)
        house.doors._looked -= STALE
        assert house.doors.shut(1, 1)

    asyncio.run(life())


# -- with the observer


class Watch:
    """An observer of one service that answers as told."""

    def __init__(self, house: House, start_period: float = FOREVER) -> None:
        self.asked, self.answer = 0, "connection refused"
        self.told: list[AnyEvent] = []
        self.observer = Observer(self.check, self.told.append, house.doors)
        self.service = service(TcpProbe(host="localhost", port=7), start_period=start_period)

    async def check(self, service: Service, state: ServiceState) -> str:
        self.asked += 1
        return self.answer

    def begin(self) -> None:
        now = time.monotonic()
        state = ServiceState(name="api", state=State.RUNNING, health=Health.STARTING, run=1, started_at=now)
        self.observer.changed(self.service, state)


def test_a_service_is_asked_once_its_port_is_open(apoll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "SURE", FOREVER)

    async def life() -> None:
        house = House()
        watch = Watch(house)
        watch.begin()
        await apoll(lambda: house.looks >= 3)
        assert watch.asked == 0
        watch.answer, house.open = "", frozenset({7})
        await apoll(lambda: watch.told)
        assert isinstance(watch.told[0], ProbePassed)
        assert watch.asked == 1
        await watch.observer.close()

    asyncio.run(life())


def test_what_answers_badly_is_asked_on_and_on(apoll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "SURE", FOREVER)

    async def life() -> None:
        house = House()
        house.open = frozenset({7})
        watch = Watch(house)
        watch.answer = "HTTP 503"
        watch.begin()
        await apoll(lambda: watch.asked >= 5)
        assert len(watch.told) == 1
        await watch.observer.close()

    asyncio.run(life())


def test_a_port_no_look_shows_is_tried_all_the_same(apoll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "SURE", 0.02)

    async def life() -> None:
        watch = Watch(House())
        watch.answer = ""
        watch.begin()
        await apoll(lambda: watch.told)
        assert isinstance(watch.told[0], ProbePassed)
        await watch.observer.close()

    asyncio.run(life())


def test_the_end_of_the_start_period_is_not_slept_through(apoll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "SURE", FOREVER)

    async def life() -> None:
        watch = Watch(House(), start_period=0.05)
        watch.begin()
        await apoll(lambda: watch.told)
        assert isinstance(watch.told[0], ProbeFailed)
        assert watch.told[0].reason == "connection refused"
        await watch.observer.close()

    asyncio.run(life())


def test_the_observer_takes_its_doors_with_it() -> None:
    async def life() -> None:
        house = House()
        watch = Watch(house)
        watch.begin()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await watch.observer.close()
        assert house.doors._timer is None or house.doors._timer.cancelled()
        assert house.looks == 0

    asyncio.run(life())
