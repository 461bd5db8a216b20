"""5. A service that crashes, and one that hangs: until it is started again."""

from __future__ import annotations

import os
import signal
import time

from peers.base import Peer, Wanted
from rig import shapes
from rig.stage import FailedError, Stage, stage

from items.base import DEVCTL, Case, Figure, Item, Metric, Summaries, Values, bring_up, median

BACKOFF = 0.5
"""devctl's pause before the first restart, in seconds, by default."""
VICTIM = "s3"


class Recovery(Item):
    """Seven services; one is killed (SIGKILL), or made to accept connections and answer nothing."""

    key = "recovery"
    title = "Crashed or hung → started again"
    metrics = (Metric("again", "until spawned again", "s"),)
    note = (
        "Before it starts a crashed service again devctl waits 0.5 s (its default), process-compose 1 s (its least), "
        "the others not at all; pitchfork looks every 100 ms (10 s by default)."
    )

    def cases(self, quick: bool) -> list[Case]:
        hang = {"signal": signal.SIGUSR1, "needs": "hang", "limit": 90.0}
        cases = [
            Case(
                "crash",
                "crashed",
                1 if quick else 3,
                {"signal": signal.SIGKILL, "needs": "crash", "period": 0.0, "limit": 20.0},
            ),
            Case("hang-1", "hung, probed every 1 s", 1 if quick else 2, {**hang, "period": 1.0}),
        ]
        return cases if quick else [*cases, Case("hang", "hung, at defaults", 1, {**hang, "period": None})]

    def absent(self, case: Case, peer: Peer) -> str:
        return super().absent(case, peer) or peer.unable(case.params["needs"])

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        wanted = Wanted(shapes.flat(7, 0.05), case.params["period"], restart=True, hang=case.params["needs"] == "hang")
        with stage(8) as at:
            bring_up(peer, at, wanted)
            time.sleep(1.5)  # supervisord counts an earlier end as a failed start
            return {"again": _again(at, case.params["signal"], case.params["limit"])}

    def figures(self, found: Summaries) -> list[Figure]:
        mine = median(found, "crash", DEVCTL, "again")
        if mine is None:
            return []
        beyond = (mine - BACKOFF) * 1000
        return [
            Figure("crashed → started again, beyond the backoff of 500 ms", f"{beyond:.0f} ms", "< 50 ms", beyond < 50)
        ]


def _again(at: Stage, what: int, timeout: float) -> float:
    begun = time.monotonic()
    os.kill(at.journal.first("spawned")[VICTIM].pid, what)

    def anew() -> list[float]:
        return [e.at for e in at.journal.events if e.name == VICTIM and e.what == "spawned" and e.at > begun]

    if not at.journal.until(lambda _: bool(anew()), timeout, at.alive):
        raise FailedError(f"not started again within {timeout:.0f} s")
    return anew()[0] - begun
