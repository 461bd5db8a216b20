"""What a runtime can do, and how it says what happened. Effects report back only as events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from devctl.core.model import Service
from devctl.core.state import AnyEvent, Identity

Emit = Callable[[AnyEvent], None]
"""Takes an event into the supervisor's inbox. Must be called on the event loop's thread."""


class RuntimeAdapter(Protocol):
    """One kind of thing that runs services. Every coroutine ends in an event, never in an exception."""

    async def start(self, service: Service, run: int, environment: Mapping[str, str], emit: Emit) -> None:
        """Start it: ends in Started or StartFailed, and later, once, in Exited. Returns as soon as it exists.

        ``environment`` is the user's environment with which ``${VAR}`` templates are filled in.
        """

    async def stop(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        """Stop it and everything it left: ends in Stopped (the tree is empty) or StopFailed."""

    async def adopt(self, service: Service, run: int, identity: Identity | None, emit: Emit) -> None:
        """Look whether that very run still lives: ends in Adopted (and later in Exited) or Exited."""

    def usage(self, identities: Mapping[str, Identity]) -> dict[str, tuple[float, int]]:
        """CPU percent (of one core, since the last call) and memory in bytes by service name, whole trees counted."""
