"""The second half of ``devctl up``: the supervisor has been asked; wait beside it, say how it went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module

from devctl.api.protocol import Snapshot, Up
from devctl.cli.outcome import finished, is_settled, words_of
from devctl.cli.place import Place
from devctl.cli.pulling import Remake, pull_beside
from devctl.cli.waiting import Waiter, screen
from devctl.core.graph import impact
from devctl.errors import Exit
from devctl.ui.progress import Progress, beside
from devctl.ui.summary import closing, related


def arrival(place: Place, request: Up, news: Iterator[Snapshot], began: float, remake: Remake | None) -> int:
    """Draw the ``news`` until all that was asked for is up, or not; the exit code. With ``remake`` sources are pulled
    meanwhile. Raises DevctlError, KeyboardInterrupt."""
    if request.manifest.relations:
        import_module("devctl.git.changes")  # for the end, while services start
    out = screen()
    progress = Progress(request.manifest, request.names, began)
    pull = pull_beside(place, request, remake) if remake else None
    waiter = Waiter(out, words_of(place), lambda seen: is_settled(seen) and seen.pull_over, pull=pull)
    try:
        if pull:
            progress, _ = beside(progress, pull.sight)
        progress = waiter.wait(progress, news)
    finally:
        if pull:
            pull.stop()
    code = finished(progress)
    out.write(closing(progress, time.monotonic(), out.glyphs, out.width))
    if code is Exit.DONE:
        out.write(related(_changes(place, progress), out.width))
    return code


def _changes(place: Place, progress: Progress) -> dict[str, tuple[str, ...]]:
    """Services whose sources changed since the last ``up``, with what their relations say to think of."""
    services = progress.manifest.services.values()
    folders = {service.name: service.path for service in services if service.path}
    if not progress.manifest.relations or not folders:
        return {}
    from devctl.git.changes import changed, record

    found = {name: impact(progress.manifest, name) for name in changed(place.workspace, folders)}
    record(place.workspace, folders)
    return {name: others for name, others in found.items() if others}
