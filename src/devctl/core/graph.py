"""Who needs whom: requirements, dependents, order, impact. All results are in a stable order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devctl.core.model import Manifest, Service
from devctl.errors import DevctlError, Exit

Edges = Mapping[str, tuple[str, ...]]


class CycleError(DevctlError):
    """The start order would never end. ``path`` begins and ends with the same service."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(
            what="services wait for each other: " + " -> ".join(path),
            why="each of them needs the next one first",
            hint="remove one of these depends_on; a mere 'think of it' belongs under relations",
            code=Exit.USAGE,
        )
        self.path = path


def needs(services: Mapping[str, Service]) -> Edges:
    """Each service's direct dependencies, unknown ones left out."""
    return {
        name: tuple(edge.service for edge in service.depends_on if edge.service in services)
        for name, service in services.items()
    }


def needed_by(services: Mapping[str, Service]) -> Edges:
    """Each service's direct dependents."""
    reverse: dict[str, list[str]] = {name: [] for name in services}
    for name, targets in needs(services).items():
        for target in targets:
            reverse[target].append(name)
    return {name: tuple(dict.fromkeys(sources)) for name, sources in reverse.items()}


def closure(edges: Edges, names: Iterable[str]) -> frozenset[str]:
    """``names`` and all that can be reached from them."""
    seen: set[str] = set()
    pending = [name for name in names if name in edges]
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            pending.extend(edges[name])
    return frozenset(seen)


def order(services: Mapping[str, Service], names: Iterable[str]) -> tuple[str, ...]:
    """``names`` so that each comes after what it needs, otherwise as in the manifest. Raises CycleError."""
    wanted, edges = set(names), needs(services)
    done: dict[str, None] = {}
    for root in services:
        if root in wanted and root not in done:
            _visit(root, edges, done)
    return tuple(name for name in done if name in wanted)


def _visit(root: str, edges: Edges, done: dict[str, None]) -> None:
    """Depth first without recursion: a chain may be longer than Python's stack."""
    path: dict[str, int] = {root: 0}
    stack = [root]
    while stack:
        name = stack[-1]
        targets = edges[name]
        if path[name] == len(targets):
            stack.pop()
            del path[name]
            done[name] = None
            continue
        target = targets[path[name]]
        path[name] += 1
        if target in path:
            cycle = list(path)[list(path).index(target) :]
            raise CycleError((*cycle, target))
        if target not in done:
            path[target] = 0
            stack.append(target)


def requirements(manifest: Manifest, names: Iterable[str]) -> tuple[str, ...]:
    """``names`` and everything they need, in start order."""
    return order(manifest.services, closure(needs(manifest.services), names))


def dependents(manifest: Manifest, names: Iterable[str]) -> tuple[str, ...]:
    """What needs ``names``, directly or not, without them, in start order."""
    given = set(names)
    found = closure(needed_by(manifest.services), given)
    return tuple(name for name in order(manifest.services, found) if name not in given)


def impact(manifest: Manifest, name: str) -> tuple[str, ...]:
    """What to think of when changing ``name``: its relations, nearest first (breadth first)."""
    towards: dict[str, list[str]] = {}
    for relation in manifest.relations:
        towards.setdefault(relation.source, []).append(relation.target)
        if relation.both:
            towards.setdefault(relation.target, []).append(relation.source)
    found: dict[str, None] = {name: None}
    for near in found_growing(found, towards):
        found.setdefault(near)
    return tuple(found)[1:]


def found_growing(found: dict[str, None], towards: Mapping[str, list[str]]) -> Iterable[str]:
    """The neighbours of everything in ``found``, which the caller lets grow meanwhile."""
    queue = list(found)
    while queue:
        name = queue.pop(0)
        for target in towards.get(name, []):
            if target not in found:
                queue.append(target)
                yield target
