"""Thousands of histories of the whole loop, with no process and a clock of its own; and proof that they can fail.

Each seed is a world: a graph of services, requests, luck, late news, a disk that is full for a while, and supervisors
that are killed at any moment, in the middle of a line too. After every turn the world checks what must always hold.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import pytest

from devctl.api import client
from devctl.api.protocol import Down, Renew, Request, Restart, Snapshot, Up
from devctl.core import graph, lifecycle, plan, reconcile
from devctl.core.lifecycle import step
from devctl.core.model import (
    Condition,
    Dependency,
    HealthCheck,
    Manifest,
    OnUnhealthy,
    ProcessSpec,
    RestartPolicy,
    RestartWhen,
    Runtime,
    Service,
    SetupStep,
    TcpProbe,
)
from devctl.core.outcome import Verdict, verdicts
from devctl.core.plan import Hold
from devctl.core.reconcile import World
from devctl.core.state import (
    Adopted,
    AnyEvent,
    Exited,
    Health,
    ProbeFailed,
    ProbePassed,
    ProcessIdentity,
    ServiceState,
    Setup,
    SetupDone,
    SetupFailed,
    Started,
    StartFailed,
    State,
    StopFailed,
    Stopped,
)
from devctl.supervisor import journal as journal_module
from devctl.supervisor import loop as loop_module
from devctl.supervisor.journal import Began, Journal, Record, recover
from devctl.supervisor.loop import Loop

SEEDS = 450
BOOT = "boot"
replace = msgspec.structs.replace


class Violation(AssertionError):
    """Something that must always hold did not."""


class Killed(BaseException):
    """The supervisor gets its SIGKILL here."""


def must(holds: object, *told: object) -> None:
    if not holds:
        raise Violation(" ".join(map(str, told)))


class MortalJournal(Journal):
    """Writes to a real file; its supervisor may die in the middle of a line, its disk may be full for a while."""

    fuse: int | None = None
    full = False

    def write(self, records: Iterable[Record]) -> None:
        records = list(records)
        if self.full:
            self.problem = "no space left on device"
            return
        super().write(records)
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse <= 0:
                size = self.path.stat().st_size
                last = len(msgspec.json.encode(records[-1]))
                os.truncate(self.path, size - zlib.crc32(str(size).encode()) % (last + 2))
                raise Killed


# -- what is random


def some_service(rng: random.Random, name: str, earlier: list[Service]) -> Service:
    runtime = rng.choices([Runtime.PROCESS, Runtime.CONTAINER, Runtime.EXTERNAL, Runtime.LIBRARY], [10, 6, 1.5, 1.5])[0]
    ours = runtime in {Runtime.PROCESS, Runtime.CONTAINER}
    oneshot = ours and rng.random() < 0.2
    health = HealthCheck(probe=TcpProbe(host="h", port=rng.randrange(9)), start_period=rng.choice([1.0, 60.0]))
    needed = rng.sample(earlier, rng.randrange(min(4, len(earlier) + 1)))
    return Service(
        name=name,
        runtime=runtime,
        compose=name if runtime is Runtime.CONTAINER else "",
        process=some_process(rng) if runtime is Runtime.PROCESS else None,
        health=health if runtime is not Runtime.LIBRARY and not oneshot and rng.random() < 0.7 else None,
        depends_on=tuple(some_edge(rng, target) for target in needed) if runtime is not Runtime.LIBRARY else (),
        restart=RestartPolicy(policy=rng.choice(list(RestartWhen)), max_retries=rng.randrange(4)),
        on_unhealthy=rng.choice(list(OnUnhealthy)),
        oneshot=oneshot,
    )


def some_process(rng: random.Random) -> ProcessSpec:
    steps = (SetupStep(command=f"setup {rng.randrange(3)}", path="/"),) if rng.random() < 0.5 else ()
    return ProcessSpec(command=f"serve {rng.randrange(1000)}", path="/", setup=steps)


def some_edge(rng: random.Random, target: Service) -> Dependency:
    conditions = [Condition.HEALTHY, Condition.STARTED]
    return Dependency(
        service=target.name, condition=rng.choice([Condition.COMPLETED, *conditions] if target.oneshot else conditions)
    )


def some_manifest(rng: random.Random) -> Manifest:
    made: list[Service] = []
    for number in range(rng.randint(1, 7)):
        made.append(some_service(rng, f"s{number}", made))
    return manifest_of(rng, made)


def manifest_of(rng: random.Random, made: list[Service]) -> Manifest:
    """The file's order is not the start order."""
    shuffled = rng.sample(made, len(made))
    return Manifest(name="m", file="/f", root="/", services={service.name: service for service in shuffled})


