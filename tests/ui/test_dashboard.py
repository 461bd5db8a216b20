# ruff: noqa: E501 - a screen of 140 columns is shown as it is
from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from devctl.api.protocol import Snapshot, Usage
from devctl.core.model import Manifest, Runtime
from devctl.core.plan import Hold
from devctl.core.state import Health, ServiceState, State
from devctl.ui.tables import dashboard
from devctl.ui.text import Text
from devctl.ui.theme import ASCII, RICH, Look
from devctl.ui.view import NOBODY

Shown = Callable[[Sequence[Text]], str]

WIDE = """
 controlcore  3 of 8 services healthy  ·  supervisor 812, up 2h12m

    SERVICE             STATE    HEALTH     PORT  URL                                UPTIME  RESTARTS     CPU  MEMORY  RUNTIME
  ● postgres            running  healthy    5432                                      2h11m         0    0.4%   91 MB  container
  ✗ redis               running  unhealthy  6379                                     16m40s         0   12.4%    9 MB  process
    └ is unhealthy: connection refused on port 6379
  ◐ cc-pap-api          running  starting   8000  http://localhost:8000/                10s         2  100.2%  1.4 GB  container
    └ is not healthy yet: answers with status 503
  ○ cc-pap              stopped             5173  http://localhost:5173/                                               process
    └ waits for cc-pap-api to be healthy
  ↻ cc-language-server  backoff             3030  http://localhost:3030/                            1                  process
    └ ended with exit code 1; is tried again
  ✗ cc-docs             fatal               3001  http://localhost:3001/                            3                  process
    └ has failed: ended with exit code 1, 4 times in a row
  ✓ db-init             exited                                                                      0                  container
  ● auth0               running  healthy          https://controlcore.eu.auth0.com/   8m20s         0                  external
  · cc-pap-core         library                                                                                        library
  · opal                stopped             7002  http://localhost:7002/                                               container

  redis runs without a container: no Docker engine answers
  → devctl why redis
"""

NARROW = """
 controlcore  3 of 8 services healthy  ·  supervisor 812, up 2h12m

    SERVICE             STATE      URL      UPTIME  ↻     CPU  MEMORY  RUNTIME
  ● postgres            healthy    :5432     2h11m  0    0.4%   91 MB  container
  ✗ redis               unhealthy  :6379    16m40s  0   12.4%    9 MB  process
    └ is unhealthy: connection refused on port 6379
  ◐ cc-pap-api          starting   :8000       10s  2  100.2%  1.4 GB  container
    └ is not healthy yet: answers with status 503
  ○ cc-pap              waiting    :5173                               process
    └ waits for cc-pap-api to be healthy
  ↻ cc-language-server  retrying   :3030            1                  process
    └ ended with exit code 1; is tried again
  ✗ cc-docs             failed     :3001            3                  process
    └ has failed: ended with exit code 1, 4 times in a row
  ✓ db-init             completed                   0                  container
  ● auth0               healthy    https:…   8m20s  0                  external
  · cc-pap-core         library                                        library
  · opal                stopped    :7002                               container

  redis runs without a container: no Docker engine answers
  → devctl why redis
"""


def test_at_140_columns_everything_is_said(world: SimpleNamespace, shown: Shown) -> None:
    assert shown(dashboard(world.manifest, world.snapshot, RICH, 140)) == WIDE


def test_at_80_columns_the_same_is_said_in_fewer(world: SimpleNamespace, shown: Shown) -> None:
    assert shown(dashboard(world.manifest, world.snapshot, RICH, 80)) == NARROW


def test_a_pipe_gets_one_aligned_line_a_service_and_no_empty_cell(world: SimpleNamespace) -> None:
    head, *body = [line.plain for line in dashboard(world.manifest, world.snapshot, RICH, 0)]
    assert " ".join(head.split()) == "SERVICE STATE HEALTH PORT URL UPTIME RESTARTS CPU MEMORY RUNTIME REASON"
    assert [line.split()[0] for line in body] == list(world.manifest.services)
    runtimes = [line[head.index("RUNTIME") :].split()[0] for line in body]
    assert runtimes == [each.runtime.value for each in world.manifest.services.values()]
    rows = {line.split()[0]: line for line in body}
    assert rows["cc-pap"].endswith("process    waits for cc-pap-api to be healthy")
    assert rows["redis"][head.index("REASON") :] == "is unhealthy: connection refused on port 6379"
    assert " ".join(rows["opal"].split()) == "opal stopped - 7002 http://localhost:7002/ - - - - container -"


