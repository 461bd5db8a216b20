"""Results as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from items.base import Figure, Item, Metric

from rig.stats import Summary, summaries

MARKS = {True: "yes", False: "**no**", None: "not measured"}


def rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table; the first column is words, the others are figures."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(each) + " |" for each in (head, rule, *body))


def number(value: float, unit: str) -> str:
    """With the digits that mean something: three, and no more than three after the point."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    if unit in {"×", "MB"}:
        digits = 2 if unit == "×" else 0
    text = f"{value:,.{digits}f}"
    return f"{text} {unit}".strip() if unit else f"{value:g}"


def cell(summary: Summary | None, metric: Metric) -> str:
    """A median; with the lowest and highest where there are several rounds, or the 95th percentile."""
    if summary is None:
        return "—"
    middle = number(summary.median, metric.unit)
    if metric.spread and summary.count > 1:
        return f"{middle} (p95 {number(summary.p95, metric.unit)}, n = {summary.count})"
    if summary.count == 1 or summary.low == summary.high:
        return middle
    return f"{middle} ({number(summary.low, '')[:6]}–{number(summary.high, '')[:6]})"


def case_table(item: Item, samples: Sequence[Mapping[str, Any]]) -> str:
    """Of one case's samples: a row a tool, the best by the first metric on top, then those that failed and why."""
    found = summaries(samples)
    metrics = [metric for metric in item.metrics if any(metric.key in each for each in found.values())]
    if not metrics:
        return failures(samples)
    first = metrics[0].key
    order = sorted(found, key=lambda key: found[key][first].median if first in found[key] else float("inf"))
    body = [[key[1], *(cell(found[key].get(metric.key), metric) for metric in metrics)] for key in order]
    whole = rows(["", *(metric.title for metric in metrics)], body)
    return "\n\n".join(filter(None, [whole, failures(samples)]))


def failures(samples: Sequence[Mapping[str, Any]]) -> str:
    """Why some have no figure, or fewer."""
    lines = [
        f"- {each['peer']}, round {each['round'] + 1}: {escaped(each['failed'])}"
        for each in samples
        if "failed" in each
    ]
    return "\n".join(["Failed:", "", *lines]) if lines else ""


def escaped(text: str) -> str:
    """Words of a tool, harmless in Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def cases_of(samples: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Case → its title, in the order they were measured."""
    return {each["case"]: each["title"] for each in samples}


def about(entry: Mapping[str, Any]) -> str:
    """What an item was measured on, when, under which load."""
    made = entry["machine"]
    loads = "–".join(f"{each[0]:g}" for each in (entry["load"][0], entry["load"][-1]))
    quick = " **A trial with small sizes.**" if entry["quick"] else ""
    tools = ((name.title(), made[name]) for name in ("python", "node", "docker") if made[name])
    words = [
        f"{made['system']} {made['kernel']}",
        made["processor"],
        f"{made['cores']} cores",
        f"{made['memory_gib']} GiB",
        *(" ".join(each) for each in tools),
        f"load average {loads}",
    ]
    return f"{entry['date'][:10]}, commit {entry['commit']}: {', '.join(filter(None, words))}.{quick}"


def section(item: Item, entry: Mapping[str, Any]) -> str:
    """An item's part of the page."""
    parts = [f"## {item.title}", (type(item).__doc__ or "").strip(), item.note, f"![{item.title}]({item.key}.svg)"]
    for case, title in cases_of(entry["samples"]).items():
        chosen = [each for each in entry["samples"] if each["case"] == case]
        parts += [f"### {title[0].upper()}{title[1:]}", case_table(item, chosen)]
        absent = entry["left_out"].get(case, {})
        if absent:
            parts.append("No part: " + "; ".join(f"{name} ({why})" for name, why in absent.items()) + ".")
    return "\n\n".join(filter(None, [*parts, about(entry)]))


def figures(found: Sequence[Figure]) -> str:
    """What devctl is to reach, and what was measured."""
    return rows(
        ["", "measured", "to reach", "reached"],
        [[each.what, each.measured, each.target, MARKS[each.met]] for each in found],
    )
