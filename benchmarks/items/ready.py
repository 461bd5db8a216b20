"""1. Services that need each other: how much longer than the services themselves take."""

from __future__ import annotations

from peers.base import Peer, Wanted
from rig import shapes
from rig.stage import stage

from items.base import DEVCTL, Case, Figure, Item, Metric, Summaries, Values, bring_up, median

SHAPES = {"chain": shapes.chain, "tree": shapes.tree}


class Ready(Item):
    """Each service is ready 0.3 s after its start, so the shape's depth gives the time that no tool can beat."""

    key = "ready"
    title = "From nothing to all ready"
    metrics = (
        Metric("ratio", "over the critical path", "×"),
        Metric("overhead", "longer than it", "s"),
        Metric("listening", "until the last listened", "s"),
    )
    needs = ("ready",)
    charted = "overhead"

    def cases(self, quick: bool) -> list[Case]:
        rounds = 1 if quick else 3
        large, small = (10, 3) if quick else (50, 5)
        return [
            Case("chain-5", "chain of 5", rounds, {"shape": "chain", "count": 5}),
            Case("tree-50", f"tree of {large}", rounds, {"shape": "tree", "count": large}),
            Case("containers-5", f"chain of {small} containers", rounds,
                 {"shape": "chain", "count": small, "containers": True}),
        ]  # fmt: skip

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        work = SHAPES[case.params["shape"]](case.params["count"])
        with stage(len(work.services) + 1) as at:
            up = bring_up(peer, at, Wanted(work))
        path = work.critical_path
        return {"ratio": up.whole / path, "overhead": up.whole - path, "listening": up.listening}

    def figures(self, found: Summaries) -> list[Figure]:
        figures = []
        for case, title in (("chain-5", "chain of 5"), ("tree-50", "tree of 50")):
            ratio, mine = (median(found, case, DEVCTL, metric) for metric in ("ratio", "overhead"))
            if ratio is None or mine is None:
                continue
            figures.append(Figure(f"{title}: over the critical path", f"{ratio:.3f} ×", "≤ 1.05 ×", ratio <= 1.05))
            others = {
                peer: each["overhead"].median for (key, peer), each in found.items() if key == case and peer != DEVCTL
            }
            if others:
                best = min(others, key=lambda name: others[name])
                share = mine / others[best]
                what = f"{title}: overhead against the best peer's ({best})"
                against = f"{mine:.2f} s, {share:.2f} × its {others[best]:.2f} s"
                figures.append(Figure(what, against, "≤ 0.5 ×", share <= 0.5))
        return figures
