"""Statistics, shapes, results, tables, charts and verdicts: what is made of raw figures."""

from __future__ import annotations

import json
import signal
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import items
import pytest
import run
from items.base import Summaries
from rig import chart, machine, marked, report, results, shapes, stats, table
from rig.events import Journal

SVG = "{http://www.w3.org/2000/svg}"


def sample(peer: str, case: str = "n", number: int = 0, **values: Any) -> dict[str, Any]:
    return {"case": case, "title": f"case {case}", "peer": peer, "round": number, "values": values}


def found(**medians: tuple[str, str, float]) -> Summaries:
    """metric=(case, peer, median), a metric's name may end in _2, …"""
    whole: dict[tuple[str, str], dict[str, stats.Summary]] = {}
    for name, (case, peer, value) in medians.items():
        whole.setdefault((case, peer), {})[name.rpartition("_")[0] or name] = stats.summary([value])
    return whole


def item(key: str) -> items.Item:
    return next(each for each in items.ALL if each.key == key)


def entry(samples: list[dict[str, Any]]) -> dict[str, Any]:
    made = {"system": "Linux x86_64", "kernel": "6", "processor": "P", "cores": 2, "memory_gib": 24, "python": "3.11"}
    return {
        "date": "2026-11-28T12:00:00+00:00", "commit": "abc", "quick": False, "versions": {"devctl": "1"},
        "machine": {**made, "node": "", "docker": "26"}, "missing": {"pitchfork": "needs cargo"},
        "load": [[0.1, 0, 0], [2.5, 0, 0]], "left_out": {"n": {"pm2": "no <b>"}}, "samples": samples,
    }  # fmt: skip


def test_a_service_waits_for_no_module_of_perl() -> None:
    lines = marked.SERVICE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(("use ", "require "))] == ["use strict;"]


def test_a_machine_whose_clock_is_not_known_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(SystemExit, match=r"on pdp11: see rig/machine\.py"):
        machine.clock_gettime()


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(each) for each in range(1, 21)]
    assert [stats.percentile(values, percent) for percent in (50, 95, 96, 100)] == [10, 19, 20, 20]
    assert stats.percentile([7.0], 95) == 7


def test_a_summary_takes_values_in_any_order() -> None:
    assert stats.summary([3.0, 1.0, 2.0, 10.0]) == stats.Summary(4, 2.5, 1, 10, 10)


def test_rounds_are_pooled_a_distribution_value_by_value_and_a_failure_is_no_figure() -> None:
    failed = {"case": "n", "title": "", "peer": "b", "round": 0, "failed": "x"}
    samples = [sample("a", x=1.0, y=[1.0, 2.0]), sample("a", x=3.0, y=[5.0]), failed]
    assert stats.pooled(samples) == {("n", "a"): {"x": [1.0, 3.0], "y": [1.0, 2.0, 5.0]}}


@pytest.mark.parametrize(
    ("work", "path", "edges"),
    [(shapes.chain(5), 1.5, 4), (shapes.tree(50), 1.5, 49), (shapes.flat(9), 0.3, 0), (shapes.tree(1), 0.3, 0)],
)
def test_the_critical_path_is_the_longest_way(work: shapes.Work, path: float, edges: int) -> None:
    assert (round(work.critical_path, 6), len(work.edges)) == (path, edges)


def test_the_leaves_being_ready_means_that_all_are() -> None:
    assert shapes.chain(3).leaves == ("s2",)
    assert shapes.tree(4).leaves == ("s1", "s2", "s3")


def test_every_tool_gets_the_same_chains() -> None:
    one, other = (shapes.chains(10, 6, seed=7) for _ in range(2))
    assert one == other
    assert len(one.edges) == 50
    assert len({each.delay for each in one.services}) > 40
    assert all(0.2 <= each.delay <= 1.2 for each in one.services)


def test_what_knows_no_order_gets_the_same_stubborn_service() -> None:
    tree = shapes.stubborn_tree(10, 3.0)
    assert [each.name for each in shapes.without_order(tree).services if each.stopping] == ["s1"]
    assert shapes.without_order(tree).edges == ()


def test_an_item_measured_again_replaces_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "made/results.json"
    results.save(path, results.merged(results.merged(results.load(path), "a", {"n": 1}), "b", {"n": 2}))
    results.save(path, results.merged(results.load(path), "a", {"n": 3}))
    assert results.load(path)["items"] == {"a": {"n": 3}, "b": {"n": 2}}
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]


