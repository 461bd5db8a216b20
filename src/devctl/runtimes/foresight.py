"""What ``up`` would do to a stack's images and containers, for a rehearsal: looked at, nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from devctl.core.model import ComposeStack, Service
from devctl.runtimes.compose import whole
from devctl.runtimes.compose_cli import ComposeCli
from devctl.runtimes.endpoint import Endpoint
from devctl.runtimes.engine import Engine
from devctl.runtimes.policy import StackChange
from devctl.runtimes.preparation import Preparation


def foresee(
    stack: ComposeStack, services: Sequence[Service], environment: Mapping[str, str], endpoint: Endpoint, folder: Path
) -> dict[str, StackChange]:
    """The decision about each of these services; those the compose file lacks are left out. ``folder`` is
    ``.devctl``. Blocks, outside any event loop. Raises DevctlError."""
    engine = Engine(endpoint)
    preparation = Preparation(stack, folder, engine)
    try:
        config = asyncio.run(preparation.config(ComposeCli(stack, whole(environment), endpoint)))
        return preparation.look(preparation.known(services, config, lambda *_: None), config).changes()
    finally:
        engine.close()
