"""``devctl logs``: files of processes and the engine's logs of containers, merged by time."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from devctl.cli.declared import Declared
from devctl.cli.place import here, known_manifest
from devctl.core.model import Manifest, Runtime
from devctl.errors import DevctlError, Exit
from devctl.manifest.choose import known_services

if TYPE_CHECKING:
    import typer

app = Declared()

USUAL, USUAL_FOLLOWED = 100, 20
"""Lines shown when neither -n nor --since says how many."""
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")


@app.command
def logs(
    context: typer.Context,
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="All, when none is named.")
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes.")] = False,
    lines: Annotated[
        int | None, typer.Option("-n", "--lines", metavar="N", min=0, help="How many, of all services together.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="Such as 5m, 1h30m, 2026-11-22T09:00.")
    ] = None,
    grep: Annotated[str | None, typer.Option("--grep", metavar="RE", help="Lines that match this.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help='{"time", "service", "line"}, one a line.')] = False,
) -> int:
    """The logs of one service, or of many merged by time."""
    from devctl.cli.log_lines import Sources, Wanted, write_lines

    begin, pattern = _since(since, time.time()), _pattern(grep)
    place = here(context)
    manifest = known_manifest(place, place.snapshot())
    names = _names(manifest, services or [])
    if lines is None and begin is None:
        lines = USUAL_FOLLOWED if follow else USUAL
    wanted = Wanted(names, lines, begin, pattern, follow, colour=_colour() and not as_json)
    write_lines(Sources(place, manifest).lines(wanted), wanted, as_json=as_json)
    return Exit.DONE


def _names(manifest: Manifest, services: Sequence[str]) -> tuple[str, ...]:
    runs = [
        name for name, service in manifest.services.items() if service.runtime in {Runtime.PROCESS, Runtime.CONTAINER}
    ]
    named = known_services(manifest, services)
    if quiet := [name for name in named if name not in runs]:
        runtime = manifest.services[quiet[0]].runtime.value
        raise DevctlError(f"{quiet[0]} has no log here: it is {runtime}", manifest.file, code=Exit.USAGE)
    return tuple(named or runs)


def _colour() -> bool:
    from devctl.ui.theme import Screen

    screen = Screen(sys.stdout)
    return screen.terminal and not screen.colourless


def _pattern(grep: str | None) -> re.Pattern[str] | None:
    if grep is None:
        return None
    try:
        return re.compile(grep)
    except re.error as error:
        raise DevctlError(f"--grep {grep!r} is no regular expression", why=str(error), code=Exit.USAGE) from error


def _since(text: str | None, now: float) -> float | None:
    """Seconds since the epoch for ``5m`` (ago) or an ISO 8601 moment, local unless it names its zone."""
    if text is None:
        return None
    if SPAN.fullmatch(text):
        return now - sum(float(value) * UNITS[unit] for value, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text))
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        hint = "such as --since 5m, --since 1h30m, --since 2026-11-22T09:00"
        raise DevctlError(f"--since {text!r} is neither a duration nor a moment", hint=hint, code=Exit.USAGE) from error
