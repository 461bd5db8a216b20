from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from devctl.core.state import Health, ServiceState, Setup, State
from devctl.ui.live import layout, plain, told
from devctl.ui.progress import Note, Progress, Tone, absorb
from devctl.ui.text import Text
from devctl.ui.theme import ASCII, RICH, Look

Shown = Callable[[Sequence[Text]], str]


@pytest.fixture
def midway(world: SimpleNamespace) -> Progress:
    """Ten seconds into an ``up``."""
    states = dict(world.snapshot.states)

    def change(name: str, **fields: Any) -> None:
        states[name] = msgspec.structs.replace(states.get(name) or ServiceState(name=name), **fields)

    change("redis", started_at=7992.5)
    change("cc-pap-api", started_at=7996.0)
    change("cc-language-server", started_at=7999.0)
    change("cc-docs", started_at=7992.0, since=7995.0)
    change("db-init", started_at=7990.0, ready_at=7995.0)
    change("opal", setup=Setup.RUNNING)
    names = tuple(name for name in world.manifest.services if name != "cc-pap-core")
    early = {**states, "cc-docs": ServiceState(name="cc-docs", setup=Setup.RUNNING)}
    first = msgspec.structs.replace(world.snapshot, states=early, clock=(7990.0, 1e9))
    progress, _ = absorb(Progress(world.manifest, names, 7990.0), first)
    return absorb(progress, msgspec.structs.replace(world.snapshot, states=states))[0]


AT_140 = """
 controlcore  3 of 9 services ready  ·  10 s

 ● postgres                                              was up already
 ✗ redis                    ━━━━━━━━━━━━━━━━━━    7.5 s  is unhealthy: connection refused on port 6379
 ⠋ cc-pap-api                       ━━━━━━━━━━    4.0 s  answers with status 503
 ○ cc-pap                                                waits for cc-pap-api to be healthy
 ↻ cc-language-server                      ━━━    1.0 s  ended with exit code 1; is tried again
 ✗ cc-docs             ╌╌╌╌━━━━━━━━               5.0 s  has failed: ended with exit code 1, 4 times in a row
 ✓ db-init             ━━━━━━━━━━━━               5.0 s
 ● auth0                                                 was up already
 ⠋ opal                ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌     10 s  is being set up
"""

AT_80 = """
 controlcore  3 of 9 services ready  ·  10 s

 ● postgres                                    was up already
 ✗ redis                  ━━━━━━━━━━    7.5 s  is unhealthy: connection refused…
 ⠋ cc-pap-api                 ━━━━━━    4.0 s  answers with status 503
 ○ cc-pap                                      waits for cc-pap-api to be healt…
 ↻ cc-language-server             ━━    1.0 s  ended with exit code 1; is tried…
 ✗ cc-docs             ╌╌━━━━           5.0 s  has failed: ended with exit code…
 ✓ db-init             ━━━━━━           5.0 s
 ● auth0                                       was up already
 ⠋ opal                ╌╌╌╌╌╌╌╌╌╌╌╌╌     10 s  is being set up
"""

AT_9_LINES = """
 controlcore  3 of 9 services ready  ·  10 s

 ✗ redis                  ━━━━━━━━━━    7.5 s  is unhealthy: connection refused…
 ⠋ cc-pap-api                 ━━━━━━    4.0 s  answers with status 503
 ↻ cc-language-server             ━━    1.0 s  ended with exit code 1; is tried…
 ✗ cc-docs             ╌╌━━━━           5.0 s  has failed: ended with exit code…
 … 5 more: 1 under way, 1 waiting, 3 ready
"""


def test_at_140_columns(midway: Progress, shown: Shown) -> None:
    assert shown(layout(midway, 8000.0, 140, 40, RICH)) == AT_140


def test_at_80_columns(midway: Progress, shown: Shown) -> None:
    assert shown(layout(midway, 8000.0, 80, 40, RICH)) == AT_80


def test_in_few_lines_what_is_urgent_is_shown_and_the_rest_counted(midway: Progress, shown: Shown) -> None:
    assert shown(layout(midway, 8000.0, 80, 9, RICH)) == AT_9_LINES


