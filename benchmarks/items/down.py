"""8. Stopping everything."""

from __future__ import annotations

import time

from peers.base import Peer, Wanted
from rig import shapes
from rig.stage import FailedError, stage

from items.base import Case, Item, Metric, Values, bring_up, end_foreground, gone

LIMIT = 60.0


class Down(Item):
    """Until the command has returned (or the foreground has ended) and no service is left."""

    key = "down"
    title = "Everything down"
    metrics = (Metric("down", "until all are gone", "s"), Metric("left", "services left behind", ""))

    def cases(self, quick: bool) -> list[Case]:
        count, rounds = (20, 1) if quick else (100, 2)
        return [
            Case("flat", f"{count} services", rounds, {"count": count}),
            Case("stubborn", "tree of 10, one takes 3 s", rounds, {"count": 10, "stopping": 3.0}),
        ]

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        count, stopping = case.params["count"], case.params.get("stopping", 0.0)
        ordered = stopping and "ready" not in peer.cannot
        work = shapes.stubborn_tree(count, stopping) if stopping else shapes.flat(count)
        with stage(count + 1) as at:
            bring_up(peer, at, Wanted(work if ordered or not stopping else shapes.without_order(work)), say=False)
            time.sleep(1.0)  # what it does right after a start is no part of the end
            pids = {event.pid for event in at.journal.read() if event.what == "spawned"}
            begun = time.monotonic()
            deadline = begun + LIMIT
            argv = peer.stop(at)
            if argv is not None:
                at.run(argv, LIMIT, codes=None)
            elif not end_foreground(at, deadline):
                raise FailedError(f"did not end within {LIMIT:.0f} s")
            left = gone(at, pids, min(deadline, time.monotonic() + 15))
            return {"down": time.monotonic() - begun, "left": float(len(left))}
