"""9. The commands one types all day."""

from __future__ import annotations

from peers import CONTAINERS
from peers.base import Peer, Wanted
from rig import shapes
from rig.stage import stage

from items.base import DEVCTL, Case, Figure, Item, Metric, Summaries, Values, bring_up, median

COMPOSE = "docker compose"


class Commands(Item):
    """With seven services up, each command five times a round; Docker Compose's seven are containers."""

    key = "commands"
    title = "Quick commands"
    metrics = (
        Metric("list", "list the services", "ms"),
        Metric("help", "`--help`", "ms"),
        Metric("why", "`devctl why`", "ms"),
        Metric("nothing", "`devctl up`, nothing to do", "ms"),
    )
    needs = ("list",)

    def cases(self, quick: bool) -> list[Case]:
        return [Case("seven", "seven services up", 1 if quick else 2, {"times": 2 if quick else 5})]

    def absent(self, case: Case, peer: Peer) -> str:
        if isinstance(peer, CONTAINERS) and peer.name != COMPOSE:
            return "-"
        return peer.unable(*self.needs)

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        with stage(8) as at:
            bring_up(peer, at, Wanted(shapes.flat(7, 0.05)))
            asked = {"list": peer.listing(at), "help": [*peer.helps(), "--help"], **peer.extra(at)}
            values: dict[str, list[float]] = {key: [] for key in asked}
            for _ in range(case.params["times"]):
                for key, argv in asked.items():
                    if argv is not None:
                        values[key].append(at.run(argv, 60).seconds * 1000)
        return dict(values)

    def figures(self, found: Summaries) -> list[Figure]:
        mine, theirs = (median(found, "seven", peer, "list") for peer in (DEVCTL, COMPOSE))
        if mine is None:
            return []
        figures = [Figure("`devctl status`", f"{mine:.0f} ms", "< 150 ms", mine < 150)]
        if theirs is not None:
            against = f"{mine:.0f} ms, its {theirs:.0f} ms"
            figures.append(Figure("`devctl status` against `docker compose ps`", against, "faster", mine < theirs))
        return figures
