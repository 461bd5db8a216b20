"""2. Many services that need nothing: time, CPU and memory of the tool."""

from __future__ import annotations

from peers.base import Peer, Wanted
from rig import marked, shapes
from rig.stage import stage

from items.base import DEVCTL, PROCESS_COMPOSE, Case, Figure, Item, Metric, Summaries, Values, bring_up, median


class Many(Item):
    """N services at once, each listening 0.3 s after its start."""

    key = "many"
    title = "Many independent services"
    metrics = (
        Metric("listening", "until the last listened", "s"),
        Metric("said", "until the tool says ready", "s"),
        Metric("cpu", "CPU a service", "ms"),
        Metric("memory", "memory", "MB"),
        Metric("resident", "resident", "MB"),
    )

    def cases(self, quick: bool) -> list[Case]:
        sizes = {10: 1, 30: 1} if quick else {10: 2, 100: 1, 1000: 2}
        return [Case(f"n-{count}", f"{count} services", rounds, {"count": count}) for count, rounds in sizes.items()]

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        count = case.params["count"]
        with stage(count + 1) as at:
            up = bring_up(peer, at, Wanted(shapes.flat(count)))
            managers = at.managers()
            resident, memory = marked.memory(managers)
            cpu = (up.cpu + marked.cpu_seconds(managers)) / count * 1000
        values: Values = {"listening": up.listening, "cpu": cpu, "memory": memory, "resident": resident}
        return values | ({"said": up.said} if up.said is not None else {})

    def figures(self, found: Summaries) -> list[Figure]:
        mine, cpu = (median(found, "n-1000", DEVCTL, metric) for metric in ("said", "cpu"))
        if mine is None or cpu is None:
            return []
        theirs = median(found, "n-1000", PROCESS_COMPOSE, "said")
        against = f"{mine:.1f} s" + (f", its {theirs:.1f} s" if theirs is not None else "")
        met = None if theirs is None else mine <= theirs
        return [
            Figure("1,000 services: until ready, against process-compose", against, "no slower", met),
            Figure("1,000 services: CPU a service", f"{cpu:.1f} ms", "< 3 ms", cpu < 3),
        ]