def another_manifest(rng: random.Random, before: Manifest) -> Manifest:
    """Somebody edited services.yaml: a service gone, new, or another one under the same name."""
    made = [before.services[name] for name in sorted(before.services)]
    gone = {service.name for service in made if rng.random() < 0.15}
    kept: list[Service] = []
    for service in made:
        if service.name in gone:
            continue
        edges = tuple(edge for edge in service.depends_on if edge.service not in gone)
        changed = some_service(rng, service.name, kept) if rng.random() < 0.15 else replace(service, depends_on=edges)
        if rng.random() < 0.15 and changed.process:
            changed = replace(changed, process=some_process(rng))
        kept.append(changed)
    for number in range(7):
        if all(service.name != f"s{number}" for service in kept) and rng.random() < 0.3:
            kept.append(some_service(rng, f"s{number}", kept[: number and rng.randrange(len(kept) + 1)]))
    kept = [acyclic(service, kept) for service in kept]
    return manifest_of(rng, kept)


def acyclic(service: Service, among: list[Service]) -> Service:
    """Only edges to services before it in the list; conditions that their targets can fulfil."""
    names = [other.name for other in among]
    before = {other.name: other for other in among[: names.index(service.name)]}
    edges = [edge for edge in service.depends_on if edge.service in before]
    fit = [
        replace(edge, condition=Condition.HEALTHY)
        if edge.condition is Condition.COMPLETED and not before[edge.service].oneshot
        else edge
        for edge in edges
    ]
    return replace(service, depends_on=tuple(fit))


# -- the world


