"""``devctl up``: choose, clear the way, ask the supervisor, wait, say how it went."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from devctl.api.protocol import Snapshot, Up
from devctl.cli.declared import Declared
from devctl.cli.engine import Engine, find_engine
from devctl.cli.place import Place, here
from devctl.cli.repeated import ALL
from devctl.cli.taken import taken
from devctl.core.model import Manifest, Runtime, Service
from devctl.errors import Exit
from devctl.manifest.choose import choose, select

if TYPE_CHECKING:
    import typer

app = Declared("TakesNative")


@app.command
def up(
    context: typer.Context,
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="All, when none is named.")
    ] = None,
    native: Annotated[
        list[str] | None,
        typer.Option(
            "--native", metavar="[NAME]...", help="Run these, or all, without a container; the rest as usual."
        ),
    ] = None,
    profile: Annotated[list[str] | None, typer.Option("--profile", help="Services of this profile too.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and why; do nothing.")] = False,
    no_pull: Annotated[bool, typer.Option("--no-pull", help="Start with the sources that are here.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Free held ports without asking.")] = False,
) -> int:
    """Start services and what they need, wait until all are healthy. They run on when this command returns."""
    place, wish = here(context), Wish(services or (), native or (), profile or ())
    if dry_run:
        return _rehearse(place, wish)
    with place.client.early() as nothing_runs:
        return _bring_up(place, wish, nothing_runs=nothing_runs, pull=not no_pull, yes=yes)


class Wish:
    """Which services are meant, by name or profile, and which of them without a container."""

    def __init__(self, services: Sequence[str], native: Sequence[str], profiles: Sequence[str]) -> None:
        self.services, self.native, self.profiles = services, native, profiles

    def of(self, manifest: Manifest) -> tuple[str, ...]:
        """The services, with what they need. Raises DevctlError."""
        return select(manifest, self.services, self.profiles)


def _rehearse(place: Place, wish: Wish) -> int:
    from devctl.cli.rehearsal import rehearsal
    from devctl.cli.waiting import screen

    names = wish.of(place.manifest)
    engine = find_engine(place.manifest, names, place.environment)
    before = place.snapshot()
    manifest = _chosen(place.manifest, names, wish.native, engine, before)
    screen().write(rehearsal(place, manifest, names, before, engine))
    return Exit.DONE


def _bring_up(place: Place, wish: Wish, *, nothing_runs: bool, pull: bool, yes: bool) -> int:
    began = time.monotonic()
    names = wish.of(place.manifest)
    engine = find_engine(place.manifest, names, place.environment)
    before = None if nothing_runs else place.snapshot()
    manifest = _chosen(place.manifest, names, wish.native, engine, before)
    _mind_the_switch(place, manifest)
    if _clear_the_way(place, manifest, names, before, engine, yes=yes):
        began = time.monotonic()  # the user's own time is none of ours
    place.client.ensure_running()
    request = Up(manifest=manifest, names=names, environment=dict(place.environment), docker=engine.address)

    def remake() -> Up:
        fresh = Place(place.file)
        chosen = wish.of(fresh.manifest)
        renewed = _chosen(fresh.manifest, chosen, wish.native, engine, before)
        return msgspec.structs.replace(request, manifest=renewed, names=chosen, environment=dict(fresh.environment))

    try:
        news = place.client.stream(request)
        news = itertools.chain([next(news)], news)  # asked: what waiting takes is loaded while services start
        from devctl.cli.arrival import arrival

        return arrival(place, request, news, began, remake if pull else None)
    except KeyboardInterrupt:
        sys.stderr.write("no longer waiting; services go on: devctl status, devctl down\n")
        return Exit.INTERRUPTED


def _mind_the_switch(place: Place, manifest: Manifest) -> None:
    """Whoever could have it on is looked at: a database that isn't a developer's own must not lose its tables."""
    specs = [spec for each in manifest.services.values() for spec in (each.process, each.native) if spec]
    anywhere = (place.environment, *(spec.environment for spec in specs))
    if any("CC_DROP_TABLES" in each for each in anywhere) or any(spec.env_file for spec in specs):
        from devctl.cli.db.switch import refuse_drop_switch

        refuse_drop_switch(place, manifest, manifest.services)


def _chosen(
    manifest: Manifest, names: Sequence[str], native: Sequence[str], engine: Engine, before: Snapshot | None
) -> Manifest:
    """The manifest with a runtime for each service. What runs already and isn't meant keeps the one it has."""
    chosen = choose(
        manifest,
        docker=not engine.problem,
        docker_reason=engine.problem,
        native="all" if ALL in native else native,
        only=names,
    )
    known = before.manifest.services if before and before.manifest else {}
    kept = {name: known[name] for name in (before.wanted if before else ()) if name in known and name not in names}
    services = {name: _keeping(each, kept.get(name)) for name, each in chosen.services.items()}
    return msgspec.structs.replace(chosen, services=services)


def _keeping(service: Service, running: Service | None) -> Service:
    native = running is not None and running.compose and running.runtime is Runtime.PROCESS
    if running is None or not native or service.native is None:
        return service
    return msgspec.structs.replace(
        service,
        runtime=Runtime.PROCESS,
        runtime_reason=running.runtime_reason,
        process=service.native,
        on_unhealthy=service.native_on_unhealthy,
    )


def _clear_the_way(
    place: Place, manifest: Manifest, names: Sequence[str], before: Snapshot | None, engine: Engine, *, yes: bool
) -> bool:
    states = before.states if before else {}
    if not taken(manifest, names, states):
        return False
    from devctl.cli.held import clear_ports

    return clear_ports(place, manifest, names, states, engine, yes=yes)
