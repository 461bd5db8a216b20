"""What a grammar can't say: names that lead nowhere, cycles, ports taken twice, keys that don't fit the runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from os.path import commonpath
from typing import Any

from devctl.core.model import Condition, Manifest, Runtime
from devctl.manifest.diagnostics import did_you_mean, listing
from devctl.manifest.grammar import File, Service
from devctl.manifest.parsers import NAME
from devctl.manifest.source import Document

RUNTIMES = {
    "compose": Runtime.CONTAINER,
    "command": Runtime.PROCESS,
    "external": Runtime.EXTERNAL,
    "library": Runtime.LIBRARY,
}
PROCESS_KEYS = frozenset({"setup", "environment", "env_file", "stop_signal", "stop_grace_period"})
RUNNING_KEYS = frozenset({"restart", "on_unhealthy"})
WAITING_KEYS = frozenset({"depends_on", "health", "ports", "profiles"})
MISPLACED = {
    Runtime.CONTAINER: PROCESS_KEYS,
    Runtime.PROCESS: frozenset({"native"}),
    Runtime.EXTERNAL: PROCESS_KEYS | RUNNING_KEYS | {"native"},
    Runtime.LIBRARY: PROCESS_KEYS | RUNNING_KEYS | WAITING_KEYS | {"native"},
}
WHY_MISPLACED = {
    Runtime.CONTAINER: "the Compose file says it for a container; for the way without one it stands below native:",
    Runtime.PROCESS: "native: goes only beside compose:; a process has its command:",
    Runtime.EXTERNAL: "somebody else runs an external service",
    Runtime.LIBRARY: "a library runs nothing",
}


def runtime_of(service: Service) -> Runtime:
    """Who runs it, by the key that says so."""
    return next((runtime for key, runtime in RUNTIMES.items() if getattr(service, key)), Runtime.LIBRARY)


def check(document: Document, file: File) -> None:
    """Note every mistake of meaning in ``document``. ``file`` may lack what its grammar found wrong."""
    if isinstance(document.value, dict):
        written = document.value.get("services")
        Checks(document, file, written if isinstance(written, dict) else {}).run()


class Checks:
    """One manifest (a mapping, if nothing else); ``written`` are its services as they stand in the file."""

    def __init__(self, document: Document, file: File, written: Mapping[str, Any]) -> None:
        self.document, self.file, self.written = document, file, written

    def run(self) -> None:
        """All checks."""
        if self.document.value.get("services") == {}:
            self.document.add(("services",), "there is no service", "name at least one")
        for name, service in self.written.items():
            self._name(name)
            if isinstance(service, dict):
                self._runtime(name, service)
        self._compose_services()
        self._dependencies()
        self._cycles()
        self._ports()
        self._relations()
        self._mirrors()
        self._git()
        self._clean()

    def _name(self, name: str) -> None:
        if not NAME.fullmatch(name) or len(name) > 100:
            hint = "use up to 100 letters, digits, - and _, a letter or digit first"
            self.document.add(("services", name), "is no name for a service", hint, at_key=True)

    def _runtime(self, name: str, service: Mapping[str, Any]) -> None:
        path = ("services", name)
        given = [key for key in RUNTIMES if service.get(key) is not None and service[key] != "false"]
        if not given:
            hint = "give exactly one of compose, command, external: true and library: true"
            self.document.add(path, "does not say who runs it", hint, at_key=True)
        elif len(given) > 1:
            hint = "keep one of them"
            if given == ["compose", "command"]:
                hint = "put the command below native: to run it without a container"
            self.document.add(path, f"has {listing(given)}", hint, at_key=True)
        else:
            runtime = RUNTIMES[given[0]]
            for key in sorted(MISPLACED[runtime] & service.keys()):
                where = f"does not go with {given[0]}"
                self.document.add((*path, key), where, WHY_MISPLACED[runtime], at_key=True)

    def _compose_services(self) -> None:
        owners: dict[str, str] = {}
        for name, service in self.file.services.items():
            path = ("services", name, "compose")
            if service.compose and "compose" not in self.document.value:
                self.document.add(path, "there is no Compose file", "name it at the top: compose: {file: compose.yml}")
            if service.compose and (owner := owners.setdefault(service.compose, name)) != name:
                self.document.add(path, f"{service.compose} of the Compose file already is the service {owner}")

    def _dependencies(self) -> None:
        for name, service in self.file.services.items():
            for target in service.depends_on:
                self._dependency(name, target)

    def _dependency(self, name: str, target: str) -> None:
        path = ("services", name, "depends_on", target)
        if target == name:
            self.document.add(path, "a service can't wait for itself")
        elif target not in self.written:
            self.document.add(path, *self._unknown(target))
        elif other := self.file.services.get(target):
            for message, hint in self._condition(name, target, other):
                self.document.add(path, message, hint)

    def _unknown(self, name: str) -> tuple[str, str]:
        hint = did_you_mean(name, self.written) or f"services are {listing(self.written)}"
        return f"no service is called {name}", hint

    def _condition(self, name: str, target: str, other: Service) -> Iterator[tuple[str, str]]:
        condition = Condition(self.file.services[name].depends_on[target].condition)
        runtime = runtime_of(other)
        if runtime is Runtime.LIBRARY:
            yield f"{target} is a library, and nothing waits for a library", "name it in relations: instead"
        elif runtime is Runtime.EXTERNAL and condition is Condition.COMPLETED:
            yield f"{target} is external: nobody here sees it complete", "write service_healthy"
        elif runtime is Runtime.EXTERNAL and condition is Condition.HEALTHY and not other.health:
            yield f"{target} has no health check", f"give {target} a health:"
        elif condition is Condition.COMPLETED and other.restart.policy == "always":
            yield f"{target} has restart: always, so it never completes", f'give {target} restart: "no"'

    def _cycles(self) -> None:
        for cycle in cycles({name: list(each.depends_on) for name, each in self.file.services.items()}):
            hint = "one of them must start without the other; “think of it too” is said in relations:"
            path = ("services", cycle[0], "depends_on", cycle[1])
            self.document.add(path, f"a cycle: {' -> '.join(cycle)}", hint)

    def _ports(self) -> None:
        for name, service in self.file.services.items():
            numbers = [number for number, _ in service.ports]
            for number in sorted({each for each in numbers if numbers.count(each) > 1}):
                self.document.add(("services", name, "ports"), f"the port {number} stands twice")
        here = [(n, s) for n, s in self.file.services.items() if not s.external]
        sharing: dict[int, list[int]] = {}
        for index, (_, service) in enumerate(here):
            for number in {number for number, _ in service.ports}:
                sharing.setdefault(number, []).append(index)
        for left, right in sorted({pair for indices in sharing.values() for pair in combinations(indices, 2)}):
            (first, one), (second, other) = here[left], here[right]
            if _at_once(one, other):
                self._port_clash(first, one, second, other)

    def _port_clash(self, first: str, one: Service, second: str, other: Service) -> None:
        for number in sorted({n for n, _ in one.ports} & {n for n, _ in other.ports}):
            hint = "give one of them another port, or each a profile of its own"
            path = ("services", second, "ports", str(number))
            self.document.add(path, f"the port {number} is already {first}'s", hint)

    def _relations(self) -> None:
        for index, chain in enumerate(self.file.relations):
            for name in dict.fromkeys(name for each in chain for name in (each.source, each.target)):
                if name not in self.written:
                    self.document.add(("relations", index), *self._unknown(name))
            for each in chain:
                if each.source == each.target:
                    self.document.add(("relations", index), f"{each.source} is related to itself")

    def _mirrors(self) -> None:
        for index, mirror in enumerate(self.file.mirrors):
            for key, said in (("from", mirror.source), ("to", mirror.target)):
                self._mirror_end(("mirrors", index, key), said)

    def _mirror_end(self, path: tuple[str | int, ...], said: str) -> None:
        if "/" in said or said in {".", ".."}:
            return
        if said not in self.written:
            message, hint = self._unknown(said)
            self.document.add(path, message, f"{hint.rstrip('?')}, or ./{said} for a folder")
        elif (service := self.file.services.get(said)) and not (service.path or service.native or service.command):
            self.document.add(path, f"{said} has no path", f"give {said} its path:")

    def _git(self) -> None:
        for index, repository in enumerate(self.file.git):
            path = ("git", index)
            if len(self.file.git) > 1 and not repository.path:
                self.document.add(path, "path is missing", "each of several repositories needs its path:")
            for branch, ahead in (repository.sync.promote if repository.sync else {}).items():
                if branch == ahead:
                    where = (*path, "sync", "promote", branch)
                    self.document.add(where, f"{branch} can't be brought forward to itself")

    def _clean(self) -> None:
        for key in self.file.clean.on_down:
            if not self.document.value["clean"].get(key):
                self.document.add(("clean", "on_down", key), f"{key} is empty", f"say what clean.{key} may tidy")


def _at_once(one: Service, other: Service) -> bool:
    return not one.profiles or not other.profiles or not set(one.profiles).isdisjoint(other.profiles)


def cycles(graph: Mapping[str, list[str]]) -> list[list[str]]:
    """Cycles of a graph, each as ``[a, b, a]`` from the node that comes first; of knotted ones, at least one."""
    done: set[str] = set()
    found: dict[frozenset[str], list[str]] = {}
    for start in graph:
        trail: list[str] = []
        stack = [iter([start])]
        while stack:
            node = next(stack[-1], None)
            if node is None:
                stack.pop()
                if trail:
                    done.add(trail.pop())
            elif node in trail:
                _keep(found, trail[trail.index(node) :], graph)
            elif node not in done and node in graph:
                trail.append(node)
                stack.append(iter(graph[node]))
    return list(found.values())


def _keep(found: dict[frozenset[str], list[str]], cycle: list[str], graph: Mapping[str, list[str]]) -> None:
    order = list(graph)
    first = min(range(len(cycle)), key=lambda index: order.index(cycle[index]))
    turned = cycle[first:] + cycle[:first]
    if len(turned) > 1:
        found.setdefault(frozenset(turned), [*turned, turned[0]])


def check_folders(document: Document, manifest: Manifest) -> None:
    """What only absolute paths tell: a mirror into itself, a repository named twice."""
    for index, mirror in enumerate(manifest.mirrors):
        if commonpath([mirror.source, mirror.target]) in {mirror.source, mirror.target}:
            message = "from and to are the same folder" if mirror.source == mirror.target else "one lies in the other"
            document.add(("mirrors", index), f"{message}: {mirror.source} and {mirror.target}")
    paths = [repository.path for repository in manifest.git]
    for index, path in enumerate(paths):
        if path in paths[:index]:
            document.add(("git", index), f"the repository is already named: {path}")
