"""The composition root: one supervisor for one workspace. Run as ``python -m devctl.supervisor.daemon ROOT NAME``."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)
