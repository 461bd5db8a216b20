"""What is known of a run of a native process."""

from __future__ import annotations

import asyncio

import msgspec

from devctl.core.model import Service
from devctl.core.state import ProcessIdentity
from devctl.runtimes.base import Emit
from devctl.runtimes.exits import Cancel
from devctl.runtimes.tree import Tree


class Run(msgspec.Struct, eq=False):
    """One run of a service, from its start or adoption until nothing of it is left."""

    service: Service
    number: int
    who: ProcessIdentity
    tree: Tree
    emit: Emit
    environment: dict[str, str]
    code: int | None = None
    cancel: Cancel = lambda: None
    after_exit: asyncio.Task[None] | None = None
    stopping: asyncio.Task[None] | None = None


class Swept(msgspec.Struct, frozen=True):
    """A process that was killed though no service ran any more."""

    pid: int
    service: str
    command: str
