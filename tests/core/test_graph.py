"""Order, requirements, dependents, impact, and what happens with cycles and very long chains."""

from __future__ import annotations

import random

import pytest

from devctl.core.graph import CycleError, closure, dependents, impact, needed_by, needs, order, requirements
from devctl.core.model import Dependency, Manifest, Relation, Runtime, Service
from devctl.errors import Exit


def services(**edges: str) -> dict[str, Service]:
    return {
        name: Service(
            name=name, runtime=Runtime.PROCESS, depends_on=tuple(Dependency(service=to) for to in targets.split())
        )
        for name, targets in edges.items()
    }


def manifest(*relations: Relation, **edges: str) -> Manifest:
    return Manifest(name="m", file="/f", root="/", services=services(**edges), relations=relations)


def test_edges_both_ways_without_unknown_targets() -> None:
    some = services(ui="api ghost", api="db", worker="api", db="")
    assert needs(some) == {"ui": ("api",), "api": ("db",), "worker": ("api",), "db": ()}
    assert needed_by(some) == {"ui": (), "api": ("ui", "worker"), "worker": (), "db": ("api",)}


def test_each_comes_after_what_it_needs_and_otherwise_as_in_the_file() -> None:
    some = services(zebra="", ui="api", api="db cache", cache="", db="", ape="")
    assert order(some, some) == ("zebra", "db", "cache", "api", "ui", "ape")
    assert order(some, ["ape", "ui", "db"]) == ("db", "ui", "ape")


def test_order_holds_for_any_graph() -> None:
    for seed in range(200):
        rng = random.Random(seed)
        names = [f"s{n}" for n in range(rng.randrange(1, 15))]
        edges = {name: " ".join(rng.sample(names[:at], rng.randrange(at + 1))) for at, name in enumerate(names)}
        shuffled = rng.sample(names, len(names))
        some = services(**{name: edges[name] for name in shuffled})
        place = {name: at for at, name in enumerate(order(some, names))}
        assert sorted(place) == sorted(names)
        assert all(place[to] < place[name] for name in names for to in edges[name].split())


def test_requirements_and_dependents_are_closed_and_in_start_order() -> None:
    some = manifest(ui="api", api="db", worker="api", db="", cache="")
    assert requirements(some, ["ui"]) == ("db", "api", "ui")
    assert requirements(some, ["ghost"]) == ()
    assert dependents(some, ["db"]) == ("api", "ui", "worker")
    assert dependents(some, ["db", "ui"]) == ("api", "worker")
    assert dependents(some, ["cache"]) == ()


def test_a_diamond_is_visited_once() -> None:
    some = manifest(top="left right", left="base", right="base", base="")
    assert requirements(some, ["top"]) == ("base", "left", "right", "top")
    assert closure(needs(some.services), ["top"]) == {"top", "left", "right", "base"}


@pytest.mark.parametrize(
    ("edges", "path"),
    [
        ({"a": "a"}, ("a", "a")),
        ({"a": "b", "b": "a"}, ("a", "b", "a")),
        ({"start": "x a", "x": "", "a": "b", "b": "c", "c": "a"}, ("a", "b", "c", "a")),
        ({"a": "d", "d": "", "b": "d c", "c": "d b"}, ("b", "c", "b")),
    ],
)
def test_a_cycle_is_told_with_its_path(edges: dict[str, str], path: tuple[str, ...]) -> None:
    some = services(**edges)
    with pytest.raises(CycleError) as caught:
        order(some, some)
    assert caught.value.path == path
    assert " -> ".join(path) in caught.value.what
    assert caught.value.code is Exit.USAGE


def test_a_chain_longer_than_the_stack_is_no_matter() -> None:
    names = [f"s{n}" for n in range(5000)]
    some = manifest(**{name: names[at + 1] if at + 1 < len(names) else "" for at, name in enumerate(names)})
    assert order(some.services, names) == tuple(reversed(names))
    assert requirements(some, ["s4998"]) == ("s4999", "s4998")
    assert len(dependents(some, ["s4999"])) == 4999
    ring = {**some.services, **services(s4999="s0")}
    with pytest.raises(CycleError) as caught:
        order(ring, names)
    assert len(caught.value.path) == 5001


def test_impact_goes_along_relations_nearest_first_and_survives_cycles() -> None:
    some = manifest(
        Relation(source="ui", target="api", both=True),
        Relation(source="api", target="core", both=True),
        Relation(source="core", target="ui"),
        Relation(source="core", target="pro"),
        ui="",
        api="",
        core="",
        pro="",
    )
    assert impact(some, "ui") == ("api", "core", "pro")
    assert impact(some, "core") == ("api", "ui", "pro")
    assert impact(some, "pro") == ()
    assert impact(some, "alone") == ()


def test_a_thing_related_to_itself_or_twice_is_told_once() -> None:
    some = manifest(
        Relation(source="a", target="a"), Relation(source="a", target="b"), Relation(source="a", target="b")
    )
    assert impact(some, "a") == ("b",)