class Sim:
    """One world; also what the loop takes for its effects. ``alive``: the runs of each service that exist."""

    def __init__(self, seed: int, path: Path) -> None:
        self.rng = random.Random(seed)
        self.path = path
        self.now = 1000.0
        self.luck = self.rng.choice([1.0, 0.9, 0.7, 0.4])
        self.mortal = self.rng.random() < 0.5
        self.agenda: list[tuple[float, int, int | None, Callable[[], None]]] = []
        self.serial = itertools.count()
        self.generation = 0
        self.alive: dict[str, dict[int, int | None]] = {}
        self.queues: dict[str, deque[Callable[[], float]]] = {}
        self.setups: dict[str, int] = {}
        self.watches: dict[str, object] = {}
        self.manifest = some_manifest(self.rng)
        self.turns = 0
        self.board()

    # time

    def at(self, delay: float, what: Callable[[], None], forever: bool = False) -> None:
        owner = None if forever else self.generation
        heapq.heappush(self.agenda, (self.now + delay, next(self.serial), owner, what))

    def delay(self) -> float:
        return self.rng.choice([0.0, 0.0, 0.01, 0.3, 2.0]) * self.rng.random()

    def lucky(self) -> bool:
        return self.rng.random() < self.luck

    def post(self, event: AnyEvent | Request) -> None:
        self.loop.post(event)

    def later(self, delay: float, event: AnyEvent) -> None:
        self.at(delay, lambda: self.post(event))

    # supervisors

    def board(self) -> None:
        """A supervisor comes up, as the daemon does it."""
        self.generation += 1
        self.setups, self.watches, self.queues = {}, {}, {}
        past = recover(self.path, BOOT)
        self.journal = MortalJournal(self.path)
        self.loop = Loop(self.journal, past, clock=lambda: self.now, wall=lambda: self.now)
        self.loop.effects = self
        self.loop.publish = self.hear
        self.followed = self.loop.snapshot()
        began = Began(version="v", pid=1, boot=BOOT, wall=self.now, now=self.now)
        self.journal.write([began, *self.loop.standing()])
        for name, state in list(self.loop.states.items()):
            if state.active and name in self.loop.services:
                service = self.loop.services[name]
                if state.state is State.STOPPING:
                    self.queue(name, lambda s=service, r=state.run: self.stop_now(s, r))
                else:
                    self.queue(name, lambda s=service, r=state.run: self.adopt_now(s, r))
                self.changed(service, state)
        if self.mortal and self.rng.random() < 0.5:
            self.journal.fuse = self.rng.randrange(1, 40)

    def die(self) -> None:
        self.journal.close()
        self.agenda = [entry for entry in self.agenda if entry[2] is None]
        heapq.heapify(self.agenda)
        self.board()

    def hear(self, news: Snapshot) -> None:
        sent = msgspec.json.decode(msgspec.json.encode(news), type=Snapshot)
        self.followed = client.merge(self.followed, sent)

    # effects

    def queue(self, name: str, what: Callable[[], float]) -> None:
        """One after the other for each service, as the executor does it. ``what`` returns how long it takes."""
        waiting = self.queues.setdefault(name, deque())
        waiting.append(what)
        if len(waiting) == 1:
            self.at(self.delay(), lambda: self.work(name))

    def work(self, name: str) -> None:
        waiting = self.queues[name]
        self.at(waiting[0](), lambda: self.next_work(name))

    def next_work(self, name: str) -> None:
        self.queues[name].popleft()
        if self.queues[name]:
            self.work(name)

    def prepare(self, services: list[Service]) -> None:
        for service in services:
            must(service.name not in self.setups, "two setups at once of", service.name)
            token = self.setups[service.name] = next(self.serial)
            redone = "its setup was redone" if self.rng.random() < 0.15 and self.luck < 1 else ""
            done: AnyEvent = SetupDone(service=service.name, changed=redone)
            failed: AnyEvent = SetupFailed(service=service.name, reason="setup ended with 1")
            event = done if self.rng.random() < 0.5 + self.luck / 2 else failed
            self.at(self.delay(), lambda e=event, t=token: self.end_setup(e, t))

    def end_setup(self, event: AnyEvent, token: int) -> None:
        if self.setups.get(event.service) == token:
            del self.setups[event.service]
            self.post(event)

    def interrupt_setup(self, name: str) -> None:
        if (token := self.setups.get(name)) is not None:
            self.at(self.delay(), lambda: self.end_setup(SetupFailed(service=name), token))

    def start(self, service: Service, run: int) -> None:
        for edge in service.depends_on:
            must(self.fulfilled(edge), service.name, "starts before", edge)
        must(service.name in self.loop.wanted, service.name, "is started unasked")
        self.queue(service.name, lambda: self.start_now(service, run))

    def fulfilled(self, edge: Dependency) -> bool:
        """An edge as Compose defines it, said in other words than the program's."""
        target = self.loop.services.get(edge.service)
        state = self.loop.states.get(edge.service, ServiceState(name=edge.service))
        if target is None or target.runtime is Runtime.LIBRARY or (target.oneshot and state.completed):
            return True
        runs = state.state is State.RUNNING
        if edge.condition is Condition.STARTED:
            return runs
        if target.oneshot:
            return False
        return runs and (target.health is None or state.health is Health.HEALTHY)

    def start_now(self, service: Service, run: int) -> float:
        name, took = service.name, self.delay()
        if service.runtime is Runtime.EXTERNAL:
            self.post(Started(service=name, run=run))
            return 0.0
        if not self.lucky():
            failed = StartFailed(service=name, run=run, reason="no", final=self.rng.random() < 0.3)
            self.later(took, failed)
            return took
        alive = self.alive.setdefault(name, {})
        must(not alive, "run", run, "of", name, "begins while", list(alive), "is alive")
        alive[run] = self.generation
        self.later(took, Started(service=name, run=run, identity=ProcessIdentity(pid=run, start=1)))
        code = 0 if self.lucky() else self.rng.choice([1, -9, None, 0])
        if service.oneshot or (self.luck < 1 and not self.lucky()):
            self.at(took + self.delay() * self.rng.choice([1, 30]), lambda: self.end(name, run, code), forever=True)
        if run > 1 and self.rng.random() < 0.5:
            self.later(self.delay(), self.late_news(name, self.rng.randrange(1, run)))
        return took

    def late_news(self, name: str, run: int) -> AnyEvent:
        news: list[AnyEvent] = [
            Exited(service=name, run=run, code=1),
            Stopped(service=name, run=run),
            Started(service=name, run=run, identity=ProcessIdentity(pid=run, start=1)),
            StartFailed(service=name, run=run, reason="late", final=True),
            StopFailed(service=name, run=run, reason="late"),
            ProbeFailed(service=name, run=run, reason="late"),
            ProbePassed(service=name, run=run),
            Adopted(service=name, run=run),
        ]
        return self.rng.choice(news)

    def end(self, name: str, run: int, code: int | None) -> None:
        """A process ends by itself; only a supervisor that watches it hears of it."""
        watcher = self.alive.get(name, {}).pop(run, -1)
        if watcher == self.generation:
            self.post(Exited(service=name, run=run, code=code))

    def stop(self, service: Service, run: int) -> None:
        name = service.name
        if name not in self.loop.wanted:
            for other in self.loop.services.values():
                needs = any(edge.service == name for edge in other.depends_on)
                state = self.loop.states.get(other.name)
                going = needs and other.name not in self.loop.wanted and state is not None and state.active
                must(not going, name, "is stopped before", other.name)
        self.queue(name, lambda: self.stop_now(service, run))

    def stop_now(self, service: Service, run: int) -> float:
        name, took = service.name, self.delay()
        if self.alive.get(name) and self.luck < 1 and self.rng.random() < 0.03:
            self.later(took, StopFailed(service=name, run=run, reason="it will not die"))
            return took

        def gone() -> None:
            ended = self.alive.pop(name, {})
            if ended and self.rng.random() < 0.3:
                self.post(Exited(service=name, run=run, code=-15))
            self.post(Stopped(service=name, run=run))
            if self.rng.random() < 0.3:
                late = [
                    Exited(service=name, run=run, code=-15),
                    Stopped(service=name, run=run),
                    ProbePassed(service=name, run=run),
                ]
                self.later(self.delay(), self.rng.choice(late))

        self.at(took, gone)
        return took

    def adopt_now(self, service: Service, run: int) -> float:
        alive = self.alive.get(service.name, {})
        if service.runtime is Runtime.EXTERNAL and not alive:
            self.post(Adopted(service=service.name, run=run))
        elif run in alive:
            alive[run] = self.generation
            self.post(Adopted(service=service.name, run=run, identity=ProcessIdentity(pid=run, start=1)))
        else:
            self.post(Exited(service=service.name, run=run, code=None))
        return 0.0

    def asked(self, request: Up) -> None:
        return

    def changed(self, service: Service, after: ServiceState) -> None:
        """Probes, as the observer does it."""
        name = service.name
        unproven = service.health is None and not service.oneshot and after.ready_at is None
        watched = after.state is State.RUNNING and (service.health is not None or unproven)
        key = (after.run, service.health) if watched else None
        if self.watches.get(name) == key:
            return
        self.watches[name] = key
        if key is None:
            return
        passed, failed = (
            ProbePassed(service=name, run=after.run),
            ProbeFailed(service=name, run=after.run, reason="5xx"),
        )
        wait = self.delay()
        if service.health is None:
            self.probe(1.0, key, passed)
            return
        if after.health is not Health.HEALTHY:
            if not self.lucky():
                self.probe(wait, key, failed)
                self.probe(wait + service.health.start_period + 0.01, key, failed)
                if self.rng.random() < 0.7:
                    return
            self.probe(wait + self.delay(), key, passed)
        if not self.lucky():
            misses = self.rng.randrange(1, 6)
            for number in range(1, misses + 1):
                self.probe(wait + 5.0 * number, key, failed)
            self.probe(wait + 5.0 * misses + 5, key, passed)

    def probe(self, delay: float, key: object, event: AnyEvent) -> None:
        def tell() -> None:
            if self.watches.get(event.service) == key:
                self.post(event)

        self.at(delay, tell)

    # turns

    def turn(self) -> None:
        self.turns += 1
        must(self.turns < 4000, "it never comes to rest")
        try:
            self.loop.turn()
        except Killed:
            self.die()
            self.turn()
            return
        self.check()

    def check(self) -> None:
        loop = self.loop
        whole, seen = loop.snapshot(), self.followed
        must(seen.states == whole.states, "a follower sees other states", seen.states, whole.states)
        must(by_name(seen.holds) == by_name(whole.holds), "a follower sees other holds")
        must((seen.wanted, seen.manifest) == (whole.wanted, whole.manifest), "a follower sees other wishes")
        world = World(
            services=loop.services, wanted=loop.wanted, states=loop.states, edges=graph.needed_by(loop.services)
        )
        whole_look = reconcile.reconcile(world, self.now)
        must(not whole_look.actions, "left undone:", whole_look)
        must(by_name(whole_look.holds) == loop.holds, "holds differ from a full look:", whole_look, loop.holds)
        for name in loop.wanted:
            state = loop.states.get(name, ServiceState(name=name)).state
            waits = state in {State.STOPPED, State.BACKOFF, State.STOPPING}
            library = loop.services[name].runtime is Runtime.LIBRARY
            must(library or not waits or name in loop.holds, name, "is", state, "and nothing says why")
        if self.turns % 16 == 0:
            self.check_journal()

    def check_journal(self) -> None:
        if self.journal.problem:
            return
        past, loop = recover(self.path, BOOT), self.loop
        must(past.manifest == loop.manifest, "another manifest is on record")
        must(frozenset(past.wanted) == loop.wanted, "other wishes are on record")
        known = past.manifest.services if past.manifest else {}
        must({**past.retired, **known} == loop.services, "other services are on record")
        live = {
            name: replace(state, setup=Setup.NEEDED, setup_again=False) if state.setup is Setup.RUNNING else state
            for name, state in loop.states.items()
        }
        must(past.states == live, "other states are on record", past.states, live)

    def rest(self) -> None:
        """Until nothing is under way any more."""
        while True:
            wakes = [hold.until for hold in self.loop.holds.values() if hold.until is not None]
            comes = [entry[0] for entry in self.agenda[:1]]
            if not wakes and not comes:
                break
            self.now = max(self.now, min(wakes + comes))
            if self.rng.random() < 0.01:
                self.now += self.rng.choice([5.0, 8 * 3600.0])
            self.happen()
            must(not any(wake <= self.now for wake in wakes) or self.turns, "unreachable")
        self.check_rest()

    def happen(self) -> None:
        """Everything that is due, or only a part of it before the loop looks."""
        while self.agenda and self.agenda[0][0] <= self.now:
            heapq.heappop(self.agenda)[3]()
            if self.rng.random() < 0.5:
                break
        if self.luck < 1:
            self.mischief()
        self.turn()
        held = [hold for hold in self.loop.holds.values() if hold.until is not None and hold.until <= self.now]
        must(not held, "the loop would spin for", held)

    def mischief(self) -> None:
        if self.rng.random() < 0.02:
            self.journal.full = not self.journal.full
        safe = not self.journal.full and not self.journal.problem
        if not safe:
            self.journal.fuse = None
        elif self.mortal and self.rng.random() < 0.03:
            self.check_journal()
            self.die()

    def check_rest(self) -> None:
        loop = self.loop
        if loop.manifest:
            found = verdicts(loop.manifest, loop.wanted, loop.states)
            pending = [name for name, verdict in found.items() if verdict is Verdict.PENDING]
            must(not pending, "stuck for ever:", [(loop.states.get(name), loop.holds.get(name)) for name in pending])
        for name in loop.services.keys() | self.alive.keys():
            state, alive = loop.states.get(name, ServiceState(name=name)), self.alive.get(name)
            if name not in loop.wanted:
                must(not state.active and state.state is not State.BACKOFF, name, "is not wanted and", state)
            must(not alive or state.active or state.lingers, name, "is alive and nobody knows:", state)
            ours = loop.services[name].runtime is not Runtime.EXTERNAL if name in loop.services else True
            if ours and state.state is State.RUNNING:
                must(alive and state.run in alive, name, "runs on paper only:", state)

    # a life

    def live(self) -> None:
        for _ in range(self.rng.randint(2, 6)):
            self.ask(self.request())
            for _ in range(self.rng.choice([0, 1, 3, 10])):
                if self.agenda:
                    self.now = max(self.now, self.agenda[0][0])
                self.happen()
            if self.rng.random() < 0.5:
                self.rest()
        self.rest()
        self.end_well()

    def ask(self, request: Request) -> None:
        wanted, known, generation = self.loop.wanted, frozenset(self.loop.services), self.generation
        alone = not self.loop._inbox
        self.post(request)
        if self.rng.random() < 0.9:
            self.turn()
            if isinstance(request, Renew) and alone and generation == self.generation:
                fresh = self.loop.services.keys() - known if wanted else frozenset()
                new = graph.closure(graph.needs(self.loop.services), {*wanted, *fresh})
                must(self.loop.wanted <= new, "a renewal brought up", sorted(self.loop.wanted - new))

    def request(self) -> Request:
        if self.rng.random() < 0.3:
            self.manifest = another_manifest(self.rng, self.manifest)
        names = list(self.manifest.services)
        chosen = self.rng.sample(names, self.rng.randint(min(1, len(names)), len(names)))
        kind = self.rng.random()
        if kind < 0.6 or self.loop.manifest is None:
            up = Up(manifest=self.manifest, names=graph.requirements(self.manifest, chosen))
            pulled = self.rng.random() < 0.2
            return Renew(up=up, changed=dict.fromkeys(chosen[:2], "2 commits pulled")) if pulled else up
        if kind < 0.85:
            return Down(names=tuple(chosen) if self.rng.random() < 0.7 else ())
        return Restart(names=tuple(chosen[:2]))

    def end_well(self) -> None:
        """From wherever it got to: with good luck, asking twice brings everything up, and down leaves nothing."""
        self.luck, self.journal.fuse, self.journal.full, self.mortal = 1.0, None, False, False
        every = Up(manifest=self.manifest, names=graph.requirements(self.manifest, self.manifest.services))
        for _ in range(2):
            self.post(every)
            self.turn()
            self.rest()
        found = verdicts(self.manifest, self.loop.wanted, self.loop.states)
        must(set(found) == set(self.manifest.services), "not everything is wanted")
        bad = {name: self.loop.states[name] for name, verdict in found.items() if verdict is not Verdict.READY}
        must(not bad, "with all the luck in the world not up:", bad, self.loop.holds)
        self.check_journal()
        self.post(Down(exit=True))
        self.turn()
        self.rest()
        must(not any(self.alive.values()), "left behind:", self.alive)
        must(self.loop._over(), "the supervisor never ends")
        self.journal.close()


