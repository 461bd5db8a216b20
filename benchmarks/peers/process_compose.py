"""process-compose."""

from __future__ import annotations

import json
from typing import Any

from rig.install import PINNED
from rig.stage import Stage

from peers.base import Argv, Peer, Wanted, numbered, shell_of

PATIENCE = 120
"""Probes that a service may miss until it is ready; after 3, the default, it would be ended on a busy machine."""
MISSES = 3
"""Its default: a process that is no daemon is started again when its readiness probe gives up (its page on health)."""


class ProcessCompose(Peer):
    """Detached, on a Unix socket. Its probes' period is a whole number of seconds: at least 1, 10 by default."""

    name = package = "process-compose"
    fastest = "1 s"

    def version(self) -> str:
        return PINNED[self.package].version

    def write(self, at: Stage, wanted: Wanted) -> None:
        processes: dict[str, Any] = {}
        for spec, port in numbered(at, wanted.work):
            probe: dict[str, Any] = {
                "http_get": {"host": "127.0.0.1", "scheme": "http", "path": "/", "port": str(port)}
            }
            if wanted.period is not None:
                probe |= {"period_seconds": max(1, round(wanted.period)), "timeout_seconds": 1}
            processes[spec.name] = {
                "command": shell_of(at, spec, port),
                "readiness_probe": {**probe, "failure_threshold": MISSES if wanted.hang else PATIENCE},
                "log_location": str(at.folder / f"{spec.name}.log"),
                **({"availability": {"restart": "always", "backoff_seconds": 1}} if wanted.restart else {}),
                **({"depends_on": {spec.needs: {"condition": "process_healthy"}}} if spec.needs else {}),
            }
        text = json.dumps({"version": "0.5", "processes": processes})
        (at.folder / "process-compose.yaml").write_text(text)

    def _call(self, at: Stage, *words: str) -> Argv:
        return [self.main(), "-u", at.folder / "pc.sock", "-L", at.folder / "pc.log", *words]

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [self._call(at, "up", "-D", "-t=false", "-f", str(at.folder / "process-compose.yaml"))]

    def ready(self, at: Stage, wanted: Wanted) -> Argv:
        return self._call(at, "project", "is-ready", "--wait")

    def stop(self, at: Stage) -> Argv:
        return self._call(at, "down")

    def listing(self, at: Stage) -> Argv:
        return self._call(at, "process", "list", "-o", "wide")

    def tail(self, at: Stage, name: str, lines: int) -> Argv:
        return self._call(at, "process", "logs", name, "-n", str(lines), "--raw-log")

    def follow(self, at: Stage, name: str) -> Argv:
        return self._call(at, "process", "logs", name, "-f", "-n", "1", "--raw-log")
