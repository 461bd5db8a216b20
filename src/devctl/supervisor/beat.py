"""Moments that timers share: what wakes at the same one costs the machine a single waking, which from an idle processor
takes as much as the work that it is for. Pure."""

from __future__ import annotations

BEAT = 0.25
"""Seconds between two such moments."""
_SLACK = 0.001
"""A timer wakes up to so many seconds after its moment; who is on the beat stays on it."""


def shared(delay: float, now: float, beat: float = BEAT) -> float:
    """Seconds until the last shared moment that comes within ``delay`` from ``now`` (monotonic seconds): no later, and
    less than a beat earlier."""
    return delay - ((now + delay + _SLACK) % beat - _SLACK)
