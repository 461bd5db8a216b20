"""Measure devctl against its figures: `./dev bench [--quick]`. Writes results/FIGURES.json and prints the table.

Timings are medians of interleaved rounds within one run, given with the machine they were taken on: on another machine,
or a busy one, only the ratios mean something.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from workload import (
    DEVCTL,
    Work,
    chain,
    cpu_seconds,
    free_range,
    manifest,
    memory_mb,
    supervisor,
    timed,
    tree,
    workspace,
)

HERE = Path(__file__).parent
STACK = """
name: bench-stack
services:
  postgres:
    image: ${POSTGRES_IMAGE:-postgres:16-alpine}
    environment: {POSTGRES_USER: bench, POSTGRES_PASSWORD: bench, POSTGRES_DB: bench}
    ports: ["127.0.0.1:%(postgres)d:5432"]
    healthcheck: {test: [CMD-SHELL, "pg_isready -U bench"], interval: %(interval)s, retries: 30}
  redis:
    image: ${REDIS_IMAGE:-redis:7-alpine}
    ports: ["127.0.0.1:%(redis)d:6379"]
    healthcheck: {test: [CMD, redis-cli, ping], interval: %(interval)s, retries: 30}
"""


@dataclass(frozen=True)
class Figure:
    """One measured figure. ``met`` is None where there is no target."""

    what: str
    measured: str
    target: str
    met: bool | None
    raw: list[float]


def up_over(work: Work, limit: float, rounds: int) -> list[Figure]:
    """`up` over a shape: total time over the critical path, and the supervisor's CPU a service."""
    ratios, cpus = [], []
    for _ in range(rounds):
        with workspace(manifest(work, free_range(work.count))) as folder:
            spent = timed([DEVCTL, "up", "--yes"], folder)
            cpus.append(cpu_seconds(supervisor(folder)) / work.count * 1000)
            ratios.append(spent / work.critical_path)
    ratio, cpu = statistics.median(ratios), statistics.median(cpus)
    name = f"`up`, {work.shape} of {work.count} (each ready {work.delay:g} s after its start)"
    figures = [Figure(name, f"{ratio:.3f} × critical path", f"≤ {limit:g}", ratio <= limit, ratios)]
    if work.count >= 1000:
        what = f"supervisor's CPU a service, {work.shape} of {work.count}"
        figures.append(Figure(what, f"{cpu:.1f} ms", "< 3 ms", cpu < 3, cpus))
    return figures


