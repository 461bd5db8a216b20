"""What can be known to be wrong with a stack before anything is started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from devctl.core.model import ComposeStack, Service
from devctl.errors import DevctlError
from devctl.runtimes.compose import whole
from devctl.runtimes.compose_cli import ComposeCli
from devctl.runtimes.compose_config import StackConfig, parse
from devctl.runtimes.endpoint import Endpoint
from devctl.runtimes.policy import unknown_names
from devctl.runtimes.preparation import unknown


def validate(stack: ComposeStack, services: Sequence[Service], environment: Mapping[str, str]) -> list[DevctlError]:
    """Mistakes of the compose files in Compose's words, services they lack, ports they don't publish. No engine is
    needed, but the docker command is. Blocks, outside any event loop."""
    if missing := [path for path in stack.files if not Path(path).is_file()]:
        return [
            DevctlError("there is no such compose file", where=path, hint="correct compose.file") for path in missing
        ]
    try:
        config = resolved(stack, environment)
    except DevctlError as error:
        return [error]
    mine = [service for service in services if service.compose]
    wrong = unknown_names((service.compose for service in mine), config.services)
    unknowns = [unknown(service, wrong[service.compose], stack) for service in mine if service.compose in wrong]
    return unknowns + [
        _unpublished(service, port.number, stack)
        for service in mine
        if service.compose not in wrong and not config.services[service.compose].network_mode
        for port in service.ports
        if port.number not in config.services[service.compose].ports
    ]


def resolved(stack: ComposeStack, environment: Mapping[str, str]) -> StackConfig:
    """The stack as Compose resolves it. Blocks, outside any event loop. Raises DevctlError."""
    texts = asyncio.run(ComposeCli(stack, whole(environment), Endpoint("")).config())
    return parse(*texts, stack.project)


def _unpublished(service: Service, port: int, stack: ComposeStack) -> DevctlError:
    return DevctlError(
        f"{service.name}: the compose file doesn't publish port {port} of {service.compose}",
        where=", ".join(stack.files),
        hint=f'add "{port}:…" to its ports, or correct ports: in services.yaml',
    )
