from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

from devctl.core.explain import explain
from devctl.ui.text import Text
from devctl.ui.theme import RICH
from devctl.ui.view import NOBODY, holds
from devctl.ui.why import page, why_record

Shown = Callable[[Sequence[Text]], str]


def drawn(world: SimpleNamespace, name: str, shown: Shown, width: int = 80) -> str:
    seen = world.snapshot
    explained = explain(world.manifest, seen.states, seen.holds, name)
    return shown(page(world.manifest, explained, holds(seen), RICH, width))


def test_the_way_to_the_root_cause_is_drawn(world: SimpleNamespace, shown: Shown) -> None:
    assert (
        drawn(world, "cc-pap", shown)
        == """
 ○ cc-pap  waiting  ·  process  ·  http://localhost:5173/

   root cause
     cc-pap → cc-pap-api → redis
     redis is unhealthy: connection refused on port 6379
     → devctl logs redis

   needs
     ◐ cc-pap-api  is not healthy yet: answers with status 503

   think of
     cc-pap-core

   start order
     postgres → redis → cc-pap-api → cc-pap
"""
    )


def test_a_failed_service_shows_its_last_words(world: SimpleNamespace, shown: Shown) -> None:
    text = drawn(world, "cc-docs", shown)
    assert (
        """   root cause
     cc-docs has failed: ended with exit code 1, 4 times in a row
     │ Error: Cannot find module 'next'
     │     at Module._load (loader.js:1:1)
     → devctl logs cc-docs
"""
        in text
    )


def test_a_healthy_service_has_no_root_cause(world: SimpleNamespace, shown: Shown) -> None:
    assert (
        drawn(world, "postgres", shown)
        == """
 ● postgres  healthy  ·  container

   needed by
     cc-pap-api, cc-pap, db-init
"""
    )


def test_a_library_has_relations_alone(world: SimpleNamespace, shown: Shown) -> None:
    assert (
        drawn(world, "cc-pap-core", shown)
        == """
 · cc-pap-core  library

   think of
     cc-pap
"""
    )


def test_a_substitute_says_why(world: SimpleNamespace, shown: Shown) -> None:
    assert "\n   no Docker engine answers\n" in drawn(world, "redis", shown)


def test_every_page_fits_and_a_pipe_gets_everything(world: SimpleNamespace) -> None:
    seen = world.snapshot
    for name in world.manifest.services:
        explained = explain(world.manifest, seen.states, seen.holds, name)
        for width in (30, 80, 140):
            assert max(line.cell_len for line in page(world.manifest, explained, holds(seen), RICH, width)) <= width
        assert "…" not in "".join(line.plain for line in page(world.manifest, explained, holds(seen), RICH, 0))


def test_the_record_is_the_contract(world: SimpleNamespace) -> None:
    seen = world.snapshot
    assert why_record(explain(world.manifest, seen.states, seen.holds, "cc-pap")) == {
        "service": "cc-pap",
        "state": "stopped",
        "health": "none",
        "depends_on": [
            {
                "service": "cc-pap-api", "condition": "service_healthy", "because": "", "state": "running",
                "health": "starting",
            }
        ],
        "dependents": [],
        "related": ["cc-pap-core"],
        "root_cause": {
            "service": "redis",
            "reason": "redis is unhealthy: connection refused on port 6379",
            "evidence": [],
            "hint": "devctl logs redis",
        },
        "start_order": ["postgres", "redis", "cc-pap-api", "cc-pap"],
    }  # fmt: skip
    assert why_record(explain(world.manifest, seen.states, seen.holds, "postgres"))["root_cause"] is None


def test_with_nothing_running_the_cause_is_what_comes_first(world: SimpleNamespace) -> None:
    record = why_record(explain(world.manifest, NOBODY.states, NOBODY.holds, "cc-pap"))
    assert record["root_cause"]["hint"].startswith("devctl up ")


def test_a_reason_that_has_no_room_beside_a_need_stands_below_it(world: SimpleNamespace, shown: Shown) -> None:
    text = drawn(world, "cc-pap", shown, 66)
    assert "     ◐ cc-pap-api  is not healthy yet: answers with status 503\n" in text
    text = drawn(world, "cc-pap", shown, 60)
    assert "     ◐ cc-pap-api\n       is not healthy yet: answers with status 503\n" in text
