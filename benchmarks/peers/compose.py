"""Services in containers: Docker Compose, and devctl over the same Compose file."""

from __future__ import annotations

import json
import os
from typing import Any

from rig import machine
from rig.marked import SERVICE
from rig.stage import Stage

from peers.base import Argv, Peer, Wanted, arguments_of, numbered
from peers.devctl import Devctl, health

IMAGE = "BENCH_IMAGE"
DEFAULT_IMAGE = "debian:bookworm-slim"
"""Any image that has perl."""
PROBE = "use IO::Socket::INET; exit(IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => shift) ? 0 : 1)"


def stack(at: Stage, wanted: Wanted, checked: bool) -> dict[str, Any]:
    """The Compose file. Docker's own health checks stand in it for Compose alone: devctl needs none."""
    services: dict[str, Any] = {}
    for spec, port in numbered(at, wanted.work):
        command = ["perl", "/bench/service.pl", *arguments_of(spec, port, "/bench/events")]
        condition = {"condition": "service_healthy"}
        services[spec.name] = {
            "image": os.environ.get(IMAGE, DEFAULT_IMAGE),
            "command": command,
            "environment": {"BENCH_ANY": "1"},
            "ports": [f"127.0.0.1:{port}:{port}"],
            "volumes": [f"{SERVICE}:/bench/service.pl:ro", f"{at.journal.path}:/bench/events"],
            **({"healthcheck": _check(port, wanted.period)} if checked else {}),
            **({"restart": "always"} if wanted.restart else {}),
            **({"depends_on": {spec.needs: condition}} if spec.needs and checked else {}),
        }
    return {"name": at.project, "services": services}


def _check(port: int, period: float | None) -> dict[str, Any]:
    """Docker's: 30 s by default; at the fastest, tried every 100 ms until it is healthy."""
    test: dict[str, Any] = {"test": ["CMD", "perl", "-e", PROBE, str(port)]}
    if period is None:
        return test
    quick = {"start_period": "60s", "start_interval": "100ms"} if not period else {}
    return {**test, "interval": f"{period or 1:g}s", "timeout": "1s", "retries": 30, **quick}


class DockerCompose(Peer):
    """`docker compose up -d --wait`."""

    name = "docker compose"
    containers = True
    fastest = "100 ms until healthy (start_interval), then 1 s"
    cannot = {"hang": "marks a container unhealthy and leaves it so", "probes": "its manager is the engine, shared"}

    def version(self) -> str:
        return machine.said("docker", "compose", "version", "--short")

    def write(self, at: Stage, wanted: Wanted) -> None:
        (at.folder / "compose.json").write_text(json.dumps(stack(at, wanted, checked=True)))

    def call(self, *words: str) -> Argv:
        """A Compose command on the round's file."""
        return ["docker", "compose", "-f", "compose.json", *words]

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [self.call("up", "-d", "--wait")]

    def stop(self, at: Stage) -> Argv:
        return self.call("down")

    def listing(self, at: Stage) -> Argv:
        return self.call("ps")

    def helps(self) -> Argv:
        return ["docker", "compose"]


class ContainerDevctl(Devctl):
    """devctl with its services in containers; it probes them from outside."""

    name = "devctl (containers)"
    containers = True

    def write(self, at: Stage, wanted: Wanted) -> None:
        (at.folder / "compose.json").write_text(json.dumps(stack(at, wanted, checked=False)))
        services = {
            spec.name: {
                "compose": spec.name,
                "ports": [port],
                "health": health(port, wanted.period),
                **({"depends_on": [spec.needs]} if spec.needs else {}),
            }
            for spec, port in numbered(at, wanted.work)
        }
        text = (
            f"name: bench\ncompose: {{file: compose.json, project: {at.project}}}\nservices: {json.dumps(services)}\n"
        )
        (at.folder / "services.yaml").write_text(text)

    def stop(self, at: Stage) -> Argv:
        return [self.main(), "down", "--yes"]
