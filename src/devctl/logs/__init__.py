"""A service's log file: written by the service itself; read, followed, merged by time and rotated by us."""

from __future__ import annotations

from devctl.logs.files import MAX_BYTES, Logs, service_of, setup_log
from devctl.logs.follow import Follow
from devctl.logs.text import Line, plain

__all__ = ["MAX_BYTES", "Follow", "Line", "Logs", "plain", "service_of", "setup_log"]
