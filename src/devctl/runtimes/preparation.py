"""Making a stack's images and containers current: look, decide (runtimes.policy), build, create."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devctl.core.model import ComposeStack, Service
from devctl.errors import DevctlError
from devctl.runtimes.compose_cli import ComposeCli
from devctl.runtimes.compose_config import Build, ConfigCache, StackConfig
from devctl.runtimes.containers import Container
from devctl.runtimes.engine import Engine
from devctl.runtimes.images import ImageMemory, changed_last, sources_of
from devctl.runtimes.policy import (
    NETWORK_GONE,
    ContainerFacts,
    ServiceFacts,
    Sources,
    StackChange,
    Todo,
    decide,
    image_change,
    unknown_names,
)

Failed = Callable[[Service, DevctlError], None]
"""A service that can't be prepared, and why."""
Replace = Callable[[Service, str], Awaitable[None]]
"""Stops a running container that is about to be replaced, and says so with this reason."""


@dataclass(frozen=True)
class Look:
    """What was seen: the facts that decide, and what each image would be built from now."""

    config: StackConfig
    facts: dict[str, ServiceFacts]
    sources: dict[str, Sources]

    def changes(self) -> dict[str, StackChange]:
        """The decision about each service."""
        return {name: decide(facts) for name, facts in self.facts.items()}


class Preparation:
    """One stack's preparation; ``folder`` is where it remembers things. Methods that block say so."""

    def __init__(self, stack: ComposeStack, folder: Path, engine: Engine) -> None:
        self.stack, self._engine = stack, engine
        self._cache, self._memory, self._own = ConfigCache(folder, stack), ImageMemory(folder), str(folder)

    async def config(self, cli: ComposeCli, *, fresh: bool = False) -> StackConfig:
        """The resolved stack, from memory while nothing it depends on changed. Raises DevctlError."""
        known = None if fresh else self._cache.remembered(cli.environment)
        return known or await self._cache.ask(cli, cli.environment)

    def look(self, services: Sequence[Service], config: StackConfig) -> Look:
        """The facts about these services, all of them in the compose file. Blocks. Raises DevctlError."""
        containers = self._engine.containers(self.stack.project)
        networks = self._engine.networks()
        look = Look(config, {}, {})
        for service in services:
            mine = [container for container in containers if container.service == service.compose]
            look.facts[service.name] = self._facts(service, look, mine, networks)
        return look

    def _facts(self, service: Service, look: Look, mine: Sequence[Container], networks: frozenset[str]) -> ServiceFacts:
        wanted = look.config.services[service.compose]
        image, stale = self._engine.image_id(wanted.image), ""
        if wanted.build:
            sources = look.sources[service.name] = sources_of(
                wanted.build, self._memory.latest(service.compose), self._own
            )
            stale = self._stale(service.compose, wanted.image, image, wanted.build, sources) if image else ""
        return ServiceFacts(
            service.name, wanted.hash, image, wanted.image, wanted.build is not None, stale,
            tuple(ContainerFacts(c.active, c.config_hash, c.image, bool(c.networks - networks)) for c in mine),
        )  # fmt: skip

    def _stale(self, service: str, name: str, image: str, build: Build, sources: Sources) -> str:
        known = self._memory.recall(service, image)
        because = image_change(known, sources, changed_last(build, sources), self._engine.image_created(name))
        if not because:
            self._memory.remember(service, image, sources)
        return because

    def remember_built(self, service: Service, look: Look) -> None:
        """An image was built from the sources seen in ``look``. Blocks."""
        image = self._engine.image_id(look.config.services[service.compose].image)
        if image and service.name in look.sources:
            self._memory.remember(service.compose, image, look.sources[service.name])

    def known(self, services: Sequence[Service], config: StackConfig, failed: Failed) -> list[Service]:
        """Those the compose file has; the others have failed."""
        wrong = unknown_names((service.compose for service in services), config.services)
        for service in services:
            if service.compose in wrong:
                failed(service, unknown(service, wrong[service.compose], self.stack))
        return [service for service in services if service.compose not in wrong]