def test_why_a_healthy_service_has_no_container_is_said_in_a_pipe_too(world: SimpleNamespace, make: Any) -> None:
    states = {**world.snapshot.states, "redis": make.healthy("redis")}
    snapshot = msgspec.structs.replace(world.snapshot, states=states)
    (line,) = [x.plain for x in dashboard(world.manifest, snapshot, RICH, 0) if x.plain.startswith("redis")]
    assert line.endswith("without a container: no Docker engine answers")


def test_links_lead_to_the_whole_address(world: SimpleNamespace) -> None:
    lines = dashboard(world.manifest, world.snapshot, RICH, 80)
    styles = [style for line in lines for _, _, style in line.spans]
    assert "link http://localhost:8000/" in styles


def test_nothing_running_says_what_to_type(world: SimpleNamespace, shown: Shown) -> None:
    text = shown(dashboard(world.manifest, NOBODY, RICH, 80))
    assert "controlcore  nothing is running" in text
    assert text.endswith("\n\n  → devctl up\n")
    assert "└" not in text


def test_without_utf8_the_same_is_drawn_in_ascii(world: SimpleNamespace, shown: Shown) -> None:
    text = shown(dashboard(world.manifest, world.snapshot, ASCII, 80))
    assert text.isascii()
    assert "  x redis " in text
    assert "  * postgres " in text


@pytest.mark.parametrize("glyphs", [RICH, ASCII])
def test_no_two_looks_share_a_symbol(glyphs: Any) -> None:
    assert len(set(glyphs.looks.values())) == len(Look)


def test_an_empty_manifest_is_no_accident(make: Any, shown: Shown) -> None:
    assert "the manifest has no services" in shown(dashboard(make.manifest(), NOBODY, RICH, 80))


def anything(seed: int) -> tuple[Manifest, Snapshot]:
    """Any mixture of long, wide and odd values."""
    chance = random.Random(seed)
    from devctl.core.model import Port, Service

    names = [f"{chance.choice(['api', 'サービス', 'x' * 40, 'é́'])}-{number}" for number in range(chance.randint(1, 50))]
    services = {
        name: Service(
            name=name,
            runtime=chance.choice(list(Runtime)),
            ports=tuple(Port(number=chance.randint(1, 65535)) for _ in range(chance.randint(0, 4))),
            url=chance.choice(["", "http://localhost:3000/", "https://例え.jp/" + "a" * 90]),
        )
        for name in names
    }
    states = {
        name: ServiceState(
            name=name, state=chance.choice(list(State)), health=chance.choice(list(Health)), run=1,
            since=chance.uniform(1, 9e5), reason=chance.choice(["", "接続拒否 " * 30, "a\x1b[31mb\nc\t" * 9]),
        )
        for name in names
    }  # fmt: skip
    usage = {name: Usage(cpu_percent=chance.uniform(0, 900), memory_bytes=chance.randint(0, 10**11)) for name in names}
    holds = tuple(Hold(service=name, reason="waits " * 40, on=(name,)) for name in names if chance.random() < 0.3)
    manifest = Manifest(name="w" * chance.randint(1, 90), file="f", root="/", services=services)
    return manifest, Snapshot(
        version="1", pid=1, started=1.0, clock=(1e6, 1e9), states=states, usage=usage, holds=holds, wanted=tuple(names)
    )


@pytest.mark.parametrize("seed", range(30))
def test_no_line_is_ever_wider_than_the_terminal(seed: int) -> None:
    manifest, snapshot = anything(seed)
    for width in (20, 40, 60, 79, 80, 100, 140, 300):
        lines = dashboard(manifest, snapshot, RICH, width)
        assert max(line.cell_len for line in lines) <= width
        assert not any(character in line.plain for line in lines for character in "\x1b\n\t")
        drawn = [line for line in lines if line.plain[2:3] in set(RICH.looks.values()) and line.plain[3:4] == " "]
        assert len(drawn) == len(manifest.services)
