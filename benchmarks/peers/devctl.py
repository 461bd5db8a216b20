"""devctl itself, as its users get it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rig import machine
from rig.stage import Stage

from peers.base import Argv, Peer, Wanted, argv_of, numbered


class Devctl(Peer):
    """Its health checks are HTTP like everybody's; until a service is ready it chooses its moments itself."""

    name = "devctl"
    fastest = "its own: 2 ms, growing with the time waited to 100 ms"

    def main(self) -> Path:
        return Path(sys.executable).with_name("devctl")

    def version(self) -> str:
        return machine.said(str(self.main()), "--version").split()[-1]

    def write(self, at: Stage, wanted: Wanted) -> None:
        services = {}
        for spec, port in numbered(at, wanted.work):
            services[spec.name] = {
                "path": ".",
                "command": argv_of(at, spec, port),
                "ports": [port],
                "health": health(port, wanted.period),
                **({"depends_on": [spec.needs]} if spec.needs else {}),
            }
        (at.folder / "services.yaml").write_text(f"name: bench\nservices: {json.dumps(services)}\n")

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [[self.main(), "up", "--yes"]]

    def stop(self, at: Stage) -> Argv:
        return [self.main(), "down", "--yes"]

    def listing(self, at: Stage) -> Argv:
        return [self.main(), "status"]

    def tail(self, at: Stage, name: str, lines: int) -> Argv:
        return [self.main(), "logs", name, "-n", str(lines)]

    def follow(self, at: Stage, name: str) -> Argv:
        return [self.main(), "logs", name, "--follow", "-n", "1"]

    def extra(self, at: Stage) -> dict[str, Argv]:
        return {"why": [self.main(), "why", "s3"], "nothing": [self.main(), "up", "--yes"]}


def health(port: int, period: float | None) -> Any:
    """A service's health check; without a period of its own the short form, with devctl's defaults."""
    url = f"http://127.0.0.1:{port}/"
    return {"http": url, "period": f"{period:g}s", "timeout": "1s"} if period else url