def test_results_of_another_format_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"format": 0, "items": {}}))
    with pytest.raises(SystemExit, match="of format 0"):
        results.load(path)


def test_a_line_that_is_half_there_waits(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_text("s0 spawned 1.5 10\ns1 spaw")
    journal = Journal(path)
    assert [each.name for each in journal.read()] == ["s0"]
    with path.open("a") as file:
        file.write("ned 2.5 11\ns0 spawned 3 12\n")
    assert {name: (each.at, each.pid) for name, each in journal.first("spawned").items()} == {
        "s0": (1.5, 10),
        "s1": (2.5, 11),
    }
    journal.forget()
    assert journal.read() == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0123, "s", "0.012 s"), (1.5, "s", "1.50 s"), (12.34, "ms", "12.3 ms"), (1234.5, "ms", "1,234 ms"),
     (1.0, "×", "1.00 ×"), (28.4, "MB", "28 MB"), (0.0, "", "0")],
)  # fmt: skip
def test_figures_have_the_digits_that_mean_something(value: float, unit: str, text: str) -> None:
    assert table.number(value, unit) == text


def test_a_table_has_the_best_on_top_and_says_why_one_failed() -> None:
    failed = {"case": "n", "title": "", "peer": "c", "round": 1, "failed": "died | at once\nand <so>"}
    text = table.case_table(item("many"), [sample("b", listening=2.0, cpu=1.0), sample("a", listening=1.0), failed])
    lines = text.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:4]] == ["a", "b"]
    assert lines[2].split("|")[3].strip() == "—"
    assert lines[-1] == "- c, round 2: died \\| at once and &lt;so>"


def test_rounds_show_their_spread() -> None:
    metric = item("edges").metrics[0]
    assert table.cell(stats.summary([1.0, 2.0, 3.0]), metric) == "2.00 ms (p95 3.00 ms, n = 3)"
    assert table.cell(stats.summary([1.0, 2.0, 3.0]), item("ready").metrics[1]) == "2.00 s (1–3)"
    assert table.cell(stats.summary([2.0]), item("ready").metrics[1]) == "2.00 s"


def test_the_page_says_when_on_what_under_which_load_and_who_took_no_part() -> None:
    text = table.section(item("many"), entry([sample("devctl", listening=1.0)]))
    for part in ("2026-11-28", "commit abc", "2 cores", "load average 0.1–2.5", "No part: pm2 (no <b>)", "many.svg"):
        assert part in text


def test_the_pages_are_written_and_the_readme_only_between_its_markers(tmp_path: Path) -> None:
    readme = tmp_path / "top.md"
    readme.write_text("before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n")
    content = {"items": {"edges": entry([sample("devctl", "native", latency=[5.0, 30.0, 7.0])])}}
    report.write(content, tmp_path, readme)
    assert {each.name for each in tmp_path.iterdir()} == {"README.md", "edges.svg", "top.md"}
    lines = readme.read_text().splitlines()
    assert (lines[0], lines[-1], "old" in lines) == ("before", "after", False)
    text = report.between("a<!-- figures -->\nold\n<!-- /figures -->b", "new")
    assert text == "a<!-- figures -->\nnew\n<!-- /figures -->b"
    assert "7.0 ms | < 15 ms | yes" in report.short(content).replace("7.00", "7.0")


def test_the_readme_shows_charts_and_says_what_was_measured_at_another_commit() -> None:
    edges = entry([sample("devctl", "native", latency=[5.0])])
    whole = {"items": {"edges": edges, "down": edges | {"date": "2026-01-01", "commit": "older"}}}
    text = report.short(whole)
    assert "(benchmarks/results/edges.svg)" in text
    assert "down.svg" not in text
    assert "Not measured again since: `down` at older." in text
    assert "Not measured again" not in report.short({"items": {"edges": edges}})


def test_a_readme_without_markers_is_left_alone() -> None:
    with pytest.raises(SystemExit, match="lacks"):
        report.between("no markers", "new")


def test_a_trial_is_never_taken_for_a_measurement() -> None:
    trial = {**entry([sample("devctl", "native", latency=[5.0])]), "quick": True}
    assert report.short({"items": {"edges": trial}}).startswith("A trial")
    assert "A trial with small sizes" in table.about(trial)