def quick_commands(rounds: int) -> list[Figure]:
    """`up` with nothing to do, `status`, `why`, with seven healthy services; then the supervisor's idle cost."""
    work = tree(7, 0.1)
    with workspace(manifest(work, free_range(7))) as folder:
        timed([DEVCTL, "up", "--yes"], folder)
        commands = {
            "`up` with nothing to do": (["up", "--yes"], 0.5),
            "`status`": (["status"], 0.15),
            "`why`": (["why", "s6"], 0.25),
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, (words, _limit) in commands.items():
                taken[name].append(timed([DEVCTL, *words], folder))
        pid, seconds = supervisor(folder), 20.0
        before = cpu_seconds(pid)
        time.sleep(seconds)  # the measurement itself: what it costs to do nothing for this long
        idle, memory = (cpu_seconds(pid) - before) / seconds * 100, memory_mb(pid)
    figures = [
        Figure(name, f"{statistics.median(values) * 1000:.0f} ms", f"< {commands[name][1] * 1000:.0f} ms",
               statistics.median(values) < commands[name][1], values)
        for name, values in taken.items()
    ]  # fmt: skip
    return [
        *figures,
        Figure("supervisor, seven healthy services: CPU", f"{idle:.2f} % of a core", "< 0.5 %", idle < 0.5, [idle]),
        Figure("supervisor, seven healthy services: memory", f"{memory:.0f} MB", "< 45 MB", memory < 45, [memory]),
    ]


def down_of(rounds: int) -> list[Figure]:
    """`down` of a chain of three that take a second each to stop: they stop one after the other."""
    work, stopping, ratios = chain(3, 0.05), 1.0, []
    for _ in range(rounds):
        with workspace(manifest(work, free_range(3), stopping)) as folder:
            timed([DEVCTL, "up", "--yes"], folder)
            ratios.append(timed([DEVCTL, "down", "--yes"], folder) / (3 * stopping))
    ratio = statistics.median(ratios)
    what = "`down`, chain of 3 that stop in 1 s each"
    return [Figure(what, f"{ratio:.3f} × their own time", "≤ 1.1", ratio <= 1.1, ratios)]


def stack(rounds: int) -> list[Figure]:
    """PostgreSQL and Redis from stopped to healthy: devctl against `docker compose up -d --wait`, in turn."""
    if not _docker():
        print("no Docker engine answers: the compose half is left out")
        return []
    first = free_range(2)
    names = {"postgres": first, "redis": first + 1}
    services = {
        name: {"compose": name, "ports": [port], "health": f"tcp://127.0.0.1:{port}"} for name, port in names.items()
    }
    text = f"name: bench-stack\ncompose: {{file: stack.yml}}\nservices: {json.dumps(services)}\n"
    ours: list[float] = []
    theirs: dict[str, list[float]] = {"1s": [], "5s": []}
    with workspace(text) as folder:
        for _ in range(rounds):
            for interval, taken in theirs.items():
                (folder / "stack.yml").write_text(STACK % {**names, "interval": interval})
                _compose(folder, "up", "-d", "--wait")
                _compose(folder, "stop")
                taken.append(_compose(folder, "up", "-d", "--wait"))
                _compose(folder, "stop")
            ours.append(timed([DEVCTL, "up", "--yes"], folder))
            timed([DEVCTL, "down", "--yes"], folder)
        _compose(folder, "down", "-v")
    mine = statistics.median(ours)
    return [
        Figure(
            f"PostgreSQL and Redis, stopped to healthy, against `docker compose up -d --wait` at {interval} intervals",
            f"{mine:.2f} s, {mine / statistics.median(taken):.2f} × its {statistics.median(taken):.2f} s",
            "≤ 0.5 ×", mine <= statistics.median(taken) / 2, [*ours, *taken],
        )
        for interval, taken in theirs.items()
    ]  # fmt: skip


def _docker() -> bool:
    return (
        shutil.which("docker") is not None
        and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    )


def _compose(folder: Path, *words: str) -> float:
    return timed(["docker", "compose", "-f", "stack.yml", *words], folder)


def table(figures: list[Figure]) -> str:
    """Markdown."""
    marks = {True: "yes", False: "**no**", None: ""}
    rows = [f"| {each.what} | {each.measured} | {each.target} | {marks[each.met]} |" for each in figures]
    return "\n".join(["| | measured | target | met |", "| --- | --- | --- | --- |", *rows])


def machine() -> str:
    """What it ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def main() -> None:
    """Run everything, or with --quick only what takes seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the chain of a thousand, fewer rounds")
    quick = parser.parse_args().quick
    rounds = 3 if quick else 5
    parts: list[Callable[[], list[Figure]]] = [
        lambda: up_over(chain(10, 1.0), 1.05, rounds),
        lambda: up_over(tree(10, 2.0), 1.05, rounds),
        lambda: up_over(chain(100, 0.3), 1.15, 1),
        lambda: up_over(tree(100, 1.0), 1.15, rounds),
        lambda: up_over(tree(1000, 3.0), 1.15, 1 if quick else 3),
        lambda: quick_commands(rounds * 3),
        lambda: down_of(rounds),
        lambda: stack(rounds),
    ]
    if not quick:
        parts += [lambda: up_over(chain(1000, 0.1), 1.15, 1)]
    figures = [figure for part in parts for figure in part()]
    about = {"date": dt.datetime.now(dt.UTC).date().isoformat(), "machine": machine()}
    (HERE / "results").mkdir(exist_ok=True)
    result = {**about, "figures": [asdict(figure) for figure in figures]}
    (HERE / "results" / "figures.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"{about['date']}, {about['machine']}\n\n{table(figures)}")


if __name__ == "__main__":
    main()
