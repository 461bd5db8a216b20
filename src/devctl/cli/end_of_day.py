"""What ``down`` does once everything is stopped: the work is made safe, the machine tidied, the day told.

Each part is a function of its own. A part that fails is told and holds up no other; the exit code remembers it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from devctl.cli.place import Place
from devctl.core.model import Manifest
from devctl.errors import DevctlError, Exit

CONCERNED = re.compile(r"\b(?:git|mirrors|clean)\b[\"']?\s*:")
"""Without such a key a manifest has no end of day, and isn't parsed for it."""


def end_of_day(place: Place, running: Manifest | None, *, sync: bool, yes: bool) -> Exit:
    """All parts, in order. ``running`` is the manifest of what was stopped, which serves where the file has mistakes.

    Ctrl-C ends it at once: what a part does is safe to interrupt.
    """
    parts: list[Callable[[], Exit]] = []
    manifest: Manifest | None = None
    if CONCERNED.search(place.file.read_text(errors="replace")):
        manifest = known = _manifest(place, running)
        parts += [lambda: _sync(place, known, yes=yes)] if sync else []
        parts += [lambda: tidy(place, known)]
    parts += [lambda: told_today(place, manifest)]
    return max([_kept(part) for part in parts], default=Exit.DONE)


def _manifest(place: Place, running: Manifest | None) -> Manifest:
    try:
        return place.manifest
    except DevctlError:
        if running is None:
            raise
        return running


def _kept(part: Callable[[], Exit]) -> Exit:
    """A part's exit code. What it raises is told, and the next part goes on."""
    from devctl.cli.waiting import tell

    try:
        return part()
    except DevctlError as error:
        tell(error)
        return Exit.FAILED


def _sync(place: Place, manifest: Manifest, *, yes: bool) -> Exit:
    """As ``devctl sync``."""
    if not manifest.git and not manifest.mirrors:
        return Exit.DONE
    from devctl.cli.sync import show, synchronized

    report = synchronized(place, manifest, dry_run=False, yes=yes)
    show(report, manifest)
    return Exit.DONE if report.good else Exit.FAILED


def tidy(place: Place, manifest: Manifest) -> Exit:
    """What the manifest lists under ``clean.on_down``, and only that."""
    if not manifest.clean.on_down:
        return Exit.DONE
    from devctl.cli.clean import tidy_up

    return Exit(tidy_up(place, manifest))


def told_today(place: Place, manifest: Manifest | None) -> Exit:
    """The day in five lines; in fewer where git is no matter, in none where nothing happened."""
    from devctl.cli.today import looked
    from devctl.cli.waiting import screen
    from devctl.ui.today import brief

    out = screen()
    out.write(brief(looked(place, manifest), out.glyphs, out.width))
    return Exit.DONE
