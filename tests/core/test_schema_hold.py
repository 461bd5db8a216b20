"""A database that is behind its models keeps waiting what needs its service, with the reason, and no longer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devctl.core.explain import explain
from devctl.core.lifecycle import step
from devctl.core.model import Condition, Database, Dependency, HealthCheck, Manifest, Runtime, Service, TcpProbe
from devctl.core.outcome import Verdict, verdicts
from devctl.core.plan import Plan
from devctl.core.reconcile import World, reconcile
from devctl.core.rehearse import rehearse
from devctl.core.state import (
    AnyEvent,
    Asked,
    Exited,
    ProbePassed,
    Schema,
    SchemaChecked,
    SchemaVerdict,
    ServiceState,
    SetupDone,
    Started,
    Starting,
    State,
    StopFor,
    Stopping,
)

CHECK = HealthCheck(probe=TcpProbe(host="h", port=1))
HOLD = Database(url="x", models="app:Base", hold="schema")
BEHIND = Schema(SchemaVerdict.BEHIND, "users.key is missing", "devctl db upgrade", ("users.key: text",))
CURRENT = Schema(SchemaVerdict.CURRENT)
UNCHECKED = Schema(SchemaVerdict.UNCHECKED, "the models of api do not import: ImportError")


def manifest(database: Database | None = HOLD, condition: Condition = Condition.HEALTHY) -> Manifest:
    api = Service(name="api", runtime=Runtime.PROCESS, health=CHECK, database=database)
    ui = Service(name="ui", runtime=Runtime.PROCESS, depends_on=(Dependency(service="api", condition=condition),))
    return Manifest(name="m", file="/f", root="/", services={"api": api, "ui": ui})


UP: tuple[AnyEvent, ...] = (
    Asked(service="api"), SetupDone(service="api"), Starting(service="api", run=1), Started(service="api", run=1),
    ProbePassed(service="api", run=1),
)  # fmt: skip


def found(schema: Schema, run: int = 1) -> SchemaChecked:
    return SchemaChecked(service="api", run=run, found=schema)


class Tale:
    """A history of the service ``api``, which ``ui`` needs."""

    def __init__(self, *events: AnyEvent, of: Manifest | None = None) -> None:
        self.manifest = of or manifest()
        self.states = {"ui": ServiceState(name="ui")}
        self.tell(*events)

    def tell(self, *events: AnyEvent) -> Tale:
        for event in events:
            before = self.states.get("api") or ServiceState(name="api")
            self.states["api"] = step(self.manifest.services["api"], before, event, 1.0)
        return self

    @property
    def plan(self) -> Plan:
        return reconcile(World.of(self.manifest, ["api", "ui"], self.states), 2.0)

    @property
    def verdicts(self) -> dict[str, str]:
        return {name: str(each) for name, each in verdicts(self.manifest, ["api", "ui"], self.states).items()}


def test_what_needs_it_waits_while_it_is_being_checked() -> None:
    tale = Tale(*UP)
    assert str(tale.plan) == "hold ui: waits for api to be healthy"
    assert tale.verdicts == {"api": "pending", "ui": "pending"}


def test_behind_holds_with_the_reason_and_the_command_that_mends_it() -> None:
    tale = Tale(*UP, found(BEHIND))
    told = "schema of api is behind its models (users.key is missing): devctl db upgrade"
    assert str(tale.plan) == f"hold ui: {told}"
    assert tale.verdicts == {"api": "failed", "ui": "blocked"}, "up does not wait for somebody to mend it"


@pytest.mark.parametrize("schema", [CURRENT, UNCHECKED])
def test_current_lets_go_and_so_does_what_could_not_be_checked(schema: Schema) -> None:
    tale = Tale(*UP, found(schema))
    assert str(tale.plan) == "start ui: api is healthy"
    assert tale.verdicts["api"] == Verdict.READY


def test_mended_it_lets_go() -> None:
    tale = Tale(*UP, found(BEHIND), found(CURRENT))
    assert str(tale.plan) == "start ui: api is healthy"
    assert tale.states["api"].schema.reason == ""


def test_asked_again_it_is_checked_again_and_nobody_is_told_what_was() -> None:
    tale = Tale(*UP, found(BEHIND), Asked(service="api"))
    assert tale.states["api"].schema == Schema(SchemaVerdict.PENDING)
    tale.tell(found(CURRENT), Asked(service="api"))
    assert tale.states["api"].schema == CURRENT, "what is right needs no second look"


def test_it_is_never_restarted_for_its_schema() -> None:
    assert [str(action) for action in Tale(*UP, found(BEHIND)).plan.actions] == []


def test_each_run_is_checked_anew_and_news_of_an_earlier_one_is_dropped() -> None:
    tale = Tale(*UP, found(CURRENT), Exited(service="api", run=1, code=1), Starting(service="api", run=2))
    assert tale.states["api"].schema == Schema(SchemaVerdict.PENDING)
    tale.tell(Started(service="api", run=2), ProbePassed(service="api", run=2), found(CURRENT, run=1))
    assert tale.states["api"].schema == Schema(SchemaVerdict.PENDING)


def test_of_a_service_that_ended_nothing_is_said_of_its_schema() -> None:
    tale = Tale(*UP, found(BEHIND), Exited(service="api", run=1, code=1))
    assert tale.states["api"].state is State.BACKOFF
    assert "schema" not in str(tale.plan)


@pytest.mark.parametrize(
    "of",
    [
        manifest(Database(url="x", models="app:Base")),
        manifest(None),
        manifest(condition=Condition.STARTED),
    ],
)
def test_without_the_hold_or_for_who_needs_it_only_started_nothing_waits(of: Manifest) -> None:
    assert "start ui" in str(Tale(*UP, found(BEHIND), of=of).plan)


def test_what_comes_too_late_or_of_a_service_that_holds_nobody_changes_nothing() -> None:
    tale = Tale(*UP, found(CURRENT), Stopping(service="api", run=1, why=StopFor.DOWN), found(BEHIND))
    assert tale.states["api"].schema == CURRENT
    assert Tale(*UP, found(BEHIND), of=manifest(None)).states["api"].schema == Schema()


def test_a_manifest_that_no_longer_holds_lets_go() -> None:
    tale = Tale(*UP, found(BEHIND))
    tale.manifest = manifest(None)
    assert str(tale.plan) == "start ui: api is healthy"
    assert tale.verdicts["api"] == Verdict.READY


def test_why_names_it_the_evidence_and_the_command() -> None:
    tale = Tale(*UP, found(BEHIND))
    explained = explain(tale.manifest, tale.states, tale.plan.holds, "ui")
    cause: Any = explained.root_cause
    assert explained.path == ("ui", "api")
    assert cause.reason == "api has a schema that is behind its models: users.key is missing"
    assert (cause.evidence, cause.hint) == (("users.key: text",), "devctl db upgrade")


def test_a_rehearsal_takes_it_as_current() -> None:
    steps = rehearse(manifest(), ["api", "ui"], {}, {})
    assert [(line.wave, line.action, line.service) for line in steps] == [(1, "start", "api"), (2, "start", "ui")]


def test_states_from_before_there_were_schemas_still_load() -> None:
    state = msgspec.json.decode(b'{"name": "api", "state": "running"}', type=ServiceState)
    assert state.schema == Schema()
