"""Facts in, decisions out: what happens to images and containers, and why."""

from __future__ import annotations

import pytest

from devctl.runtimes.policy import ContainerFacts, ServiceFacts, decide, exit_note, start_problem, unknown_names

RUNNING = ContainerFacts(active=True, config_hash="h1", image="i1")


def facts(
    *containers: ContainerFacts, config_hash: str = "h1", image: str = "i1", built: bool = False, stale: str = ""
) -> ServiceFacts:
    return ServiceFacts("web", config_hash, image, "shop/web:1", built, stale, containers)


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        (facts(RUNNING), "web: keep (it is up to date)"),
        (facts(ContainerFacts(False, "h1", "i1")), "web: start (it is stopped)"),
        (facts(), "web: create (it has no container yet)"),
        (facts(image=""), "web: create (it has no container yet)"),
        (facts(image="", built=True), "web: build (its image does not exist yet)"),
        (facts(RUNNING, built=True, stale="app.py changed"), "web: build (app.py changed)"),
        (
            facts(RUNNING, config_hash="h2"),
            "web: recreate (its definition in the compose file changed since it was created)",
        ),
        (facts(RUNNING, image="i2"), "web: recreate (shop/web:1 is another image now)"),
        (facts(RUNNING, image="i2", built=True), "web: recreate (its image was rebuilt)"),
        (facts(RUNNING, image=""), "web: recreate (its image shop/web:1 is gone)"),
        (facts(RUNNING, RUNNING), "web: recreate (it has 2 containers and must have one)"),
        (facts(ContainerFacts(False, "h1", "i1", networks_gone=True)), "web: recreate (its network is gone)"),
    ],
)
def test_decisions(given: ServiceFacts, plan: str) -> None:
    assert str(decide(given)) == plan


@pytest.mark.parametrize(
    "message",
    [
        (
            "driver failed programming external connectivity on endpoint x (0a1): "
            "Bind for 0.0.0.0:5432 failed: port is already allocated"
        ),
        (
            "driver failed programming external connectivity on endpoint x (0a1): Error starting userland proxy: "
            "listen tcp4 0.0.0.0:5432: bind: address already in use"
        ),
        (
            "failed to set up container networking: driver failed programming external connectivity on endpoint x: "
            "failed to bind host port for 0.0.0.0:5432:172.18.0.2:5432/tcp: address already in use"
        ),
        (
            "Ports are not available: exposing port TCP 0.0.0.0:5432 -> 0.0.0.0:0: "
            "listen tcp 0.0.0.0:5432: bind: address already in use"
        ),
        (
            "driver failed programming external connectivity on endpoint x: Error starting userland proxy: "
            "listen tcp6 [::]:5432: bind: address already in use"
        ),
    ],
)
def test_a_held_port_is_understood(message: str) -> None:
    problem = start_problem(message)
    assert (problem.port, problem.final) == (5432, True)


def test_other_start_problems() -> None:
    helper = start_problem("Ports are not available: exposing port TCP 0.0.0.0:80 -> 0.0.0.0:0: vmnetd is not running")
    assert (helper.port, helper.final) == (0, False)
    gone = start_problem("network 5f0a not found")
    assert (gone.network, gone.final) == (True, False)
    missing = start_problem(
        "failed to create task for container: failed to create shim task: OCI runtime create failed: "
        'runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH'
    )
    assert (missing.port, missing.final) == (0, True)
    assert missing.reason.startswith("failed to create shim task")


def test_exit_notes() -> None:
    assert [exit_note(code, False) for code in (0, 1, 137)] == ["", "", "killed: SIGKILL"]
    assert exit_note(137, True) == "out of memory"


def test_unknown_names_come_with_what_was_meant() -> None:
    assert unknown_names(["redis", "postgre", "zzz"], ["postgres", "redis"]) == {"postgre": "postgres", "zzz": ""}
