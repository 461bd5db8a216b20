"""7. A service that prints a lot: what the tool makes of it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
import urllib.request

from peers.base import Argv, Peer, Wanted, argv_of
from rig import shapes
from rig.stage import FailedError, Stage, stage

from items.base import DEVCTL, Case, Figure, Item, Metric, Summaries, Values, bring_up, median

LINES = 1000
LIMIT = 20.0
"""Seconds; into a file it takes one or two."""


class Output(Item):
    """The service's own time to print, against its time into a file right before and right after, each with a disk that
    has nothing left to write; then its log is read and followed."""

    key = "output"
    title = "A service that prints much"
    metrics = (
        Metric("slowdown", "its time against a file", "×"),
        Metric("noise", "the file itself, after against before", "×"),
        Metric("printing", "its time", "s"),
        Metric("tail", "last 1,000 lines", "ms"),
        Metric("follow", "line printed → shown", "ms", spread=True),
    )
    note = (
        "The log is read with the tool's own command, as it is kept by default (some keep 1,000 lines, some cut files "
        "by size). —: it has no such command, or it did not show the last line."
    )

    def cases(self, quick: bool) -> list[Case]:
        size, title = (20_000_000, "20 MB") if quick else (1_000_000_000, "1 GB")
        return [Case("print", title, 1 if quick else 3, {"size": size, "lines": 3 if quick else 10})]

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        work = shapes.flat(1, 0.05, case.params["size"])
        with stage(2) as at:
            before = _alone(at, work.services[0])
            os.sync()
            bring_up(peer, at, Wanted(work), say=False)
            spent = _printed(at, LIMIT)
            values: Values = {"printing": spent}
            time.sleep(1.0)  # a tool that reads behind catches up
            if (shown := _tail(at, peer.tail(at, "s0", LINES))) is not None:
                values["tail"] = shown
            if latencies := _follow(at, peer.follow(at, "s0"), case.params["lines"]):
                values["follow"] = latencies
        with stage(2) as at:
            after = _alone(at, work.services[0])
        return values | {"slowdown": spent / ((before + after) / 2), "noise": after / before}

    def figures(self, found: Summaries) -> list[Figure]:
        mine = median(found, "print", DEVCTL, "slowdown")
        return (
            []
            if mine is None
            else [Figure("a service that prints 1 GB, slower by", f"{(mine - 1) * 100:.1f} %", "≤ 2 %", mine <= 1.02)]
        )


def _alone(at: Stage, spec: shapes.Spec) -> float:
    """Seconds that the service takes to print into a file; it is ended then."""
    os.sync()
    with (at.folder / "alone.log").open("wb") as log:
        child = subprocess.Popen(argv_of(at, spec, at.first_port), cwd=at.folder, env=at.env, stdout=log)
        at.children.append(child)
        spent = _printed(at, LIMIT)
        child.kill()
        child.wait(20)
    (at.folder / "alone.log").unlink()
    at.journal.forget()
    return spent


def _printed(at: Stage, timeout: float) -> float:
    if not at.journal.until(lambda _: "s0" in at.journal.first("printed"), timeout, at.alive):
        raise FailedError(f"the service had not printed all after {timeout:.0f} s")
    return at.journal.first("printed")["s0"].at - at.journal.first("listening")["s0"].at


def _tail(at: Stage, argv: Argv | None) -> float | None:
    """Milliseconds; None when the command failed or did not show the last line."""
    if argv is None:
        return None
    try:
        ran = at.run(argv, 60)
    except FailedError:
        return None
    return ran.seconds * 1000 if "the end" in ran.output[-500:] else None


def _follow(at: Stage, argv: Argv | None, count: int) -> list[float]:
    """Milliseconds from a line printed to the line shown, of as many lines as were shown."""
    if argv is None:
        return []
    child = subprocess.Popen(
        [str(word) for word in argv], cwd=at.folder, env=at.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    at.children.append(child)
    seen: dict[str, float] = {}
    _shown(child, seen, 2.0, None)
    for number in range(count):
        with urllib.request.urlopen(f"http://127.0.0.1:{at.first_port}/line/n{number}x", timeout=10) as answer:
            answer.read()
        if not _shown(child, seen, 3.0, f"n{number}x"):
            break
    child.kill()
    assert child.stdout is not None
    child.stdout.close()
    printed = {e.what.removeprefix("line-"): e.at for e in at.journal.read() if e.what.startswith("line-")}
    return [(at_ - printed[name]) * 1000 for name, at_ in seen.items() if name in printed]


def _shown(child: subprocess.Popen[bytes], seen: dict[str, float], patience: float, until: str | None) -> bool:
    """Read what the follower shows, for ``patience`` s or until a line; when each was first seen stands in ``seen``."""
    assert child.stdout is not None
    deadline, text = time.monotonic() + patience, ""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([child.stdout], [], [], left)[0]:
            break
        chunk = os.read(child.stdout.fileno(), 65536)
        if not chunk:
            break
        text = text[-4096:] + chunk.decode(errors="replace")
        for name in re.findall(r"line (n\d+x)", text):
            seen.setdefault(name, time.monotonic())
        if until is not None and until in seen:
            return True
    return False
