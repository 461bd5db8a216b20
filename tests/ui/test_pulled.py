"""What the pull says: while it asks, when all else is done, and what it led to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devctl.api.protocol import Snapshot
from devctl.core.state import (
    AnyEvent,
    ServiceState,
    SetupDone,
    SourcesChanged,
    State,
    StopFor,
    Stopping,
)
from devctl.ui.progress import Progress, absorb, beside
from devctl.ui.pulled import Aftermath, Sight, Told, aftermath, doing, follow, live, pulled
from devctl.ui.theme import ASCII, RICH

CAME = Told("controlcore", "5 commits pulled from origin/dev", good=True)
SILENT = Told("controlcore", "org: no answer within 20 s; started with what is here")
APART = Told("controlcore", "not pulled: on feature, not on dev", "git -C examples/controlcore switch dev")


def changed(name: str = "cc-pap", because: str = "3 commits pulled") -> SourcesChanged:
    return SourcesChanged(service=name, because=because)


def redone(what: str) -> SetupDone:
    return SetupDone(service="cc-pap", changed=what)


def anew(why: StopFor = StopFor.RESTART) -> Stopping:
    return Stopping(service="cc-pap", run=1, why=why)


LOOKED = changed(because="")
IMAGE = "image rebuilt: app.py changed since its image was built"
DEFINITION = "its definition in the compose file changed since it was created"
TWO = "uv venv: it never ran here; uv sync: x changed"


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([changed(), redone("npm ci: package-lock.json changed"), anew()], "npm ci run, restarted"),
        ([changed(), anew(), redone(TWO)], "uv venv run, uv sync run, restarted"),
        ([changed(), redone("a; b; c: d changed")], "a; b; c run"),
        ([LOOKED, redone(IMAGE), anew(StopFor.REPLACE)], "image rebuilt, restarted"),
        ([LOOKED, redone(DEFINITION)], "container created anew"),
        ([changed(), redone("npm ci: x changed"), redone("npm ci: y changed")], "npm ci run"),
        ([redone("npm ci: it never ran here"), anew()], ""),
        ([changed(), anew(StopFor.DOWN)], ""),
    ],
)
def test_what_it_led_to_is_gathered_from_events_and_only_from_those_after_it(events: list[AnyEvent], said: str) -> None:
    sight = Sight(commits={"cc-pap": 3}, told=(CAME,), over=True)
    (line,) = aftermath(sight, follow(Aftermath(), events, {}), ["other", "cc-pap"])
    assert line == "cc-pap: 3 commits pulled" + (f", {said}" if said else "")


def test_a_one_shot_runs_again_and_what_failed_is_tried_again() -> None:
    states = {
        "init": ServiceState(name="init", state=State.EXITED, completed=True),
        "api": ServiceState(name="api", state=State.FATAL),
        "calm": ServiceState(name="calm", state=State.EXITED, completed=True),
    }
    after = follow(Aftermath(), [changed("init"), changed("api"), changed("calm", "")], states)
    assert after.anew == {"init": "run again", "api": "tried again"}


def test_what_it_does_now_is_one_line() -> None:
    asking = Sight(asking=("origin", "org"), limit=20.0)
    assert doing(asking, 1.2, waits=False) == "fetching from origin and org  1.2 s"
    assert doing(asking, 1.2, waits=True) == "waiting for origin and org  1.2 s of at most 20 s"
    came = Sight(asking=("org",), limit=20.0, told=(SILENT, CAME))
    assert doing(came, 1.2, waits=False) == "controlcore: 5 commits pulled from origin/dev, fetching from org  1.2 s"
    assert doing(Sight(over=True, told=(CAME,)), 1.2, waits=True) == ""


@pytest.mark.parametrize("glyphs", [RICH, ASCII])
def test_the_live_line_stays_when_something_came_and_goes_when_nothing_did(glyphs: Any) -> None:
    (line,) = live(Sight(over=True, told=(CAME, SILENT)), 3.0, True, glyphs)
    assert line.plain.endswith("git  controlcore: 5 commits pulled from origin/dev")
    assert live(Sight(over=True, told=(SILENT,)), 3.0, True, glyphs) == []
    assert live(None, 3.0, True, glyphs) == []


@pytest.mark.parametrize("width", [0, 80, 140])
def test_the_end_says_what_came_what_did_not_and_what_to_do(width: int) -> None:
    sight = Sight(told=(CAME, SILENT, APART), commits={"cc-pap": 3}, over=True)
    lines = [line.plain for line in pulled(sight, Aftermath(), ["cc-pap"], RICH, width)]
    assert lines[-1] == "   cc-pap: 3 commits pulled"
    assert all(len(line) <= width for line in lines) or not width
    whole = " ○ controlcore: not pulled: on feature, not on dev → git -C examples/controlcore switch dev"
    parts = whole.partition(" → ")[0], "   → git -C examples/controlcore switch dev"
    assert (whole in lines) == (width == 140)
    assert (set(parts) <= set(lines)) == (width == 80)
    assert (len(lines) == 2) == (width == 0), "a pipe was told the rest when it happened"


def test_steering_sequences_in_names_do_not_reach_the_terminal() -> None:
    sight = Sight(told=(Told("x\x1b[2J", "y\x07"),), asking=("o\x1b[2J",))
    lines = [*pulled(sight, Aftermath(), [], RICH, 80), *live(sight, 1.0, False, RICH)]
    assert "\x1b" not in "".join(line.plain for line in lines)


def test_the_wait_is_over_when_the_supervisor_has_acted_upon_what_came(make: SimpleNamespace) -> None:
    manifest = make.manifest(make.service("api"))
    progress = Progress(manifest, ("api",), 100.0)
    assert progress.pull_over
    progress, notes = beside(progress, Sight(asking=("origin",)))
    assert (progress.pull_over, notes) == (False, ())
    wider = make.manifest(make.service("api"), make.service("web"))
    sight = Sight(over=True, renewals=2, told=(APART,), manifest=wider, names=("api", "web"))
    progress, notes = beside(progress, sight)
    assert [f"{note.service} {note.text}" for note in notes] == [
        "git controlcore: not pulled: on feature, not on dev -> git -C examples/controlcore switch dev"
    ]
    assert beside(progress, sight)[1] == ()
    assert progress.names == ("api", "web")
    for renewals, over in ((1, False), (2, True), (3, True)):
        progress, _ = absorb(progress, Snapshot(version="1", pid=1, started=1.0, clock=(1.0, 1.0), renewals=renewals))
        assert progress.pull_over is over
    assert set(progress.verdicts()) == {"api", "web"}
