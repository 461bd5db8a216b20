"""6. What it costs to watch services that are fine."""

from __future__ import annotations

import time

from peers.base import Peer, Wanted
from rig import marked, shapes
from rig.stage import stage

from items.base import DEVCTL, PROCESS_COMPOSE, Case, Figure, Item, Metric, Summaries, Values, bring_up, median

SETTLE = 3.0


class Idle(Item):
    """CPU and memory of all the tool's processes over a while in which nothing happens."""

    key = "idle"
    title = "Idle, all services healthy"
    metrics = (
        Metric("cpu", "CPU of a core", "%"), Metric("memory", "memory", "MB"), Metric("resident", "resident", "MB"),
    )  # fmt: skip
    note = (
        "At defaults devctl probes every 5 s, process-compose every 10 s, pitchfork looks at its processes every 10 s; "
        "the others probe nothing."
    )

    def cases(self, quick: bool) -> list[Case]:
        window = 3.0 if quick else 10.0
        return [
            Case(
                f"{count}-{key}", f"{count} services, {title}", 1, {"count": count, "period": period, "window": window}
            )
            for count in ((7,) if quick else (7, 100))
            for key, title, period in (("default", "defaults", None), ("1s", "probed every 1 s", 1.0))
        ]

    def absent(self, case: Case, peer: Peer) -> str:
        absent = super().absent(case, peer)
        if absent or case.params["period"] is None:
            return absent
        if peer.name == "pitchfork":
            return "probes nothing after the start"
        return peer.unable("probes")

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        with stage(case.params["count"] + 1) as at:
            bring_up(peer, at, Wanted(shapes.flat(case.params["count"], 0.1), case.params["period"]), say=False)
            time.sleep(SETTLE)  # what it does right after a start is no idling
            managers, window = at.managers(), case.params["window"]
            before, begun = marked.cpu_fine(managers), time.monotonic()
            time.sleep(window)
            spent = (marked.cpu_fine(managers) - before) / (time.monotonic() - begun)
            resident, memory = marked.memory(managers)
        return {"cpu": spent * 100, "memory": memory, "resident": resident}

    def figures(self, found: Summaries) -> list[Figure]:
        figures = []
        for case, title in (("7-1s", "7 services"), ("100-1s", "100 services")):
            mine, theirs = (median(found, case, peer, "cpu") for peer in (DEVCTL, PROCESS_COMPOSE))
            if mine is not None and theirs is not None:
                what = f"idle CPU, {title} probed every 1 s, against process-compose"
                figures.append(Figure(what, f"{mine:.2f} %, its {theirs:.2f} %", "no more", mine <= theirs))
        resident = median(found, "7-default", DEVCTL, "resident")
        if resident is not None:
            figures.append(Figure("memory with 7 services (resident)", f"{resident:.0f} MB", "< 45 MB", resident < 45))
        return figures
