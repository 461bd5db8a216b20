"""The composition root: one supervisor for one workspace. Run as ``python -m devctl.supervisor.daemon ROOT NAME``."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path

from devctl import __version__
from devctl.api.protocol import Handover, Snapshot, Up, Usage
from devctl.core.model import Runtime, Service
from devctl.core.state import Identity, ProcessIdentity, ServiceState
from devctl.logs import Logs
from devctl.manifest.interpolate import fill
from devctl.runtimes import host
from devctl.runtimes.base import RuntimeAdapter
from devctl.runtimes.process import ProcessRuntime
from devctl.supervisor.effects import Effects
from devctl.supervisor.executor import Executor, External
from devctl.supervisor.journal import Began, Journal, Known, Standing, Wanted, recover
from devctl.supervisor.loop import Loop
from devctl.supervisor.observe import Observer
from devctl.supervisor.server import Server
from devctl.workspace import Workspace

log = logging.getLogger(__name__)
