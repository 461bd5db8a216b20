"""What the tools are measured with: services in a shape, each ready a known time after its start."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Spec:
    """One service: it listens ``delay`` s after its start, takes ``stopping`` s to end, first prints ``bytes``."""

    name: str
    needs: str = ""
    delay: float = 0.3
    stopping: float = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class Work:
    """Services; each needs at most one other, which stands before it."""

    services: tuple[Spec, ...]

    @property
    def critical_path(self) -> float:
        """Seconds that no tool can beat."""
        ready: dict[str, float] = {}
        for each in self.services:
            ready[each.name] = ready.get(each.needs, 0.0) + each.delay
        return max(ready.values())

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """(what is needed, who needs it)."""
        return tuple((each.needs, each.name) for each in self.services if each.needs)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Those that nobody needs: when they are ready, all are."""
        needed = {each.needs for each in self.services}
        return tuple(each.name for each in self.services if each.name not in needed)


def chain(count: int, delay: float = 0.3) -> Work:
    """Each needs the one before."""
    return Work(tuple(Spec(f"s{n}", f"s{n - 1}" if n else "", delay) for n in range(count)))


def tree(count: int, delay: float = 0.3, branching: int = 3) -> Work:
    """Each but the first needs one, and up to ``branching`` need each."""
    return Work(tuple(Spec(f"s{n}", f"s{(n - 1) // branching}" if n else "", delay) for n in range(count)))


def flat(count: int, delay: float = 0.3, size: int = 0) -> Work:
    """None needs another."""
    return Work(tuple(Spec(f"s{n}", "", delay, bytes=size) for n in range(count)))


def chains(count: int, length: int, seed: int) -> Work:
    """Chains beside each other whose delays differ, so that they meet a tool's probes at any moment of its period."""
    chance = random.Random(seed)
    return Work(
        tuple(
            Spec(f"s{c}-{n}", f"s{c}-{n - 1}" if n else "", round(chance.uniform(0.2, 1.2), 3))
            for n in range(length)
            for c in range(count)
        )
    )


def stubborn_tree(count: int, stopping: float) -> Work:
    """A tree whose second service takes its time to end."""
    first, second, *rest = tree(count).services
    return Work((first, Spec(second.name, second.needs, second.delay, stopping), *rest))


def without_order(work: Work) -> Work:
    """The same services for a tool that knows no order."""
    return Work(tuple(Spec(each.name, "", each.delay, each.stopping, each.bytes) for each in work.services))
