"""``devctl clean``: look, show with sizes, ask, remove, say what was given back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from devctl.clean.policy import Item, Kind, Running, running
from devctl.cli.names import TakesVolumes
from devctl.cli.place import Place, here, known_manifest
from devctl.cli.terminal import confirmed
from devctl.core.model import Manifest
from devctl.errors import DevctlError, Exit
from devctl.ui.theme import Screen
from devctl.ui.tidied import not_removed, reclaimed, tidy_page, weighed

if TYPE_CHECKING:
    from devctl.clean.docker import Leftovers
    from devctl.runtimes.engine import Engine

app = typer.Typer(add_completion=False, rich_markup_mode=None)

EVERYTHING = ("artefacts", "caches", "docker")


@app.command(cls=TakesVolumes)
def clean(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, with sizes; remove nothing.")] = False,
    volumes: Annotated[
        list[str] | None,
        typer.Option("--volumes", metavar="NAME...", help="These volumes of the compose file too."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Tidy up what the manifest lists: nothing that git has, nothing in use, nothing of another project."""
    place = here(context)
    screen = Screen(sys.stdout)
    if volumes and place.manifest.compose is None:
        raise DevctlError("there is no compose stack, so there are no volumes", place.manifest.file, code=Exit.USAGE)
    items = look(place, place.manifest, EVERYTHING, volumes or ())
    _mind_the_names(volumes or (), items)
    screen.write(tidy_page(items, screen.glyphs, screen.width))
    going = [item for item in items if not item.refusal]
    if dry_run or not going:
        return Exit.DONE
    if not yes:
        confirmed(f"remove {weighed(going)} for good?", yes=yes, otherwise=_unasked(volumes or ()))
        present = {
            (item.kind, item.key) for item in look(place, place.manifest, EVERYTHING, volumes or ()) if not item.refusal
        }
        going = [item for item in going if (item.kind, item.key) in present]
    return remove(place, place.manifest, going, screen)


def _mind_the_names(volumes: Sequence[str], items: Sequence[Item]) -> None:
    """Raises DevctlError for a volume that isn't there, where that can be known."""
    known = sorted(item.name for item in items if item.kind is Kind.VOLUME)
    wrong = [repr(name) for name in volumes if name not in known]
    if wrong and not any(item.kind is Kind.CONTAINER and not item.key for item in items):
        hint = f"there are: {', '.join(known) or 'none'}"
        raise DevctlError(f"there is no volume {', '.join(wrong)}", hint=hint, code=Exit.USAGE)


def _unasked(volumes: Sequence[str]) -> DevctlError:
    named = f" --volumes {' '.join(volumes)}" if volumes else ""
    return DevctlError(
        "nothing is removed without being asked", hint=f"devctl clean{named} --yes", code=Exit.PRECONDITION
    )


def look(place: Place, manifest: Manifest, parts: Iterable[str], volumes: Sequence[str] = ()) -> list[Item]:
    """Everything of these parts of the manifest's ``clean``, as it is now."""
    wanted = frozenset(parts)
    now = _running(place)
    found: list[Item] = []
    if "docker" in wanted and (manifest.clean.docker or volumes):
        found += _in_engine(place, manifest, now, volumes)
    if "artefacts" in wanted and manifest.clean.artefacts:
        from devctl.clean import artefacts

        found += artefacts.find(manifest, replace(now, mounts=_mounts(place, manifest)))
    if "caches" in wanted and manifest.clean.caches:
        from devctl.clean import caches

        found += caches.find(manifest.clean.caches, manifest.root, now)
    return found


def _running(place: Place) -> Running:
    snapshot = place.snapshot()
    if snapshot is None:
        return Running()
    found = running(known_manifest(place, snapshot), snapshot.states, snapshot.wanted)
    return replace(found, folders={name: os.path.realpath(folder) for name, folder in found.folders.items()})


def _mounts(place: Place, manifest: Manifest) -> dict[str, tuple[str, ...]]:
    with _engine(place) as engine:
        if isinstance(engine, str):
            return {}
        from devctl.clean import artefacts, docker

        return docker.mounts(engine, artefacts.roots(manifest))


@contextmanager
def _engine(place: Place) -> Iterator[Engine | str]:
    """The engine, or why it doesn't answer."""
    from devctl.cli.engine import ask_engine
    from devctl.runtimes.engine import Engine

    asked = ask_engine(place.environment)
    if asked.endpoint is None or asked.problem:
        yield asked.problem
        return
    engine = Engine(asked.endpoint)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def _leftovers(place: Place, manifest: Manifest) -> Iterator[Leftovers | str]:
    """What the stack left in its engine, or why that can't be known; "" without a stack."""
    stack = manifest.compose
    if stack is None:
        yield ""
        return
    with _engine(place) as engine:
        if isinstance(engine, str):
            yield engine
            return
        from devctl.clean.docker import Leftovers

        yield Leftovers(engine, stack)


def _in_engine(place: Place, manifest: Manifest, now: Running, volumes: Sequence[str]) -> list[Item]:
    with _leftovers(place, manifest) as leftovers:
        if isinstance(leftovers, str):
            unknown = Item(kind=Kind.CONTAINER, key="", name="of this project", refusal=leftovers, hint="start Docker")
            return [unknown] if leftovers else []
        kinds = (*manifest.clean.docker, *(("volumes",) if volumes else ()))
        return leftovers.find(kinds, now, volumes)


def remove(place: Place, manifest: Manifest, items: Sequence[Item], screen: Screen) -> int:
    """Remove what was judged fit to go. What couldn't be is told, and the rest goes on; the exit code remembers it."""
    freed, gone, code = 0, 0, Exit.DONE
    with _leftovers(place, manifest) if any(_is_docker(item) for item in items) else nullcontext("") as leftovers:
        for item in items:
            try:
                freed += _remove(place, manifest, item, leftovers)
                gone += 1
            except DevctlError as error:
                why = f"{error.what}: {error.why}" if error.why else error.what
                screen.write(not_removed(item, why, screen.glyphs))
                code = Exit.FAILED
    if gone:
        screen.write(reclaimed(gone, freed, screen.glyphs))
    return code


def _is_docker(item: Item) -> bool:
    return item.kind not in {Kind.ARTEFACT, Kind.CACHE}


def _remove(place: Place, manifest: Manifest, item: Item, leftovers: Leftovers | str) -> int:
    """Bytes given back. Raises DevctlError."""
    if item.kind is Kind.ARTEFACT:
        from devctl.clean import artefacts

        return artefacts.remove(manifest, item)
    if item.kind is Kind.CACHE:
        from devctl.clean import caches

        return caches.empty(item, manifest.root)
    if isinstance(leftovers, str):
        raise DevctlError(leftovers or "there is no compose stack")
    return leftovers.remove(item, _running(place))


def tidy_up(place: Place, manifest: Manifest) -> int:
    """What ``clean.on_down`` lists, without a question and without a word where there is nothing to tidy."""
    items = [item for item in look(place, manifest, manifest.clean.on_down) if not item.refusal]
    return remove(place, manifest, items, Screen(sys.stdout)) if items else Exit.DONE
