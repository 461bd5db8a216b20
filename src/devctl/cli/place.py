"""Where a command works: the manifest's file, the workspace beside it, its supervisor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from devctl.api.client import Client, NoSupervisor
from devctl.api.protocol import Snapshot, Status
from devctl.core.model import Manifest
from devctl.manifest.load import beside, load
from devctl.workspace import Workspace, find, plain_name

if TYPE_CHECKING:
    import typer

    from devctl.cli.simple import Asked


class Place:
    """One manifest, looked at as little as the command needs."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest as it is on disk now. Raises DevctlError."""
        return load(self.file, os.environ)

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """What services are started with: this process's environment and, below it, ``.env`` beside the manifest."""
        return beside(self.file, os.environ)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace, whose name is the manifest's. Raises DevctlError."""
        return Workspace(self.file.parent, plain_name(self.file) or self.manifest.name)

    @cached_property
    def client(self) -> Client:
        """Talks to the workspace's supervisor."""
        return Client(self.workspace)

    def snapshot(self, *, usage: bool = False) -> Snapshot | None:
        """What is so now, None where no supervisor runs."""
        try:
            return self.client.ask(Status(usage=usage))
        except NoSupervisor:
            return None


def here(context: typer.Context | Asked) -> Place:
    """The place the command line names, or else the nearest. Raises DevctlError."""
    file: Path | None = context.obj
    return Place(find(Path.cwd(), file))


def known_manifest(place: Place, snapshot: Snapshot | None) -> Manifest:
    """The manifest the supervisor works with; without one, the file's."""
    return snapshot.manifest if snapshot and snapshot.manifest else place.manifest