def by_name(holds: Iterable[Hold]) -> dict[str, Hold]:
    return {hold.service: hold for hold in holds}


@pytest.fixture
def simulate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``simulate(seed)``: one life; raises Violation."""

    def illegal(*told: object) -> None:
        raise Violation(str(told))

    monkeypatch.setattr(loop_module.log, "exception", illegal)
    path = tmp_path / "journal.jsonl"

    def life(seed: int) -> None:
        path.unlink(missing_ok=True)
        try:
            Sim(seed, path).live()
        except (Violation, AssertionError, lifecycle.IllegalEvent) as error:
            raise Violation(f"seed {seed}: {error}") from error

    return life


@pytest.mark.parametrize("part", range(6))
def test_whatever_happens_what_must_hold_holds(simulate: Callable[[int], None], part: int) -> None:
    for seed in range(part * SEEDS // 6, (part + 1) * SEEDS // 6):
        simulate(seed)


# -- the invariants can fail

Patch = pytest.MonkeyPatch
KEPT_STEP, KEPT_SUCCEED, KEPT_RECOVER = step, journal_module.succeed, recover
KEPT_BRING_UP, KEPT_START, KEPT_WRITE = reconcile._bring_up, reconcile._start_or_hold, Journal.write


def always(answer: object) -> Callable[..., object]:
    return lambda *_arguments, **_named: answer


def dependencies_count_for_nothing(patch: Patch) -> None:
    patch.setattr(reconcile, "satisfied", always(True))


def a_restart_of_what_is_needed_counts_for_nothing(patch: Patch) -> None:
    patch.setattr(reconcile, "_keep", always(()))


def stops_in_any_order(patch: Patch) -> None:
    patch.setattr(reconcile, "_going", always(False))


def late_news_is_taken_for_new(patch: Patch) -> None:
    def believe(service: Service, before: ServiceState, event: AnyEvent, now: float) -> ServiceState:
        dated = isinstance(event, Exited | Stopped | StartFailed | ProbeFailed | ProbePassed)
        return KEPT_STEP(service, before, replace(event, run=before.run) if dated else event, now)

    patch.setattr(loop_module, "step", believe)
    patch.setattr(journal_module, "step", believe)


def only_what_changed_is_looked_at(patch: Patch) -> None:
    patch.setattr(Loop, "_neighbours", lambda loop: dict(loop._dirty))


def what_waits_says_nothing(patch: Patch) -> None:
    def silent(*arguments: object) -> Iterable[object]:
        return [item for item in KEPT_BRING_UP(*arguments) if not isinstance(item, Hold)]  # type: ignore[arg-type]

    patch.setattr(reconcile, "_bring_up", silent)


def a_backoff_never_wakes(patch: Patch) -> None:
    def asleep(*arguments: object) -> object:
        item = KEPT_START(*arguments)  # type: ignore[arg-type]
        return replace(item, until=None) if isinstance(item, Hold) else item

    patch.setattr(reconcile, "_start_or_hold", asleep)


def what_is_starting_is_not_stopped(patch: Patch) -> None:
    patch.setattr(reconcile, "_endable", lambda state: state.state is State.RUNNING)


def what_ended_starts_again_at_once(patch: Patch) -> None:
    patch.setattr(reconcile, "RESTARTABLE", {State.STOPPED, State.BACKOFF, State.EXITED})


def a_failed_setup_is_left_behind(patch: Patch) -> None:
    def stopped(service: Service, before: ServiceState, event: Stopped, now: float) -> ServiceState:
        if before.state is not State.STOPPING:
            return before
        return replace(lifecycle._reset(before), exit_code=event.code)

    patch.setitem(lifecycle._HANDLERS, Stopped, stopped)  # type: ignore[arg-type]


def a_service_gone_from_the_manifest_is_forgotten(patch: Patch) -> None:
    def forget(
        services: dict[str, Service], states: dict[str, ServiceState], manifest: Manifest
    ) -> tuple[dict[str, Service], dict[str, ServiceState]]:
        return dict(manifest.services), {n: s for n, s in states.items() if n in manifest.services}

    patch.setattr(loop_module, "succeed", forget)
    patch.setattr(journal_module, "succeed", forget)


def the_journal_forgets_the_retired(patch: Patch) -> None:
    patch.setitem(globals(), "recover", lambda path, boot: replace(KEPT_RECOVER(path, boot), retired={}))


def the_journal_forgets_what_was_stopped(patch: Patch) -> None:
    def write(journal: Journal, records: Iterable[Record]) -> None:
        kept = [r for r in records if not isinstance(getattr(r, "event", None), Stopped)]
        KEPT_WRITE(journal, kept)

    patch.setattr(Journal, "write", write)


def after_a_full_disk_the_journal_goes_on_as_if_nothing_was_lost(patch: Patch) -> None:
    def write(loop: Loop) -> None:
        loop._journal.write(loop._records)
        loop._records = []

    patch.setattr(Loop, "_journal_now", write)


def a_new_supervisor_knows_nothing(patch: Patch) -> None:
    patch.setitem(globals(), "recover", lambda path, boot: replace(KEPT_RECOVER(path, boot), states={}))


def a_follower_never_hears_of_a_release(patch: Patch) -> None:
    kept = client.merge
    patch.setattr(client, "merge", lambda whole, news: kept(whole, replace(news, released=())))


def what_could_not_be_stopped_starts_again(patch: Patch) -> None:
    patch.setattr(ServiceState, "lingers", property(always(False)))


def setups_are_never_run(patch: Patch) -> None:
    def unprepared(*arguments: object) -> Iterable[object]:
        return [item for item in KEPT_BRING_UP(*arguments) if not isinstance(item, plan.Prepare)]  # type: ignore[arg-type]

    patch.setattr(reconcile, "_bring_up", unprepared)


MUTANTS = [
    dependencies_count_for_nothing,
    a_restart_of_what_is_needed_counts_for_nothing,
    stops_in_any_order,
    late_news_is_taken_for_new,
    only_what_changed_is_looked_at,
    what_waits_says_nothing,
    a_backoff_never_wakes,
    what_is_starting_is_not_stopped,
    what_ended_starts_again_at_once,
    a_failed_setup_is_left_behind,
    a_service_gone_from_the_manifest_is_forgotten,
    the_journal_forgets_the_retired,
    the_journal_forgets_what_was_stopped,
    after_a_full_disk_the_journal_goes_on_as_if_nothing_was_lost,
    a_new_supervisor_knows_nothing,
    a_follower_never_hears_of_a_release,
    what_could_not_be_stopped_starts_again,
    setups_are_never_run,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_simulation_catches(
    simulate: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, mutant: Callable[[Patch], None]
) -> None:
    mutant(monkeypatch)
    lives = map(simulate, range(SEEDS))
    with pytest.raises(Violation):
        list(lives)
