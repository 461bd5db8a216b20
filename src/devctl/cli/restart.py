"""``devctl restart``: the same process or container anew."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from devctl.api.client import NoSupervisor
from devctl.api.protocol import Restart
from devctl.cli.outcome import finished, is_settled, words_of
from devctl.cli.place import here, known_manifest
from devctl.cli.waiting import Waiter, screen
from devctl.core.model import Runtime
from devctl.errors import DevctlError, Exit
from devctl.manifest.choose import known_services
from devctl.ui.progress import Progress
from devctl.ui.summary import closing

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def restart(
    context: typer.Context, services: Annotated[list[str], typer.Argument(metavar="SERVICE...", help="Which.")]
) -> int:
    """Stop and start these services, wait until they are healthy."""
    place = here(context)
    snapshot = place.snapshot()
    if snapshot is None:
        raise NoSupervisor(place.workspace)
    manifest = known_manifest(place, snapshot)
    names = tuple(known_services(manifest, services))
    if still := [name for name in names if manifest.services[name].runtime is Runtime.LIBRARY]:
        raise DevctlError(f"{still[0]} is a library and runs nothing", manifest.file, code=Exit.USAGE)
    out, began = screen(), time.monotonic()
    waiter = Waiter(out, words_of(place), is_settled)
    try:
        progress = waiter.wait(Progress(manifest, names, began), place.client.stream(Restart(names=names)))
    except KeyboardInterrupt:
        sys.stderr.write("no longer waiting; services go on: devctl status, devctl down\n")
        return Exit.INTERRUPTED
    code = finished(progress)
    out.write(closing(progress, time.monotonic(), out.glyphs, out.width))
    return code