def bars(svg: str) -> list[tuple[str, float]]:
    rects = [each for each in ET.fromstring(svg).iter(f"{SVG}rect") if each.get("class") != "page"]
    return [(each.get("class", ""), float(each.get("width", "0"))) for each in rects]


def test_a_chart_has_bars_in_proportion_and_escapes_words() -> None:
    panel = chart.Panel("a & b", (chart.Bar("<x>", 1.0, "1 s", (0.5, 2.0), ours=True), chart.Bar("y", 4.0, "4 s")))
    svg = chart.chart("t", "s", [panel, chart.Panel("empty", ())])
    (kind, short), (_, long) = bars(svg)
    assert kind == "ours"
    assert long == pytest.approx(4 * short, abs=0.2)
    assert "empty" not in svg


def test_a_chart_is_readable_on_dark_and_fetches_nothing() -> None:
    svg = report.picture(item("ready"), entry([sample("devctl", "n", overhead=0.1), sample("pm2", "n", overhead=0.0)]))
    assert "prefers-color-scheme: dark" in svg
    assert svg.count("http") == 1  # its own namespace
    assert len(bars(svg)) == 2


VERDICTS = [
    ("ready", {"ratio": ("chain-5", "devctl", 1.05), "overhead": ("chain-5", "devctl", 0.07)}, [True]),
    ("ready", {"ratio": ("tree-50", "devctl", 1.06), "overhead": ("tree-50", "devctl", 0.09),
               "overhead_2": ("tree-50", "pitchfork", 0.1), "overhead_3": ("tree-50", "pm2", 0.5)}, [False, False]),
    ("many", {"said": ("n-1000", "devctl", 5.0), "cpu": ("n-1000", "devctl", 2.9),
              "said_2": ("n-1000", "process-compose", 5.0)}, [True, True]),
    ("many", {"said": ("n-1000", "devctl", 5.0), "cpu": ("n-1000", "devctl", 3.0)}, [None, False]),
    ("edges", {"latency": ("native", "devctl", 15.0)}, [False]),
    ("stack", {"down": ("stack", "devctl", 1.0), "down_2": ("stack", "docker compose, 1 s", 2.0),
               "down_3": ("stack", "docker compose, 5 s", 1.9)}, [True, False]),
    ("recovery", {"again": ("crash", "devctl", 0.549)}, [True]),
    ("recovery", {"again": ("crash", "devctl", 0.551)}, [False]),
    ("idle", {"cpu": ("7-1s", "devctl", 0.3), "cpu_2": ("7-1s", "process-compose", 0.3),
              "resident": ("7-default", "devctl", 45.0)}, [True, False]),
    ("output", {"slowdown": ("print", "devctl", 1.021)}, [False]),
    ("commands", {"list": ("seven", "devctl", 149.0), "list_2": ("seven", "docker compose", 149.0)}, [True, False]),
    ("own", {"ratio": ("tree-100", "devctl", 1.15), "down": ("stop-3", "devctl", 1.11)}, [True, False]),
]  # fmt: skip


@pytest.mark.parametrize(("key", "medians", "met"), VERDICTS)
def test_a_figure_is_reached_or_not(key: str, medians: dict[str, Any], met: list[bool | None]) -> None:
    assert [each.met for each in item(key).figures(found(**medians))] == met


@pytest.mark.parametrize("each", items.ALL, ids=lambda each: each.key)
def test_without_measurements_nothing_is_claimed(each: items.Item) -> None:
    assert each.figures({}) == []
    assert len({case.key for case in each.cases(quick=False)}) == len(each.cases(quick=False))


def test_the_machine_is_waited_for_until_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([(0, 0), (90, 100), (90, 100), (95, 200)])
    monkeypatch.setattr(machine, "_ticks", lambda: next(ticks))
    assert machine.until_idle(60, 0.0) == 0.05
    ticks = iter([(0, 0), (90, 100)])
    assert machine.until_idle(-1, 0.0) == 0.9


def test_ctrl_c_while_tools_are_installed_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "gather", interrupted)
    monkeypatch.setattr(run, "sweep", list)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["bench", "--output", str(tmp_path / "results")])
    assert run.main() == 130
    assert "interrupted" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
