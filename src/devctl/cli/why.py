"""``devctl why``: the root cause, and what a service has to do with the others."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import msgspec

from devctl.api.protocol import Snapshot
from devctl.cli.declared import Declared
from devctl.cli.place import Place, here, known_manifest
from devctl.cli.terminal import print_json
from devctl.core.explain import Explanation, explain
from devctl.core.model import Manifest, Runtime
from devctl.errors import Exit
from devctl.manifest.choose import known_services
from devctl.ui.view import NOBODY, holds
from devctl.ui.why import page, why_record

if TYPE_CHECKING:
    import typer

app = Declared()


@app.command
def why(
    context: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """What a service needs, what needs it, what to think of when changing it, and why it is not up."""
    from devctl.ui.theme import Screen

    place = here(context)
    snapshot = place.snapshot()
    manifest = known_manifest(place, snapshot)
    (name,) = known_services(manifest, [service])
    seen = snapshot or NOBODY
    explained = _with_words(place, manifest, seen, explain(manifest, seen.states, seen.holds, name))
    if as_json:
        print_json(why_record(explained))
        return Exit.DONE
    screen = Screen(sys.stdout)
    screen.write(page(manifest, explained, holds(seen), screen.glyphs, screen.width))
    return Exit.DONE


def _with_words(place: Place, manifest: Manifest, seen: Snapshot, explained: Explanation) -> Explanation:
    """What a process that still lives said last is evidence too."""
    cause = explained.root_cause
    if cause is None or cause.evidence:
        return explained
    state = seen.states.get(cause.service)
    if state is None or not state.active or manifest.services[cause.service].runtime is not Runtime.PROCESS:
        return explained
    from devctl.cli.outcome import words_of

    cause = msgspec.structs.replace(cause, evidence=words_of(place)(cause.service))
    return msgspec.structs.replace(explained, root_cause=cause)
