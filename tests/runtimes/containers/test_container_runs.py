"""Histories of the engine's news, out of order and out of date, and what is said of each run."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest

from devctl.core.state import AnyEvent, Exited
from devctl.runtimes.container_runs import ContainerRuns
from devctl.runtimes.containers import Run, log_lines
from devctl.runtimes.engine import EngineRefused
from devctl.runtimes.engine_usage import UsageSampler


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "000Z")


def found(state: str = "running", started: float = 100.5, code: int = 0) -> Run:
    return Run("c1", state, stamp(started), stamp(0), code, False, 10, "", False)


class Stream:
    """An event stream that stays open until it is closed."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        self._over.wait(60)
        return iter(())

    def close(self) -> None:
        self._over.set()


class Fake:
    """An engine with one container."""

    def __init__(self) -> None:
        self.run: Run | None = found()
        self.asked_since: list[float] = []

    def events(self, project: str, since: float, patience: float) -> Stream:
        self.asked_since.append(since)
        return Stream()

    def inspect(self, container: str) -> Run:
        if self.run is None:
            raise EngineRefused("no such container")
        return self.run

    def last_words(self, container: str, since: float) -> tuple[str, ...]:
        return (f"since {since:g}",)


class History:
    def __init__(self) -> None:
        self.engine, self.events = Fake(), list[AnyEvent]()
        self.runs: ContainerRuns

    def tell(self, test: Callable[[], Coroutine[Any, Any, None]]) -> list[AnyEvent]:
        async def at_once(work: Callable[[], Any]) -> Any:
            return work()

        async def whole() -> None:
            self.runs = ContainerRuns(self.engine, "p", at_once)  # type: ignore[arg-type]
            try:
                await test()
                for _ in range(5):
                    await asyncio.sleep(0)
            finally:
                await self.runs.close()

        asyncio.run(whole())
        return self.events

    async def begin(self, run: int = 1) -> Any:
        return await self.runs.begin("web", run, "c1", self.events.append)

    def die(self, at: float, code: int = 3) -> None:
        attributes = {"exitCode": str(code)}
        self.runs._news({"Action": "die", "timeNano": int(at * 1e9), "Actor": {"ID": "c1", "Attributes": attributes}})


@pytest.fixture
def history() -> History:
    return History()


def test_the_end_of_an_earlier_run_is_not_this_ones(history: History) -> None:
    async def test() -> None:
        history.runs.settle(await history.begin(run=2), found(), 0.0)
        history.die(at=100.4)

    assert history.tell(test) == []


def test_an_end_seen_before_the_start_call_returns_is_told_after_it(history: History) -> None:
    async def test() -> None:
        watched = await history.begin()
        history.die(at=100.6, code=3)
        assert history.events == []
        history.runs.settle(watched, found(), 99.0)

    assert history.tell(test) == [Exited(service="web", run=1, code=3, words=("since 99",))]


def test_a_run_that_is_over_when_the_start_call_returns(history: History) -> None:
    async def test() -> None:
        history.runs.settle(await history.begin(), found("exited", code=5), 99.0)
        history.die(at=100.6, code=5)

    assert history.tell(test) == [Exited(service="web", run=1, code=5, words=("since 99",))]


def test_what_is_being_stopped_ends_without_a_word(history: History) -> None:
    async def test() -> None:
        history.runs.settle(await history.begin(), found(), 0.0)
        history.runs.drop("web")
        history.die(at=101)

    assert history.tell(test) == []


def test_an_end_is_told_once_however_often_it_is_heard_of(history: History) -> None:
    async def test() -> None:
        history.runs.settle(await history.begin(), found(), 0.0)
        history.engine.run = found("exited", code=3)
        history.die(at=101)
        history.die(at=101)
        history.runs._listening()

    assert len(history.tell(test)) == 1


def test_memory_running_out_is_said_of_the_run_it_ended_only(history: History) -> None:
    async def test() -> None:
        history.engine.run = Run("c1", "exited", stamp(100.5), stamp(101), 137, True, 10, "", False)
        history.runs.settle(await history.begin(), found(), 0.0)
        history.die(at=101, code=137)

    (exited,) = history.tell(test)
    assert isinstance(exited, Exited)
    assert exited.note == "out of memory"


def test_a_container_the_engine_is_about_to_restart_is_waited_for(history: History) -> None:
    async def test() -> None:
        history.runs.settle(await history.begin(), found(), 0.0)
        history.engine.run = found("restarting")
        history.runs._listening()

    assert history.tell(test) == []


def test_the_stream_begins_in_the_past_for_the_engine_listens_after_it_answers(history: History) -> None:
    async def test() -> None:
        await history.begin()

    history.tell(test)
    assert history.engine.asked_since
    assert history.engine.asked_since[0] < time.time() - 1


class Direct:
    """Does at once what a pool would do later."""

    def submit(self, work: Callable[..., None], *arguments: Any) -> Future[None]:
        work(*arguments)
        done: Future[None] = Future()
        done.set_result(None)
        return done


def test_usage_is_what_was_used_between_two_samples() -> None:
    clock, cpu = [100.0], [5_000_000_000]

    class Engine:
        def stats(self, container: str) -> tuple[int, int]:
            return cpu[0], 1000

    sampler = UsageSampler(Engine(), Direct(), lambda: clock[0])  # type: ignore[arg-type]
    assert sampler.usage({"web": "c1"}) == {"web": (0.0, 1000)}
    clock[0], cpu[0] = 101.0, 7_000_000_000
    assert sampler.usage({"web": "c1"}) == {"web": (0.0, 1000)}  # a sample is good for two seconds
    clock[0], cpu[0] = 104.0, 6_000_000_000
    assert sampler.usage({"web": "c1"}) == {"web": (25.0, 1000)}
    clock[0], cpu[0] = 108.0, 1_000_000_000  # another run: the count began anew
    assert sampler.usage({"web": "c1"}) == {"web": (0.0, 1000)}


def reader(content: bytes) -> Callable[[int], bytes]:
    """Gives a few bytes at a time, however many are asked for."""
    rest = [content]

    def read(count: int) -> bytes:
        piece, rest[0] = rest[0][: min(count, 3)], rest[0][min(count, 3) :]
        return piece

    return read


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def test_lines_of_two_streams_do_not_run_into_each_other() -> None:
    content = frame(1, b"one ") + frame(2, b"error\n") + frame(1, b"line\nlast")
    assert list(log_lines(reader(content), framed=True)) == ["error", "one line", "last"]


def test_a_terminals_log_has_no_frames() -> None:
    assert list(log_lines(reader(b"a\r\nb \xff\r\n"), framed=False)) == ["a", "b �"]
