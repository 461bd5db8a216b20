"""What happens while a command waits: snapshots reduced to one value, from which both the live view and plain lines
are drawn. Pure; moments are monotonic seconds and come in from outside."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from devctl.api.protocol import Snapshot
from devctl.core.explain import sentence
from devctl.core.model import Manifest, Service
from devctl.core.outcome import Verdict, blocked, verdict, verdicts
from devctl.core.plan import Hold
from devctl.core.state import Health, SchemaVerdict, ServiceState, Setup, State
from devctl.ui.pulled import Aftermath, Sight, follow
from devctl.ui.pulled import sentence as sentence_of
from devctl.ui.theme import ready
from devctl.ui.words import clean, duration


class Tone(StrEnum):
    """How a note is meant."""

    INFO = "info"
    GOOD = "good"
    BAD = "bad"


class Note(msgspec.Struct, frozen=True):
    """One thing that happened to a service: ``text`` follows its name; ``evidence`` are log lines."""

    service: str
    text: str
    tone: Tone = Tone.INFO
    evidence: tuple[str, ...] = ()
    hint: str = ""


class Progress(msgspec.Struct, frozen=True):
    """Everything a waiting screen shows. ``began`` is when the command asked; ``setups`` when setups were first seen
    to run; ``waited`` for which services a wait was already told; ``alone`` each one's verdict, the others not looked
    at. ``wanted``: what the supervisor keeps up, None before it has said so. ``sight``: the pull beside it, None where
    there is none; ``aftermath`` what it led to; ``renewals`` how many the supervisor has acted upon."""

    manifest: Manifest
    names: tuple[str, ...]
    began: float
    states: Mapping[str, ServiceState] = {}
    alone: Mapping[str, Verdict] = {}
    holds: Mapping[str, Hold] = {}
    setups: Mapping[str, float] = {}
    waited: frozenset[str] = frozenset()
    wanted: frozenset[str] | None = None
    sight: Sight | None = None
    aftermath: Aftermath = Aftermath()
    renewals: int = 0

    @property
    def pull_over(self) -> bool:
        """Whether no pull is under way, and what it set in motion has been seen."""
        return self.sight is None or (self.sight.over and self.renewals >= self.sight.renewals)

    @property
    def gone(self) -> tuple[str, ...]:
        """Services that somebody has taken down while this waited for them: they will not come."""
        if self.wanted is None or self.wanted.issuperset(self.names):
            return ()
        return tuple(name for name in self.names if name in self.manifest.services and name not in self.wanted)

    def service(self, name: str) -> Service:
        """A service by its name."""
        return self.manifest.services[name]

    def state(self, name: str) -> ServiceState:
        """Its state, a stopped one where nothing is known."""
        return self.states.get(name) or ServiceState(name=name)

    def verdicts(self) -> dict[str, Verdict]:
        """What the wait for each has come to."""
        if not self.alone:
            return verdicts(self.manifest, self.names, self.states)
        return blocked(self.manifest, self.alone, self.states)

    def begun(self, name: str) -> float | None:
        """When work on it began, since the command asked; None when there was nothing to do."""
        state = self.state(name)
        moments = [self.setups.get(name), state.started_at]
        fresh = [moment for moment in moments if moment is not None and moment >= self.began]
        return min(fresh, default=None)

    def touched(self) -> tuple[str, ...]:
        """Services that were started since the command asked."""
        started = {name: self.state(name).started_at for name in self.names}
        return tuple(name for name, moment in started.items() if moment is not None and moment >= self.began)


def absorb(before: Progress, snapshot: Snapshot) -> tuple[Progress, tuple[Note, ...]]:
    """The progress after ``snapshot`` (a whole one), and what there is to tell of the change. Costs no more than what
    changed, where the snapshot says what did since the one before: news of a thousand services come by the hundred."""
    touched = snapshot.touched if before.alone and before.wanted is not None else None
    holds = {hold.service: hold for hold in snapshot.holds}
    known = _known(before, snapshot, touched)
    fresh = [
        name
        for name in (before.names if touched is None else filter(touched.__contains__, before.names))
        if known.get(name) is not before.states.get(name) or holds.get(name) is not before.holds.get(name)
    ]
    after = replace(
        before,
        states=known,
        holds=holds,
        alone=_alone(before, known, fresh),
        waited=before.waited.union(name for name in fresh if name in holds and holds[name].on),
        wanted=before.wanted if touched is not None else frozenset(snapshot.wanted),
        setups=_setups(before, known, fresh, snapshot.clock[0]),
        aftermath=follow(before.aftermath, snapshot.events, before.states),
        renewals=snapshot.renewals,
    )
    notes = (_note(before, name, known.get(name), holds.get(name), known) for name in fresh)
    return after, tuple(note for note in notes if note is not None)


def _known(before: Progress, snapshot: Snapshot, touched: frozenset[str] | None) -> Mapping[str, ServiceState]:
    """The states of the manifest's services."""
    services, states = before.manifest.services, snapshot.states
    if touched is None:
        return {name: state for name, state in states.items() if name in services}
    return {**before.states, **{name: states[name] for name in touched if name in services and name in states}}


