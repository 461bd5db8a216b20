from __future__ import annotations

from types import SimpleNamespace

from devctl.ui.view import NOBODY, rows, status_record


def test_the_record_is_the_contract(world: SimpleNamespace) -> None:
    record = status_record(world.manifest, world.snapshot)
    assert record["workspace"] == "controlcore"
    assert record["supervisor"] == {"pid": 812, "since": "2026-11-21T07:07:30Z"}
    services = {each["name"]: each for each in record["services"]}
    assert list(services) == list(world.manifest.services)
    assert services["redis"] == {
        "name": "redis", "runtime": "process", "state": "running", "health": "unhealthy", "pid": 901,
        "container": None, "ports": [6379], "url": None, "since": "2026-11-21T09:03:20Z", "restarts": 0,
        "exit_code": None, "waiting_for": [], "reason": "redis is unhealthy: connection refused on port 6379",
        "cpu_percent": 12.4, "memory_bytes": 9_123_430,
    }  # fmt: skip
    assert services["postgres"]["container"] == "f00d" * 16
    assert services["postgres"]["pid"] is None
    assert services["cc-pap"]["waiting_for"] == ["cc-pap-api"]
    assert services["cc-pap"]["reason"] == "cc-pap waits for cc-pap-api to be healthy"
    assert services["cc-pap"]["since"] is None
    assert services["cc-pap-core"]["runtime"] == "library"
    assert services["cc-pap-core"]["reason"] == ""
    assert services["opal"]["reason"] == ""
    assert services["db-init"]["exit_code"] == 0


def test_without_a_supervisor_the_record_says_so(world: SimpleNamespace) -> None:
    record = status_record(world.manifest, NOBODY)
    assert record["supervisor"] is None
    assert {(each["state"], each["health"]) for each in record["services"]} == {("stopped", "none")}


def test_what_is_wanted_and_simply_stopped_has_a_reason(world: SimpleNamespace) -> None:
    import msgspec

    snapshot = msgspec.structs.replace(world.snapshot, wanted=(*world.snapshot.wanted, "opal"))
    reasons = {row.service.name: row.reason for row in rows(world.manifest, snapshot)}
    assert reasons["opal"] == "is stopped"
    assert reasons["postgres"] == reasons["db-init"] == reasons["cc-pap-core"] == ""
