"""What the loop has done for it, as the loop sees it."""

from __future__ import annotations

from typing import Protocol

from devctl.api.protocol import Up
from devctl.core.model import Service
from devctl.core.state import ServiceState


class Effects(Protocol):
    """What the loop has done for it. Every effect answers, later, with events in the inbox."""

    def prepare(self, services: list[Service]) -> None:
        """Make setup, image and container current."""

    def start(self, service: Service, run: int) -> None:
        """Start this run."""

    def stop(self, service: Service, run: int) -> None:
        """Stop this run and everything it left."""

    def interrupt_setup(self, name: str) -> None:
        """Its setup is no longer wanted."""

    def changed(self, service: Service, after: ServiceState) -> None:
        """A state changed: begin or end to watch it."""

    def asked(self, request: Up) -> None:
        """Remember what only the request knows: the environment, the engine's address."""
