from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from devctl.core.model import ProcessSpec, Runtime
from devctl.core.rehearse import Step
from devctl.core.state import Health, ServiceState, State
from devctl.ui.checklist import Finding, Level, checklist
from devctl.ui.ports import PortRow, port_table
from devctl.ui.progress import Progress
from devctl.ui.rehearsed import steps
from devctl.ui.summary import closing, related, stopped
from devctl.ui.text import Text
from devctl.ui.theme import RICH

Shown = Callable[[Sequence[Text]], str]


def three(make: SimpleNamespace, began: float = 100.0, **states: ServiceState) -> Progress:
    native = ProcessSpec(command="x", path="/")
    substitute = {"compose": "postgres", "native": native, "process": native, "runtime_reason": "no engine answers"}
    manifest = make.manifest(
        make.service("postgres", Runtime.PROCESS, 5432, url="", **substitute),
        make.service("cc-pap-api", port=8000, needs=["postgres"]),
        make.service("cc-pap", Runtime.PROCESS, 5173, needs=["cc-pap-api"]),
    )
    found = {
        "postgres": make.healthy("postgres", 100.5, ready_at=102.1),
        "cc-pap-api": make.healthy("cc-pap-api", 102.1, ready_at=106.2),
        "cc-pap": make.healthy("cc-pap", 106.2, ready_at=108.2),
    } | {name.replace("_", "-"): state for name, state in states.items()}
    return Progress(manifest, tuple(manifest.services), began, states=found)


def test_the_end_of_a_good_up(make: Any, shown: Shown) -> None:
    assert (
        shown(closing(three(make), 108.2, RICH, 80))
        == """
 ✓ 3 services healthy in 8.2 s: postgres 2.1 → cc-pap-api 4.1 → cc-pap 2.0

   ● postgres    localhost:5432          1.6 s  process
   ● cc-pap-api  http://localhost:8000/  4.1 s  container
   ● cc-pap      http://localhost:5173/  2.0 s  process

   postgres runs without a container: no engine answers
"""
    )


def test_nothing_to_do(make: Any, shown: Shown) -> None:
    looked_at_again = replace(three(make, began=200.0), setups={"postgres": 200.05})
    text = shown(closing(looked_at_again, 200.1, RICH, 80))
    assert "0.0 s" not in text
    assert text.startswith("\n ✓ nothing to do: all 3 services were healthy already\n")
    assert "4.1 s" not in text


def test_the_end_of_a_bad_up_names_what_failed_and_what_waits(make: Any, shown: Shown) -> None:
    fatal = ServiceState(name="cc-pap-api", state=State.FATAL, run=3, since=106.0, started_at=105.0, reason="ended")
    progress = three(make, cc_pap_api=fatal, cc_pap=ServiceState(name="cc-pap"))
    assert (
        shown(closing(progress, 108.0, RICH, 80))
        == """
 ✗ 1 of 3 services failed: cc-pap-api; cc-pap waits for what failed
   → devctl why cc-pap-api

   ● postgres    localhost:5432          1.6 s  process
   ✗ cc-pap-api  http://localhost:8000/         container
   · cc-pap      http://localhost:5173/         process
"""
    )


def test_in_a_narrow_terminal_columns_go_before_addresses_do(make: Any) -> None:
    lines = closing(three(make), 108.2, RICH, 46)
    assert max(line.cell_len for line in lines[1:]) <= 46
    assert any("http://localhost:8000/" in line.plain for line in lines)


def test_what_changed_since_the_last_up(shown: Shown) -> None:
    assert (
        shown(related({"cc-pap": ["cc-pap-api", "cc-pap-core"]}, 80))
        == """

   cc-pap changed since the last up: think of cc-pap-api and cc-pap-core
"""
    )
    assert related({}, 80) == []


def test_the_end_of_down(shown: Shown) -> None:
    assert shown(stopped(0, 0.0, {}, RICH)) == "\n ✓ nothing was running\n"
    assert shown(stopped(3, 1.25, {}, RICH)) == "\n ✓ 3 services stopped in 1.2 s\n"
    assert (
        shown(stopped(3, 1.2, {"a": "pid 9 does not end"}, RICH))
        == """
 ✗ 1 service could not be stopped
   a: pid 9 does not end
"""
    )


def test_a_rehearsal_shows_what_happens_at_the_same_time(shown: Shown) -> None:
    played = [
        Step(wave=1, action="prepare", service="cc-pap", because="npm ci: it never ran here"),
        Step(wave=1, action="start", service="postgres", because="it needs nothing"),
        Step(wave=2, action="start", service="cc-pap", because="postgres is healthy"),
    ]
    assert (
        shown(steps(played, ["port 5432, which postgres needs, is held by x"]))
        == """
port 5432, which postgres needs, is held by x
1  prepare  cc-pap    npm ci: it never ran here
   start    postgres  it needs nothing
2  start    cc-pap    postgres is healthy
"""
    )
    assert shown(steps([], [])) == "\nnothing to do\n"


def test_the_table_of_ports(shown: Shown) -> None:
    rows = [
        PortRow(5432, "", "postgres", "held", "postgres (pid 812, in ~/other, since 09:00)"),
        PortRow(8000, "http", "api", "ours", "service api"),
        PortRow(9229, "debug", "api", "free", ""),
    ]
    assert (
        shown(port_table(rows, RICH, 60))
        == """
  PORT  NAME   SERVICE
  5432         postgres  ✗ held
    postgres (pid 812, in ~/other, since 09:00)
  8000  http   api       ● ours  service api
  9229  debug  api       · free
"""
    )
    assert (
        shown(port_table(rows, RICH, 0)).splitlines()[2].endswith("held  postgres (pid 812, in ~/other, since 09:00)")
    )
    assert shown(port_table([], RICH, 80)) == "\nthe manifest has no ports\n"


def test_a_checklist_counts_what_is_wrong(shown: Shown) -> None:
    findings = [
        Finding(Level.GOOD, "services.yaml", "3 services"),
        Finding(Level.NOTE, "docker", "no engine answers"),
        Finding(Level.WRONG, "cc-pap", "npm is not installed", "install npm, or look at PATH"),
    ]
    assert (
        shown(checklist(findings, findings, RICH, 80))
        == """
 ✓ services.yaml: 3 services
 ○ docker: no engine answers
 ✗ cc-pap: npm is not installed
   → install npm, or look at PATH
 ✗ 1 thing to mend
"""
    )
    assert shown(checklist([], findings[:2], RICH, 80)) == "\n ✓ all 2 checks passed\n"


def test_a_service_that_is_not_healthy_shows_in_the_closing_as_it_is(make: Any, shown: Shown) -> None:
    sick = ServiceState(name="cc-pap", state=State.RUNNING, health=Health.UNHEALTHY, run=1, started_at=106.0)
    assert "   ✗ cc-pap " in shown(closing(three(make, cc_pap=sick), 108.0, RICH, 80))
