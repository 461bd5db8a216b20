"""When a running service is probed, what is told of it, and when the watch ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from types import SimpleNamespace

import msgspec
import pytest

from devctl.core.lifecycle import step
from devctl.core.model import HealthCheck, LogProbe, Runtime, Service, TcpProbe
from devctl.core.state import AnyEvent, Health, ProbeFailed, ProbePassed, ServiceState, State
from devctl.supervisor import observe
from devctl.supervisor.beat import BEAT, shared
from devctl.supervisor.observe import CLOSE, FEW, LONGEST, PER_WAITER, SHARE, SHORTEST, Observer, gap, pause, rest

Poll = Callable[..., Awaitable[object]]
CHECK = HealthCheck(probe=TcpProbe(host="h", port=1), period=0.01, start_period=60.0)
API = Service(name="api", runtime=Runtime.PROCESS, health=CHECK)
replace = msgspec.structs.replace


class Probes:
    """Answers checks with ``answer`` ("" is healthy, an exception is raised) and keeps what was asked and told."""

    def __init__(self) -> None:
        self.answer: str | Exception = ""
        self.asked: list[tuple[HealthCheck | None, int]] = []
        self.told: list[AnyEvent] = []
        self.observer = Observer(self.check, self.told.append)

    async def check(self, service: Service, state: ServiceState) -> str:
        self.asked.append((service.health, state.run))
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def runs(self, run: int = 1, service: Service = API, **more: object) -> ServiceState:
        """Tell the observer of a run that runs."""
        now = asyncio.get_running_loop().time()
        state = ServiceState(name="api", state=State.RUNNING, health=Health.STARTING, run=run, started_at=now)
        state = replace(state, **more)
        self.observer.changed(service, state)
        return state

    def reasons(self) -> list[str]:
        return [event.reason for event in self.told if isinstance(event, ProbeFailed)]

    def passes(self) -> list[int]:
        return [event.run for event in self.told if isinstance(event, ProbePassed)]


def living(test: Callable[[Probes], Awaitable[None]]) -> None:
    async def life() -> None:
        probes = Probes()
        try:
            await test(probes)
        finally:
            await probes.observer.close()

    asyncio.run(life())


def test_the_gap_is_a_small_share_of_the_wait_within_bounds() -> None:
    assert gap(0.0, 1) == SHORTEST
    assert gap(1.0, 1) == SHARE
    assert gap(3600.0, 1) == LONGEST
    assert gap(0.0, 1000) == 1000 * PER_WAITER


def test_the_number_of_tries_grows_with_the_logarithm_of_the_wait() -> None:
    def tries(until: float) -> int:
        waited, count = 0.0, 0
        while waited < until:
            waited, count = waited + gap(waited, 1), count + 1
        return count

    assert tries(8.0) - tries(4.0) == pytest.approx(tries(4.0) - tries(2.0), abs=2)


def test_a_service_that_becomes_healthy_is_told_once_and_each_new_reason_before(apoll: Poll) -> None:
    async def test(probes: Probes) -> None:
        probes.answer = "refused"
        probes.runs()
        await apoll(lambda: len(probes.asked) >= 5)
        probes.answer = "HTTP 503"
        await apoll(lambda: len(probes.reasons()) >= 2)
        probes.answer = ""
        await apoll(probes.passes)
        asked = len(probes.asked)
        await apoll(lambda: len(probes.asked) > asked + 3)
        assert probes.reasons() == ["refused", "HTTP 503"]
        assert probes.passes() == [1]

    living(test)


def test_the_end_of_the_start_period_is_told_though_the_reason_is_the_same(apoll: Poll) -> None:
    service = replace(API, health=replace(CHECK, start_period=0.05))

    async def test(probes: Probes) -> None:
        probes.answer = "refused"
        state = probes.runs(service=service)
        await apoll(lambda: len(probes.reasons()) == 2)
        now = asyncio.get_running_loop().time()
        for event in probes.told:
            state = step(service, state, event, now)
        assert state.health is Health.UNHEALTHY
        asked = len(probes.asked)
        await apoll(lambda: len(probes.asked) > asked + 2)
        assert len(probes.reasons()) == 2

    living(test)


def test_misses_of_a_healthy_service_are_each_told_and_the_first_pass_after_them(apoll: Poll) -> None:
    async def test(probes: Probes) -> None:
        probes.runs(health=Health.HEALTHY)
        await apoll(lambda: len(probes.asked) >= 3)
        assert probes.told == []
        probes.answer = "HTTP 503"
        await apoll(lambda: len(probes.reasons()) >= 3)
        probes.answer = ""
        await apoll(probes.passes)
        asked = len(probes.asked)
        await apoll(lambda: len(probes.asked) > asked + 2)
        assert len(probes.passes()) == 1

    living(test)


def test_a_miss_that_an_earlier_supervisor_saw_is_forgotten_by_the_first_pass(apoll: Poll) -> None:
    async def test(probes: Probes) -> None:
        probes.runs(health=Health.HEALTHY, misses=1)
        await apoll(probes.passes)

    living(test)


def test_a_check_that_breaks_counts_as_failed_and_is_made_again(apoll: Poll) -> None:
    async def test(probes: Probes) -> None:
        probes.answer = ValueError("what a port")
        probes.runs()
        await apoll(lambda: len(probes.asked) >= 3)
        assert probes.reasons() == ["devctl could not probe it: ValueError: what a port"]
        probes.answer = ""
        await apoll(probes.passes)
        probes.answer = ValueError("again")
        await apoll(lambda: len(probes.reasons()) >= 2)

    living(test)


def test_the_watch_ends_with_the_run_and_the_next_run_has_its_own(apoll: Poll) -> None:
    async def test(probes: Probes) -> None:
        probes.answer = "refused"
        state = probes.runs(1)
        await apoll(lambda: probes.asked)
        probes.observer.changed(API, replace(state, state=State.STOPPING))
        await asyncio.sleep(0)
        asked = len(probes.asked)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(probes.asked) == asked
        probes.runs(2)
        await apoll(lambda: (CHECK, 2) in probes.asked)
        probes.runs(3)
        probes.answer = ""
        await apoll(probes.passes)
        assert probes.passes() == [3]

    living(test)


def test_other_news_of_the_same_run_do_not_begin_the_watch_anew(apoll: Poll) -> None:
    async def test(probes: Probes) -> None:
        probes.answer = "refused"
        state = probes.runs()
        await apoll(lambda: probes.asked)
        for misses in range(5):
            probes.observer.changed(API, replace(state, misses=misses))
        await apoll(lambda: len(probes.asked) >= 3)
        assert probes.reasons() == ["refused"]

    living(test)


def test_a_check_that_was_corrected_is_used_at_once(apoll: Poll) -> None:
    right = replace(CHECK, probe=TcpProbe(host="h", port=2))

    async def test(probes: Probes) -> None:
        probes.answer = "refused"
        state = probes.runs()
        await apoll(lambda: probes.asked)
        probes.observer.changed(replace(API, health=right), state)
        await apoll(lambda: (right, 1) in probes.asked)
        first = probes.asked.index((right, 1))
        assert all(health == right for health, _ in probes.asked[first:])

    living(test)


def test_a_log_is_not_searched_again_once_the_line_has_come(apoll: Poll) -> None:
    check = replace(CHECK, probe=LogProbe(pattern="ready"))

    async def test(probes: Probes) -> None:
        probes.runs(service=replace(API, health=check))
        await apoll(probes.passes)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(probes.asked) == 1

    living(test)


def test_a_service_with_no_check_is_up_when_it_has_stayed_alive(apoll: Poll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "ALIVE_FOR", 0.01)
    bare = replace(API, health=None)

    async def test(probes: Probes) -> None:
        state = probes.runs(service=bare)
        await apoll(probes.passes)
        probes.observer.changed(bare, replace(state, ready_at=1.0))
        probes.runs(2, service=replace(bare, oneshot=True))
        assert probes.asked == []
        assert probes.observer._watches == {}

    living(test)


def test_closing_ends_every_watch() -> None:
    async def life() -> None:
        probes = Probes()
        probes.answer = "refused"
        probes.runs()
        await probes.observer.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(life())


@pytest.mark.parametrize(
    ("period", "took", "left"), [(5.0, 0.0, 5.0), (5.0, 2.0, 3.0), (1.0, 1.0, 0.1), (1.0, 30.0, 0.1)]
)
def test_a_period_counts_from_begin_to_begin(period: float, took: float, left: float) -> None:
    assert rest(period, took) == pytest.approx(left)


@pytest.mark.parametrize("watched", [1, 50, 51, 1000])
@pytest.mark.parametrize("period", [1.0, 2.5, 5.0, 60.0])
def test_services_are_probed_at_moments_they_share_and_no_later_than_their_period(period: float, watched: int) -> None:
    beat = BEAT if watched <= FEW else CLOSE
    for offset in (0.0, 0.0003, 0.06, 0.13, 0.2499, 0.25):
        now, begins = 1000.0 + offset, []
        for took in (0.0, 0.0004, 0.02, 0.0001):
            late = 0.0007  # as a timer is
            now += took
            left = pause(period, took, now, watched)
            assert left <= period - took + 0.001
            assert left > period - took - beat
            now += left + late
            begins.append(now)
        assert all((begin - late + 1e-6) % beat < 2e-6 for begin in begins)
        assert [later - sooner for sooner, later in pairwise(begins)] == pytest.approx([period] * 3)


def test_who_wakes_a_breath_before_the_moment_stays_with_it() -> None:
    assert shared(1.0, 1000.25 - 1e-7) == pytest.approx(1.0, abs=1e-6)
    assert shared(1.0, 1000.25 + 1e-7) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("period", "took"), [(0.01, 0.0), (0.5, 0.0), (1.3, 0.0), (0.7, 0.1), (1.0, 0.9), (1.0, 30.0)])
def test_a_period_between_those_moments_and_a_short_rest_are_kept_to(period: float, took: float) -> None:
    assert pause(period, took, 1000.1, 5) == rest(period, took)


def test_a_probe_that_takes_its_time_is_part_of_the_period(apoll: Poll) -> None:
    """How long each took is what the next pause is reckoned from."""

    async def life() -> None:
        asked: list[float] = []
        clock = [0.0]

        async def check(_service: Service, _state: ServiceState) -> str:
            asked.append(clock[0])
            clock[0] += 3600.0
            return ""

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(observe, "time", SimpleNamespace(monotonic=lambda: clock[0]))
            patch.setattr(observe, "rest", noted)
            observer = Observer(check, lambda _: None)
            service = replace(API, health=replace(CHECK, period=3600.0))
            observer.changed(service, ServiceState(name="api", state=State.RUNNING, run=1, health=Health.HEALTHY))
            await apoll(lambda: len(rests) >= 3)
            await observer.close()
        assert rests[:3] == [(3600.0, 0.0), (3600.0, 3600.0), (3600.0, 3600.0)]

    rests: list[tuple[float, float]] = []

    def noted(period: float, took: float) -> float:
        rests.append((period, took))
        return 0.001  # too short to be shared

    asyncio.run(life())
