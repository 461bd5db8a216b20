"""3. From "it accepts connections" to "what needs it is spawned"."""

from __future__ import annotations

from peers.base import Peer, Wanted
from rig import shapes
from rig.stage import stage

from items.base import DEVCTL, Case, Figure, Item, Metric, Summaries, Values, bring_up, median


class Edges(Item):
    """Chains beside each other, of services that take between 0.2 and 1.2 s, the same ones for every tool."""

    key = "edges"
    title = "Accepting connections → its dependent spawned"
    metrics = (Metric("latency", "latency", "ms", spread=True),)
    needs = ("ready",)

    def cases(self, quick: bool) -> list[Case]:
        native = {"chains": 4, "length": 3} if quick else {"chains": 10, "length": 6}
        inside = {"chains": 2, "length": 2} if quick else {"chains": 8, "length": 6}
        return [
            Case("native", "processes", 1 if quick else 4, native),
            Case("containers", "containers", 1 if quick else 5, {**inside, "containers": True}),
        ]

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        work = shapes.chains(case.params["chains"], case.params["length"], seed=7)
        with stage(len(work.services) + 1) as at:
            bring_up(peer, at, Wanted(work), timeout=120)
            listening, spawned = at.journal.first("listening"), at.journal.first("spawned")
        return {"latency": [(spawned[child].at - listening[needed].at) * 1000 for needed, child in work.edges]}

    def figures(self, found: Summaries) -> list[Figure]:
        mine = median(found, "native", DEVCTL, "latency")
        return (
            []
            if mine is None
            else [Figure("dependent spawned, median, native", f"{mine:.1f} ms", "< 15 ms", mine < 15)]
        )
