"""The tools, each with its configuration made by code, in one form."""

from __future__ import annotations

from peers.base import Peer
from peers.compose import ContainerDevctl, DockerCompose
from peers.devctl import Devctl
from peers.node import Concurrently, Mprocs, Pm2
from peers.pitchfork import Pitchfork
from peers.process_compose import ProcessCompose
from peers.procfile import Honcho, Overmind
from peers.supervisord import Supervisord

NATIVE: tuple[type[Peer], ...] = (
    Devctl, ProcessCompose, Pitchfork, Concurrently, Pm2, Supervisord, Overmind, Honcho, Mprocs,
)  # fmt: skip
CONTAINERS: tuple[type[Peer], ...] = (ContainerDevctl, DockerCompose)
ALL = (*NATIVE, *CONTAINERS)