def test_the_spinner_turns_and_bars_grow(midway: Progress) -> None:
    def line(now: float) -> str:
        (found,) = [each.plain for each in layout(midway, now, 80, 40, RICH) if "cc-pap-api" in each.plain[:14]]
        return found

    assert {line(8000 + tenth / 10 + 0.05)[1] for tenth in range(10)} == set(RICH.spinner)
    assert line(8004.0).count(RICH.bar) > line(8000.0).count(RICH.bar)


def test_fifty_services_fit_into_24_lines(make: Any) -> None:
    services = [make.service(f"service-with-a-long-name-{number}", needs=[]) for number in range(50)]
    manifest = make.manifest(*services)
    states = {each.name: make.healthy(each.name, 100.0 + number) for number, each in enumerate(services[:46])}
    sick = {"state": State.RUNNING, "health": Health.STARTING, "run": 1, "started_at": 100.0}
    states |= {each.name: ServiceState(name=each.name, **sick) for each in services[46:]}
    progress = Progress(manifest, tuple(manifest.services), 100.0, states=states)
    lines = [line.plain for line in layout(progress, 110.0, 80, 24, RICH)]
    assert len(lines) <= 23
    assert all(any(f"-{number} " in line for line in lines) for number in (46, 47, 48, 49))
    assert lines[-1] == " … 31 more: 31 ready"


@pytest.mark.parametrize("seed", range(20))
def test_no_line_is_wider_and_no_screen_higher_than_the_terminal(seed: int, make: Any) -> None:
    chance = random.Random(seed)
    names = [f"{chance.choice(['a', 'サービス' * 5, 'x' * 60])}-{number}" for number in range(chance.randint(1, 40))]
    manifest = make.manifest(*(make.service(name) for name in names))
    states = {
        name: ServiceState(
            name=name, state=chance.choice(list(State)), health=chance.choice(list(Health)),
            setup=chance.choice(list(Setup)), started_at=chance.choice([None, 50.0, 104.0]),
            ready_at=chance.choice([None, 60.0, 106.0]), since=chance.uniform(0, 110), reason="理由 " * 40,
        )
        for name in names
    }  # fmt: skip
    progress = Progress(manifest, tuple(names), 100.0, states=states, setups={names[0]: 101.0})
    for width, height in ((20, 6), (60, 24), (80, 24), (140, 60)):
        for glyphs in (RICH, ASCII):
            lines = layout(progress, 110.0, width, height, glyphs)
            assert len(lines) < height
            assert max(line.cell_len for line in lines) <= width


def test_when_stopping_the_stopped_are_counted(make: Any) -> None:
    manifest = make.manifest(make.service("a"), make.service("b"))
    states = {"a": ServiceState(name="a", since=101.0), "b": ServiceState(name="b", state=State.STOPPING, since=100.0)}
    progress = Progress(manifest, ("a", "b"), 100.0, states=states)
    text = [line.plain for line in layout(progress, 102.0, 80, 24, RICH, "stopped")]
    assert text[0] == " controlcore  1 of 2 services stopped  ·  2.0 s"
    assert text[3].endswith("is stopping")


def test_a_failure_is_folded_and_never_cut(shown: Shown) -> None:
    note = Note("cc-docs", "has failed: " + "word " * 20, Tone.BAD, ("x" * 100, "  two"), "devctl logs cc-docs")
    lines = told(note, RICH, 60)
    assert max(line.cell_len for line in lines) <= 60
    text = "".join(line.plain for line in lines)
    assert text.count("x") == 100
    assert text.count("word") == 20
    assert lines[-2].plain == "   → devctl logs cc-docs"
    assert lines[-1].plain == ""


def test_a_pipe_gets_a_line_a_change(shown: Shown) -> None:
    note = Note("web", "has failed: ended with exit code 1", Tone.BAD, ("boom",), "devctl logs web")
    assert (
        shown(plain(note, 6))
        == """
web     has failed: ended with exit code 1
        | boom
        -> devctl logs web
"""
    )


def test_every_look_has_a_place_when_lines_are_few() -> None:
    from devctl.ui.live import URGENCY

    assert set(URGENCY) == set(Look)
