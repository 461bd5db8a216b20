"""Is a service healthy? One question, asked over HTTP, TCP, by a command or of its log; the answer is "" or why not."""

from __future__ import annotations

from devctl.probes.prober import Prober, Runner

__all__ = ["Prober", "Runner"]
