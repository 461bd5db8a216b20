"""Writes what the raw results say: the page of tables, the charts, the README's short table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import items
from items.base import Figure, Item

from rig import chart, table
from rig.stats import pooled, summaries, summary

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
MOST_DOTS = 60
SHOWN = ("ready", "edges")
"""Items whose charts stand in the README."""
HEAD = """# Measured

*Written by `./dev bench` from results.json beside it. [How it is measured](../../docs/benchmarks.md).*

Medians; in parentheses the lowest and the highest of all rounds. In each round the tools take turns, another one first
each time."""


def write(content: Mapping[str, Any], folder: Path, readme: Path | None) -> None:
    """Into the folder, and into the README between its markers when there is anything to say."""
    measured = [(item, content["items"][item.key]) for item in items.ALL if item.key in content["items"]]
    if not measured:
        return
    parts = [HEAD, "## Figures to reach", table.figures(figures(content)), who(content)]
    parts += [table.section(item, entry) for item, entry in measured]
    (folder / "README.md").write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")
    for item, entry in measured:
        (folder / f"{item.key}.svg").write_text(picture(item, entry), encoding="utf-8")
    if readme is not None:
        text = readme.read_text(encoding="utf-8")
        readme.write_text(between(text, short(content)), encoding="utf-8")


def figures(content: Mapping[str, Any]) -> list[Figure]:
    """Of all items."""
    found = []
    for item in items.ALL:
        if item.key in content["items"]:
            found += item.figures(summaries(content["items"][item.key]["samples"]))
    return found


def short(content: Mapping[str, Any]) -> str:
    """The README's part."""
    newest = max(content["items"].values(), key=lambda entry: entry["date"])
    trial = any(entry["quick"] for entry in content["items"].values())
    warning = "A trial with small sizes, no measurement." if trial else ""
    charts = [
        f"![{item.title}](benchmarks/results/{item.key}.svg)"
        for item in items.ALL
        if item.key in SHOWN and item.key in content["items"]
    ]
    measured = [f"Measured on {table.about(newest)}", older(content, newest["commit"]), table.figures(figures(content))]
    return "\n\n".join(filter(None, [warning, *charts, *measured]))


def older(content: Mapping[str, Any], commit: str) -> str:
    """Which kinds of work were measured at another commit; "" when none was."""
    found = [f"`{key}` at {entry['commit']}" for key, entry in content["items"].items() if entry["commit"] != commit]
    return f"Not measured again since: {', '.join(found)}." if found else ""


def between(text: str, part: str) -> str:
    """The text with this part between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md lacks {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{part}\n{END}{after}"


def who(content: Mapping[str, Any]) -> str:
    """The tools, their versions, and those that could not be had."""
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for entry in sorted(content["items"].values(), key=lambda entry: entry["date"]):
        versions |= entry["versions"]
        missing |= entry["missing"]
    lines = ["Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + "."]
    for name, why in missing.items():
        if name not in versions:
            lines.append(f"Left out: {name}: {table.escaped(why)}.")
    return "\n\n".join(lines)


def picture(item: Item, entry: Mapping[str, Any]) -> str:
    """An item's chart, of its first metric or the one it names."""
    metric = next((each for each in item.metrics if each.key == item.charted), item.metrics[0])
    values, panels = pooled(entry["samples"]), []
    for case, title in table.cases_of(entry["samples"]).items():
        bars = []
        for (key, peer), metrics in values.items():
            if key == case and metrics.get(metric.key):
                found = summary(metrics[metric.key])
                dots = tuple(metrics[metric.key]) if 1 < found.count <= MOST_DOTS else ()
                bars.append(
                    chart.Bar(
                        peer, found.median, table.number(found.median, metric.unit), dots, peer.startswith("devctl")
                    )
                )
        panels.append(chart.Panel(title, tuple(sorted(bars, key=lambda bar: bar.value))))
    return chart.chart(item.title, f"{metric.title}, {metric.unit or 'count'}; less is better", panels)