def beside(before: Progress, sight: Sight) -> tuple[Progress, tuple[Note, ...]]:
    """The progress with the pull as it is now, and what there is to tell of it."""
    told = before.sight.told if before.sight else ()
    fresh = [each for each in sight.told if each not in told]
    after = replace(before, sight=sight)
    if sight.manifest is not None:
        after = replace(after, manifest=sight.manifest, names=sight.names, alone={})
    return after, tuple(Note("git", sentence_of(each, "->")) for each in fresh)


def _alone(before: Progress, states: Mapping[str, ServiceState], fresh: list[str]) -> Mapping[str, Verdict]:
    looked = fresh if before.alone else before.names
    return {
        **before.alone,
        **{
            name: verdict(before.service(name), states.get(name)) for name in looked if name in before.manifest.services
        },
    }


def _setups(before: Progress, states: Mapping[str, ServiceState], fresh: list[str], now: float) -> Mapping[str, float]:
    running = [name for name in fresh if name in states and states[name].setup is Setup.RUNNING]
    return {**dict.fromkeys(running, now), **before.setups}


def _note(
    before: Progress, name: str, state: ServiceState | None, hold: Hold | None, known: Mapping[str, ServiceState]
) -> Note | None:
    if state is None:
        return None
    old = before.states.get(name)
    service = before.service(name)
    if failed := _failure(old, state):
        return failed
    if ready(service, state) and not (old and ready(service, old) and old.run == state.run):
        return _ready_note(service, state, before.began)
    if old is None or (old.state, old.setup, old.run) != (state.state, state.setup, state.run):
        return _step_note(old, state, hold)
    if hold and hold.on and (name not in before.waited or _for_a_schema(hold, before.holds.get(name), known)):
        return Note(name, hold.reason)
    return None


def _for_a_schema(hold: Hold, old: Hold | None, known: Mapping[str, ServiceState]) -> bool:
    """Whether it has begun to wait for a schema: that is told though its wait was told before."""
    return hold != old and any(known[name].schema.verdict is SchemaVerdict.BEHIND for name in hold.on if name in known)


def _failure(old: ServiceState | None, state: ServiceState) -> Note | None:
    """A failure is told once: at the moment it happens."""
    told = old is not None and _bad(old) and _facts(old) == _facts(state)
    if told or not _bad(state):
        return None
    if state.schema.verdict in _SAID and state.health is not Health.UNHEALTHY and state.state is State.RUNNING:
        schema = state.schema
        tone = Tone.BAD if schema.verdict is SchemaVerdict.BEHIND else Tone.INFO
        return Note(state.name, clean(sentence(state, None)), tone, tuple(map(clean, schema.words)), schema.hint)
    return Note(state.name, clean(sentence(state, None)), Tone.BAD, tuple(map(clean, state.words)), state.hint)


_SAID = {SchemaVerdict.BEHIND, SchemaVerdict.UNCHECKED}


def _facts(state: ServiceState) -> tuple[object, ...]:
    return state.state, state.run, state.health, state.schema.verdict


def _bad(state: ServiceState) -> bool:
    if state.state in {State.FATAL, State.BACKOFF}:
        return True
    if state.state is State.EXITED:
        return not state.completed
    if state.state is State.RUNNING and state.schema.verdict in _SAID:
        return True
    return state.health is Health.UNHEALTHY or (state.state is State.STOPPED and state.setup is Setup.FAILED)


def _ready_note(service: Service, state: ServiceState, began: float) -> Note | None:
    fresh = state.ready_at is not None and state.started_at is not None and state.started_at >= began
    if not fresh or state.ready_at is None or state.started_at is None:
        return None
    what = "completed" if state.completed else "running" if service.health is None else "healthy"
    where = f"  {service.url}" if service.url else ""
    return Note(service.name, f"{what} after {duration(state.ready_at - state.started_at)}{where}", Tone.GOOD)


def _step_note(old: ServiceState | None, state: ServiceState, hold: Hold | None) -> Note | None:
    name = state.name
    match state.state:
        case State.STARTING | State.RUNNING if old is None or old.run != state.run:
            return Note(name, "starting") if state.health is not Health.HEALTHY else None
        case State.STOPPING if old is None or old.state is not State.STOPPING:
            return Note(name, f"stopping: {state.reason}" if state.reason else "stopping")
        case State.STOPPED if old is not None and old.state is not State.STOPPED:
            return Note(name, "stopped")
    if state.setup is Setup.RUNNING and (old is None or old.setup is not Setup.RUNNING):
        return Note(name, "being set up")
    return Note(name, hold.reason) if hold and hold.on and old is None else None


def all_stopped(progress: Progress) -> bool:
    """Whether nothing of these services runs or will run again by itself."""
    return not any(standing(progress.state(name)) for name in progress.names)


def standing(state: ServiceState) -> bool:
    """Whether something of it runs, or will again by itself."""
    return state.active or state.state is State.BACKOFF


def not_stopped(progress: Progress) -> dict[str, str]:
    """Services that could not be stopped, and why."""
    states = {name: progress.state(name) for name in progress.names}
    return {name: state.reason for name, state in states.items() if state.lingers}