def unknown(service: Service, near: str, stack: ComposeStack) -> DevctlError:
    """A compose service that doesn't exist."""
    return DevctlError(
        f"{service.name}: the compose file has no service {service.compose!r}",
        where=", ".join(stack.files),
        hint=f"did you mean {near!r}?" if near else "docker compose config --services lists those there are",
    )


class Pass:
    """One `prepare`: what is wanted now, with one environment."""

    def __init__(
        self, preparation: Preparation, cli: ComposeCli, in_thread: Callable[..., Awaitable[Look]], failed: Failed
    ) -> None:
        self._preparation, self._cli, self._in_thread, self._failed = preparation, cli, in_thread, failed
        self._out: set[str] = set()

    async def run(self, services: Sequence[Service], replace: Replace) -> dict[str, str]:
        """Make them current: service → what was changed ("" for nothing), without those that failed."""
        config = await self._preparation.config(self._cli)
        services = self._preparation.known(services, config, self._failed)
        look = await self._look(services, config)
        if any(change.action is Todo.RECREATE for change in look.changes().values()):
            config = await self._preparation.config(self._cli, fresh=True)
            services = self._preparation.known(services, config, self._failed)
            look = await self._look(services, config)
        rebuilt = {name: change.because for name, change in look.changes().items() if change.action is Todo.BUILD}
        if rebuilt:
            await self._build([service for service in services if service.name in rebuilt], look)
            services = self._left(services)
            look = await self._look(services, config)
        changes = {name: self._in_words(change, rebuilt) for name, change in look.changes().items()}
        await self._create(services, changes, look, replace)
        return {service.name: _changed(changes[service.name]) for service in self._left(services)}

    async def _look(self, services: Sequence[Service], config: StackConfig) -> Look:
        return await self._in_thread(lambda: self._preparation.look(services, config))

    def _left(self, services: Sequence[Service]) -> list[Service]:
        return [service for service in services if service.name not in self._out]

    def _fail(self, service: Service, error: DevctlError) -> None:
        self._out.add(service.name)
        self._failed(service, error)

    @staticmethod
    def _in_words(change: StackChange, rebuilt: Mapping[str, str]) -> StackChange:
        """What was just built is not built again, whatever changed meanwhile; the cause of the build is the cause."""
        if change.service not in rebuilt or change.action not in {Todo.RECREATE, Todo.BUILD}:
            return change
        return StackChange(change.service, Todo.RECREATE, f"image rebuilt: {rebuilt[change.service]}")

    async def _build(self, services: Sequence[Service], look: Look) -> None:
        async def build(some: Sequence[Service]) -> None:
            await self._cli.build([service.compose for service in some])

        await self._each(services, build)
        for service in self._left(services):
            await self._in_thread(lambda it=service: self._preparation.remember_built(it, look))

    async def _create(
        self, services: Sequence[Service], changes: Mapping[str, StackChange], look: Look, replace: Replace
    ) -> None:
        new = [s for s in services if changes[s.name].action in {Todo.CREATE, Todo.RECREATE}]
        for service in new:
            if changes[service.name].action is Todo.RECREATE:
                await replace(service, changes[service.name].because)

        async def create(some: Sequence[Service]) -> None:
            names = [service.compose for service in some]
            scaled = [name for name in names if look.config.services[name].scaled]
            force = any(changes[service.name].because == NETWORK_GONE for service in some)
            await self._cli.create(names, force=force, scaled=scaled)

        stranded = [service for service in new if changes[service.name].because == NETWORK_GONE]
        await self._each([service for service in new if service not in stranded], create)
        await self._each(stranded, create)

    async def _each(self, services: Sequence[Service], act: Callable[[Sequence[Service]], Awaitable[None]]) -> None:
        """All in one call; when that fails one by one, so that only those that can't be done fail."""
        if not services:
            return
        try:
            await act(services)
        except DevctlError as error:
            if len(services) == 1:
                self._fail(services[0], error)
                return
            for service in services:
                await self._each([service], act)


def _changed(change: StackChange) -> str:
    if change.action is Todo.CREATE:
        return "container created"
    return change.because if change.action is Todo.RECREATE else ""
