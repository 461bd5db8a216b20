"""4. Control Core's compose half, against `docker compose up -d --wait`."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from peers.base import Argv, Peer
from rig.machine import ROOT
from rig.stage import Stage, stage

from items.base import Case, Figure, Item, Metric, Summaries, Values, median

DEVCTL, COMPOSE = "devctl (containers)", "docker compose"
INTERVALS = (1, 5)
LIMIT = 600.0
"""Seconds; the first start builds the images."""


class Stack(Item):
    """The repository's own Compose file and services.yaml, on other ports; what is not a container is left out."""

    key = "stack"
    title = "Control Core's containers"
    metrics = (Metric("down", "from down", "s"), Metric("stopped", "from stopped", "s"))
    note = (
        "Each first starts everything once, unmeasured, which builds the images. devctl reads the file as it is in the "
        "repository and probes from outside; for Compose the health checks' interval is the one named."
    )

    def cases(self, quick: bool) -> list[Case]:
        return [Case("stack", "seven services, one of them a one-shot", 1 if quick else 2)]

    def entrants(self, case: Case, peers: list[Peer]) -> tuple[list[tuple[str, Peer]], dict[str, str]]:
        """Compose takes part with each interval."""
        known = {peer.name: peer for peer in peers}
        there = [("devctl", known[DEVCTL])] if DEVCTL in known else []
        if COMPOSE in known:
            there += [(f"{COMPOSE}, {seconds} s", known[COMPOSE]) for seconds in INTERVALS]
        return there, {}

    def measure(self, case: Case, label: str, peer: Peer) -> Values:
        with stage(16) as at:
            at.containers = True
            interval = int(label.split()[-2]) if peer.name == COMPOSE else None
            write(at, interval)
            up: Argv = [peer.main(), "up", "--yes"] if interval is None else compose("up", "-d", "--wait")
            stop: Argv = [peer.main(), "down", "--yes"] if interval is None else compose("stop")
            at.run(up, LIMIT)
            if interval is None:
                at.run(stop, LIMIT)
            at.run(compose("down"), LIMIT)
            down = at.run(up, LIMIT).seconds
            at.run(stop, LIMIT)
            stopped = at.run(up, LIMIT).seconds
            at.run(stop, LIMIT)
        return {"down": down, "stopped": stopped}

    def figures(self, found: Summaries) -> list[Figure]:
        figures = []
        for metric, title in (("down", "from down"), ("stopped", "from stopped")):
            mine = median(found, "stack", "devctl", metric)
            for seconds in INTERVALS:
                theirs = median(found, "stack", f"{COMPOSE}, {seconds} s", metric)
                if mine is not None and theirs is not None:
                    what = f"Control Core's containers {title}, against `docker compose up -d --wait` at {seconds} s"
                    share = mine / theirs
                    figures.append(
                        Figure(what, f"{mine:.2f} s, {share:.2f} × its {theirs:.2f} s", "≤ 0.5 ×", share <= 0.5)
                    )
        return figures


def compose(*words: str) -> Argv:
    """A Compose command on the round's file."""
    return ["docker", "compose", "-f", "compose.json", *words]


def write(at: Stage, interval: int | None) -> None:
    """compose.json and services.yaml: the repository's, with ports of this round."""
    stack = yaml.safe_load((ROOT / "compose/controlcore-local-dev.yml").read_text(encoding="utf-8"))
    workspace = yaml.safe_load((ROOT / "services.yaml").read_text(encoding="utf-8"))
    kept = {name: each for name, each in workspace["services"].items() if "compose" in each}
    numbers = sorted({port for each in kept.values() for port in each.get("ports", [])})
    ports = {number: at.first_port + place for place, number in enumerate(numbers)}
    stack = {key: value for key, value in stack.items() if not key.startswith("x-")}
    for service in stack["services"].values():
        _adapt(service, ports, interval)
    (at.folder / "compose.json").write_text(json.dumps({**stack, "name": at.project}))
    services = {name: _service(each, ports) for name, each in kept.items()}
    whole = {"name": "bench", "compose": {"file": "compose.json", "project": at.project}, "services": services}
    (at.folder / "services.yaml").write_text(json.dumps(whole))


def _adapt(service: dict[str, Any], ports: dict[int, int], interval: int | None) -> None:
    if "ports" in service:
        service["ports"] = [
            re.sub(r":(\d+):", lambda found: f":{ports[int(found[1])]}:", each) for each in service["ports"]
        ]
    if "build" in service:
        context = service["build"]["context"]
        service["build"] = {**service["build"], "context": context.replace("../", f"{ROOT}/")}
    if interval is not None and "healthcheck" in service:
        service["healthcheck"] = {**service["healthcheck"], "interval": f"{interval}s", "retries": 60 // interval}


def _service(each: dict[str, Any], ports: dict[int, int]) -> dict[str, Any]:
    kept = {key: value for key, value in each.items() if key not in {"native", "database", "predeploy"}}
    for old, new in ports.items():
        if "health" in kept:
            kept["health"] = kept["health"].replace(f":{old}", f":{new}")
    if "ports" in kept:
        kept["ports"] = [ports[port] for port in kept["ports"]]
    return kept
