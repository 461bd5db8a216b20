"""devctl alone: larger shapes, over their critical path."""

from __future__ import annotations

from peers.base import Peer, Wanted
from rig import shapes
from rig.stage import stage

from items.base import DEVCTL, Case, Figure, Item, Metric, Summaries, Values, bring_up, median
from items.ready import SHAPES

LIMITS = {"chain-10": 1.05, "tree-10": 1.05, "chain-100": 1.15, "tree-100": 1.15, "tree-1000": 1.15, "chain-1000": 1.15}


class Own(Item):
    """`devctl up` on shapes that grow; and a chain of three that take 1 s each to stop."""

    key = "own"
    title = "devctl on larger shapes"
    metrics = (
        Metric("ratio", "over the critical path", "×"),
        Metric("down", "`down`, over the services' own time", "×"),
    )

    def cases(self, quick: bool) -> list[Case]:
        sizes = [
            ("chain", 10, 1.0, 2),
            ("tree", 10, 2.0, 2),
            ("chain", 100, 0.3, 1),
            ("tree", 100, 1.0, 2),
            ("tree", 1000, 3.0, 1),
            ("chain", 1000, 0.1, 1),
        ]
        cases = [
            Case(f"{shape}-{count}", f"{shape} of {count}, ready after {delay:g} s", 1 if quick else rounds,
                 {"shape": shape, "count": count, "delay": delay})
            for shape, count, delay, rounds in (sizes[:1] if quick else sizes)
        ]  # fmt: skip
        return [*cases, Case("stop-3", "chain of 3, each 1 s to stop", 1 if quick else 2)]

    def absent(self, case: Case, peer: Peer) -> str:
        return "" if peer.name == DEVCTL else "-"

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        if case.key == "stop-3":
            return self._down(peer)
        work = SHAPES[case.params["shape"]](case.params["count"], case.params["delay"])
        with stage(len(work.services) + 1) as at:
            return {"ratio": bring_up(peer, at, Wanted(work, None), timeout=300).whole / work.critical_path}

    def _down(self, peer: Peer) -> Values:
        work = shapes.Work(tuple(shapes.Spec(each.name, each.needs, 0.05, 1.0) for each in shapes.chain(3).services))
        with stage(4) as at:
            bring_up(peer, at, Wanted(work, None))
            argv = peer.stop(at)
            assert argv is not None
            return {"down": at.run(argv).seconds / 3.0}

    def figures(self, found: Summaries) -> list[Figure]:
        figures = []
        for key, limit in LIMITS.items():
            ratio = median(found, key, DEVCTL, "ratio")
            if ratio is not None:
                shape, _, count = key.partition("-")
                figures.append(
                    Figure(
                        f"{shape} of {count}: over the critical path",
                        f"{ratio:.3f} ×",
                        f"≤ {limit:g} ×",
                        ratio <= limit,
                    )
                )
        down = median(found, "stop-3", DEVCTL, "down")
        if down is not None:
            figures.append(
                Figure(
                    "`down`, chain of 3 that stop in 1 s each", f"{down:.3f} × their own time", "≤ 1.1 ×", down <= 1.1
                )
            )
        return figures
