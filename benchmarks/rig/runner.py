"""Runs an item: every case, in rounds, the tools one after the other in each round, another one first each time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from items.base import Case, Item
from peers.base import Peer

from rig import machine
from rig.stage import FailedError

Say = Callable[[str], None]
REST = 15.0
"""Seconds to wait, at most, for the machine to have done with what came before."""


def run(item: Item, peers: list[Peer], entry: dict[str, Any], quick: bool, say: Say) -> None:
    """Fill ``entry`` with samples. A tool that fails takes no further part in that case, and the reason is kept."""
    for case in item.cases(quick):
        entrants, absent = item.entrants(case, peers)
        if absent:
            entry["left_out"][case.key] = absent
        failed: set[str] = set()
        for number in range(case.rounds):
            turn = number % max(1, len(entrants))
            for label, peer in entrants[turn:] + entrants[:turn]:
                if label not in failed:
                    sample = _round(item, case, number, label, peer, say)
                    entry["samples"].append(sample)
                    failed |= {label} if "failed" in sample else set()
    entry["load"].append(machine.load())


def _round(item: Item, case: Case, number: int, label: str, peer: Peer, say: Say) -> dict[str, Any]:
    sample: dict[str, Any] = {
        "case": case.key,
        "title": case.title,
        "peer": label,
        "round": number,
        "at": machine.now(),
    }
    sample["busy"] = machine.until_idle(REST)
    try:
        sample["values"] = item.measure(case, label, peer)
    except (FailedError, OSError, LookupError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        sample["failed"] = str(error) if isinstance(error, FailedError) else f"{type(error).__name__}: {error}"
    say(f"  {case.title}, {number + 1} of {case.rounds}: {label}: {_words(item, sample)}{_unrest(sample)}")
    return sample


def _unrest(sample: dict[str, Any]) -> str:
    return f" (begun with the machine {sample['busy']:.0%} busy)" if sample["busy"] > machine.IDLE else ""


def _words(item: Item, sample: dict[str, Any]) -> str:
    if "failed" in sample:
        return f"failed: {sample['failed']}"
    known = {metric.key: metric for metric in item.metrics}
    shown = []
    for key, value in sample["values"].items():
        figures = value if isinstance(value, list) else [value]
        if key in known and figures:
            middle = sorted(figures)[len(figures) // 2]
            shown.append(f"{known[key].title} {middle:.3g} {known[key].unit}".strip())
    return ", ".join(shown)
