"""``status --watch``: the dashboard on a screen of its own, until a key ends it."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from devctl.api.protocol import Snapshot
from devctl.cli.place import Place, known_manifest
from devctl.ui.region import Region
from devctl.ui.tables import dashboard
from devctl.ui.text import Text
from devctl.ui.theme import FAINT, Screen
from devctl.ui.view import NOBODY

PERIOD = 0.5
"""Seconds between two looks."""
QUIT = {b"q", b"Q", b"\x1b", b"\x04"}


def watch(place: Place, screen: Screen) -> Snapshot | None:
    """Draw until a key is pressed; the last thing seen."""
    with _keys(sys.stdin.fileno()), Region(screen, whole=True) as region:
        while True:
            snapshot = place.snapshot(usage=True)
            region.draw(_lines(place, snapshot, screen))
            if _pressed(PERIOD):
                return snapshot


def _lines(place: Place, snapshot: Snapshot | None, screen: Screen) -> list[Text]:
    lines = dashboard(known_manifest(place, snapshot), snapshot or NOBODY, screen.glyphs, screen.width)
    room = screen.height - 2
    if len(lines) > room:
        hidden = len(lines) - room + 1
        lines = [*lines[: room - 1], Text(f"  {screen.glyphs.ellipsis} {hidden} more lines", style=FAINT)]
    return [*lines, Text(), Text("  q quits", style=FAINT)][: screen.height]


@contextmanager
def _keys(descriptor: int) -> Iterator[None]:
    """Keys come at once and unseen; the terminal is as before afterwards."""
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _pressed(seconds: float) -> bool:
    """Whether a key that quits came within this time."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and os.read(sys.stdin.fileno(), 1) in QUIT
