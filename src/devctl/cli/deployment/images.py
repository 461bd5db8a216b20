"""The check that every image was built from this commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from devctl.cli.deployment.case import Case, Task
from devctl.cli.deployment.repository import Checkout, checkouts
from devctl.core.model import Service
from devctl.errors import DevctlError, Exit
from devctl.safety.release import Image, images
from devctl.safety.verdict import Level, Outcome, passed

if TYPE_CHECKING:
    from devctl.runtimes.engine import Engine


def tasks(case: Case) -> Iterator[Task]:
    """One check for all services of the Compose file; only where outsiders reach what is deployed."""
    services = [each for each in case.all_services if each.compose]
    if services and case.strict and case.manifest.compose:
        yield Task("images", Level.REQUIRED, lambda: _images(case, services))


def _images(case: Case, services: Sequence[Service]) -> Outcome:
    found = _looked(case, services)
    if not found:
        return passed("nothing is built here: the images come from elsewhere")
    checkout = next(iter(checkouts(case)), None)
    return images(found, checkout.facts().head if checkout else "", checkout is not None and _dirty(checkout))


def _dirty(checkout: Checkout) -> bool:
    return bool(checkout.facts().changes)


def _looked(case: Case, services: Sequence[Service]) -> list[Image]:
    """The images that are built, with what is known of them. Raises DevctlError."""
    import asyncio

    from devctl.cli.engine import ask_engine
    from devctl.runtimes.compose import whole
    from devctl.runtimes.compose_cli import ComposeCli
    from devctl.runtimes.engine import Engine
    from devctl.runtimes.preparation import Preparation

    asked, stack = ask_engine(case.place.environment), case.manifest.compose
    if asked.problem or asked.endpoint is None or stack is None:
        raise DevctlError("images can't be looked at", why=asked.problem, hint="start Docker", code=Exit.PRECONDITION)
    engine = Engine(asked.endpoint)
    try:
        preparation = Preparation(stack, case.place.workspace.folder, engine)
        config = asyncio.run(preparation.config(ComposeCli(stack, whole(case.place.environment), asked.endpoint)))
        built = [each for each in services if each.compose in config.services and config.services[each.compose].build]
        case.place.workspace.prepare()
        facts = preparation.look(built, config).facts
        return [
            Image(
                each.name,
                bool(facts[each.name].image),
                _revision(engine, facts[each.name].image),
                facts[each.name].stale,
            )
            for each in built
        ]
    finally:
        engine.close()


def _revision(engine: Engine, image: str) -> str:
    return engine.image_label(image, "org.opencontainers.image.revision") if image else ""
