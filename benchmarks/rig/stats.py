"""What is made of raw figures. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Summary:
    """Of all values of one metric: ``p95`` is the smallest value that 95 % do not exceed."""

    count: int
    median: float
    low: float
    high: float
    p95: float


def summary(values: Sequence[float]) -> Summary:
    """Of at least one value."""
    ordered = sorted(values)
    return Summary(len(ordered), statistics.median(ordered), ordered[0], ordered[-1], percentile(ordered, 95))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """By nearest rank, of values in order: always one that was measured."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def pooled(samples: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """(case, tool) → metric → the values of all rounds; a distribution's values one by one. Failed rounds have none."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for sample in samples:
        metrics = found.setdefault((sample["case"], sample["peer"]), {})
        for metric, value in sample.get("values", {}).items():
            metrics.setdefault(metric, []).extend(value if isinstance(value, list) else [value])
    return {key: metrics for key, metrics in found.items() if metrics}


def summaries(samples: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Summary]]:
    """(case, tool) → metric → summary."""
    return {key: {name: summary(each) for name, each in metrics.items()} for key, metrics in pooled(samples).items()}
