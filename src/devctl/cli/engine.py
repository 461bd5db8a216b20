"""The Docker engine, for commands that need it: asked only when a container is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from devctl.core.model import Manifest
from devctl.errors import DevctlError

if TYPE_CHECKING:
    from devctl.runtimes.endpoint import Endpoint

GRACE = 10
"""Seconds a container of somebody else has to stop in."""


class Engine:
    """An engine's address, and why it doesn't answer ("" when it does, or was not needed)."""

    def __init__(self, endpoint: Endpoint | None = None, problem: str = "") -> None:
        self.endpoint, self.problem = endpoint, problem

    @property
    def address(self) -> str:
        """What the supervisor is told; "" where there is none."""
        return self.endpoint.address if self.endpoint and not self.problem else ""

    def holder_of_port(self, port: int) -> tuple[str, str, str] | None:
        """The container that publishes a port: name, Compose project, service."""
        if not self.address or self.endpoint is None:
            return None
        from devctl.runtimes.engine import Engine as Docker

        try:
            return Docker(self.endpoint).holder_of_port(port)
        except DevctlError:
            return None

    def stop(self, container: str) -> None:
        """Stop a container. Raises DevctlError."""
        from devctl.runtimes.engine import Engine as Docker

        if self.endpoint is not None:
            Docker(self.endpoint).stop(container, GRACE)


def find_engine(manifest: Manifest, names: Iterable[str], environment: Mapping[str, str]) -> Engine:
    """The engine that these services would run on; not asked when none of them is a compose service."""
    if not any(manifest.services[name].compose for name in names):
        return Engine()
    return ask_engine(environment)


def ask_engine(environment: Mapping[str, str]) -> Engine:
    """The engine the docker command would speak to, and whether it answers."""
    from devctl.runtimes.endpoint import locate, ping

    try:
        endpoint = locate(environment)
    except DevctlError as error:
        return Engine(problem=str(error))
    return Engine(endpoint, ping(endpoint))
