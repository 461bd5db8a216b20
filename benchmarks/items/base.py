"""What a kind of work is: cases, who takes part, how one round is measured, and the figures that devctl is to reach."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from peers.base import Peer, Wanted
from rig.stage import FailedError, Stage, wait
from rig.stats import Summary

Values = dict[str, float | list[float]]
Summaries = Mapping[tuple[str, str], Mapping[str, Summary]]
DEVCTL, PROCESS_COMPOSE = "devctl", "process-compose"


@dataclass(frozen=True)
class Metric:
    """A column. ``spread``: its 95th percentile is shown too. ``factor`` turns the raw value into ``unit``."""

    key: str
    title: str
    unit: str
    spread: bool = False


@dataclass(frozen=True)
class Case:
    """One amount of this work, measured ``rounds`` times with every tool that takes part."""

    key: str
    title: str
    rounds: int
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A figure to reach. ``met`` is None when what it takes was not measured."""

    what: str
    measured: str
    target: str
    met: bool | None


class Item:
    """A kind of work."""

    key: ClassVar[str]
    title: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    needs: ClassVar[tuple[str, ...]] = ()
    """Abilities that a tool must have to take part."""
    note: ClassVar[str] = ""
    charted: ClassVar[str] = ""
    """The metric that is drawn; "": the first."""

    def cases(self, quick: bool) -> list[Case]:
        """Of the full run, or of the one that takes seconds."""
        raise NotImplementedError

    def absent(self, case: Case, peer: Peer) -> str:
        """Why a tool takes no part; "" when it does."""
        if peer.containers != case.params.get("containers", False):
            return "-"
        return peer.unable(*self.needs)

    def entrants(self, case: Case, peers: list[Peer]) -> tuple[list[tuple[str, Peer]], dict[str, str]]:
        """(who takes part, by the name in the results; who doesn't and why)."""
        absent = {peer.name: self.absent(case, peer) for peer in peers}
        there = [(peer.name, peer) for peer in peers if not absent[peer.name]]
        return there, {name: why for name, why in absent.items() if why not in {"", "-"}}

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        """One round of one tool. Raises FailedError."""
        raise NotImplementedError

    def figures(self, found: Summaries) -> list[Figure]:
        """What devctl is to reach here."""
        del found
        return []


@dataclass(frozen=True)
class Up:
    """All is up: seconds from the first command until the last service listened, and until the tool said so."""

    begun: float
    listening: float
    said: float | None
    cpu: float

    @property
    def whole(self) -> float:
        """Until both were so."""
        return max(self.listening, self.said or 0.0)


def bring_up(peer: Peer, at: Stage, wanted: Wanted, timeout: float = 60.0, say: bool = True) -> Up:
    """Write the configuration, start everything, wait until every service has listened. Raises FailedError."""
    at.containers = at.containers or peer.containers
    peer.write(at, wanted)
    begun, cpu, said = time.monotonic(), 0.0, None
    can_say = "ready" not in peer.cannot
    for argv in peer.start(at, wanted):
        if peer.foreground:
            at.launch(argv, terminal=peer.terminal)
        else:
            ran = at.run(argv, timeout)
            cpu, said = cpu + ran.cpu, ran.ended - begun
    if say and (asked := peer.ready(at, wanted)) is not None and can_say:
        ran = at.run(asked, timeout)
        cpu, said = cpu + ran.cpu, ran.ended - begun
    count = len(wanted.work.services)
    if not at.journal.until(lambda _: len(at.journal.first("listening")) >= count, timeout, at.alive):
        there = len(at.journal.first("listening"))
        raise FailedError(f"{there} of {count} services were up after {time.monotonic() - begun:.0f} s")
    last = max(event.at for event in at.journal.first("listening").values())
    return Up(begun, last - begun, said if can_say else None, cpu)


def gone(at: Stage, pids: set[int], deadline: float) -> set[int]:
    """Wait until these processes are gone; returns those that are not at ``deadline``."""
    left = set(pids)
    while left and time.monotonic() < deadline:
        left = {pid for pid in left if _lives(pid)}
        time.sleep(0.005)
    del at
    return left


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - hundreds of times a second
            return stat.read().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except OSError:
        return False


def end_foreground(at: Stage, deadline: float) -> bool:
    """Ctrl-C to the foreground tool; whether it ended."""
    child = at.foreground
    if child is None:
        return True
    os.killpg(child.pid, 2)
    return wait(child, max(0.0, deadline - time.monotonic())) is not None


def median(found: Summaries, case: str, peer: str, metric: str) -> float | None:
    """A median that was measured."""
    summary = found.get((case, peer), {}).get(metric)
    return summary.median if summary else None
