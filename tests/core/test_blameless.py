"""A service that is unhealthy only because of what it needs is not worn out by restarts."""

from __future__ import annotations

from devctl.core.model import Dependency, HealthCheck, ProcessSpec, Runtime, Service, TcpProbe
from devctl.core.reconcile import World, fingerprint, reconcile
from devctl.core.state import Health, ServiceState, State

CHECK = HealthCheck(probe=TcpProbe(host="localhost", port=1))
DATABASE, API = (
    Service(
        name=name,
        runtime=Runtime.PROCESS,
        process=ProcessSpec(command="x", path="/"),
        health=CHECK,
        depends_on=tuple(Dependency(service=each) for each in needs),
    )
    for name, needs in (("db", ()), ("api", ("db",)))
)


def plan(database: Health) -> str:
    states = {
        "db": ServiceState(name="db", state=State.RUNNING, health=database, run=1, spec=fingerprint(DATABASE)),
        "api": ServiceState(
            name="api", state=State.RUNNING, health=Health.UNHEALTHY, run=1, spec=fingerprint(API), reason="HTTP 503"
        ),
    }
    world = World(
        services={"db": DATABASE, "api": API},
        wanted=frozenset({"db", "api"}),
        states=states,
        edges={"db": ("api",), "api": ()},
    )
    return str(reconcile(world, now=100.0))


def test_it_waits_for_what_it_needs() -> None:
    assert plan(Health.STARTING) == "hold api: is unhealthy, and needs db first"


def test_it_is_restarted_when_nothing_else_is_to_blame() -> None:
    assert plan(Health.HEALTHY) == "stop api: HTTP 503"
