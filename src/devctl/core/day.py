"""A day: what ran and for how long, restarts, failures and why. Reduced from what supervisors wrote down. Pure.

Time is counted by the clock that stands still while the machine sleeps and that nobody sets; only where the day begins
and ends is told by the wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from devctl.core.history import Began, Ended, Happened, Known, Record, Standing, succeed
from devctl.core.lifecycle import IllegalEvent, step
from devctl.core.model import Runtime, Service, Value
from devctl.core.state import Health, ServiceState, Setup, Starting, State, StopFor

UP = frozenset({State.RUNNING, State.STOPPING})


class Failure(Value):
    """Something that went wrong: when, in wall-clock seconds, why, in one sentence, and the last line it wrote."""

    at: float
    reason: str
    words: str = ""


class Ran(Value):
    """A service's day: ``seconds`` it ran, ``runs`` that went on at some time of it, ``restarts`` that nobody asked
    for. ``running``: it still does."""

    name: str
    seconds: float = 0.0
    runs: int = 0
    restarts: int = 0
    failures: tuple[Failure, ...] = ()
    running: bool = False


class Commit(Value):
    """A commit of a day. ``at`` is when it was made, in wall-clock seconds."""

    repository: str
    sha: str
    at: float
    subject: str


class Synced(Value):
    """A sync, as ``sync --json`` reported it, and when it ended."""

    at: float
    report: dict[str, Any]


class Today(Value):
    """A whole day. ``begin`` is its local midnight in wall-clock seconds; ``in_git``: commits and syncs are a matter
    here. ``pending`` is what is still to be done, a sentence each."""

    begin: float
    services: tuple[Ran, ...] = ()
    commits: tuple[Commit, ...] = ()
    syncs: tuple[Synced, ...] = ()
    pending: tuple[str, ...] = ()
    in_git: bool = False

    @property
    def failures(self) -> tuple[tuple[str, Failure], ...]:
        """(service, failure) of the whole day, the oldest first."""
        found = [(ran.name, failure) for ran in self.services for failure in ran.failures]
        return tuple(sorted(found, key=lambda each: each[1].at))


class Moment(Value):
    """Now, on both clocks, and which start of the machine the second one counts from."""

    wall: float
    now: float
    boot: str


def services_of(records: Iterable[Record], begin: float, end: float, moment: Moment) -> tuple[Ran, ...]:
    """Every service that ran or failed between two wall-clock times, in the order in which they first did."""
    day = _Day(begin, end)
    for record in records:
        day.take(record)
    day.close(moment)
    return tuple(each for each in day.found.values() if each.runs or each.failures)


class _Day:
    """The fold. ``_last`` is the moment up to which time is counted."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, end
        self.found: dict[str, Ran] = {}
        self._services: dict[str, Service] = {}
        self._states: dict[str, ServiceState] = {}
        self._runs: set[tuple[str, int]] = set()
        self._generation = 0
        self._last: Moment | None = None

    def take(self, record: Record) -> None:
        """The next record."""
        match record:
            case Began():
                self._begin(record)
            case Known():
                self._services, self._states = succeed(self._services, self._states, record.manifest)
            case Standing():
                self._services = {**record.retired, **self._services}
                self._states = dict(record.states)
            case Happened():
                self._pass(record.at, record.now)
                self._happen(record)
            case Ended(handover=False):
                self._pass_wall(record.wall)
                self._forget()
            case _:
                return

    def close(self, moment: Moment) -> None:
        """The present: what still runs ran until now."""
        if self._last is None or self._last.boot != moment.boot:
            return
        self._pass(moment.wall, moment.now)
        for name, state in self._states.items():
            if name in self.found and state.state in UP:
                self._change(name, running=True)

    def _begin(self, record: Began) -> None:
        """A later supervisor of the same machine's day finds running what ran; after a start of the machine nothing."""
        if self._last is not None and self._last.boot == record.boot:
            self._pass(record.wall, record.now)
        else:
            self._forget()
        self._last = Moment(wall=record.wall, now=record.now, boot=record.boot)

    def _forget(self) -> None:
        """Nothing runs any more, and runs are numbered from one on again."""
        self._states, self._generation = {}, self._generation + 1

    def _pass(self, wall: float, now: float) -> None:
        """Time goes by: it counts for everything that is up."""
        if self._last is None:
            return
        awake = max(0.0, now - self._last.now)
        within = self._last.wall >= self.begin and wall < self.end
        part = awake if within else min(awake, max(0.0, min(wall, self.end) - max(self._last.wall, self.begin)))
        for name, state in self._states.items():
            if state.state in UP and self._counts(name) and part > 0:
                self._run(name, state.run)
                self._change(name, seconds=self._of(name).seconds + part)
        self._last = Moment(wall=wall, now=now, boot=self._last.boot)

    def _pass_wall(self, wall: float) -> None:
        """The end of a supervisor is told by the wall clock alone."""
        if self._last is not None:
            self._pass(wall, self._last.now + max(0.0, wall - self._last.wall))

    def _counts(self, name: str) -> bool:
        """Whether it is ours to run."""
        service = self._services.get(name)
        return service is not None and service.runtime in {Runtime.PROCESS, Runtime.CONTAINER}

    def _happen(self, record: Happened) -> None:
        name = record.event.service
        service = self._services.get(name)
        if service is None:
            return
        before = self._states.get(name) or ServiceState(name=name)
        try:
            after = step(service, before, record.event, record.now)
        except IllegalEvent:
            return
        self._states[name] = after
        if not self.begin <= record.at < self.end:
            return
        if isinstance(record.event, Starting) and self._counts(name):
            self._run(name, after.run)
            if before.state is State.BACKOFF:
                self._change(name, restarts=self._of(name).restarts + 1)
        if reason := failed(before, after):
            failures = (*self._of(name).failures, Failure(at=record.at, reason=reason, words=_last(after)))
            self._change(name, failures=failures)

    def _run(self, name: str, number: int) -> None:
        key = (f"{self._generation}/{name}", number)
        if key not in self._runs:
            self._runs.add(key)
            self._change(name, runs=self._of(name).runs + 1)

    def _of(self, name: str) -> Ran:
        return self.found.get(name) or Ran(name=name)

    def _change(self, name: str, **changes: object) -> None:
        self.found[name] = replace(self._of(name), **changes)


def _last(state: ServiceState) -> str:
    return next((line.strip() for line in reversed(state.words) if line.strip()), "")


def failed(before: ServiceState, after: ServiceState) -> str:
    """Why it failed with this step, "" when it didn't."""
    if after.setup is Setup.FAILED and before.setup is not Setup.FAILED:
        return after.reason
    if after.health is Health.UNHEALTHY and before.health is not Health.UNHEALTHY:
        return after.reason
    if after.state is before.state or before.stop_for is StopFor.UNHEALTHY:
        return ""
    ended = after.state is State.EXITED and not after.completed
    return after.reason if ended or after.state in {State.BACKOFF, State.FATAL} else ""
