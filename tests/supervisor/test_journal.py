"""What a killed supervisor leaves, and what the next one makes of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from devctl.core.model import Manifest, ProcessSpec, Runtime, Service
from devctl.core.state import (
    AnyEvent,
    Asked,
    Exited,
    ProcessIdentity,
    ServiceState,
    Setup,
    SetupStarted,
    Started,
    Starting,
    State,
    Stopped,
)
from devctl.supervisor import journal as journal_module
from devctl.supervisor.journal import (
    Began,
    Ended,
    Happened,
    Journal,
    Known,
    Past,
    Record,
    Standing,
    Wanted,
    read,
    read_day,
    recover,
    succeed,
)

WHO = ProcessIdentity(pid=7, start=1)


def service(name: str, **environment: str) -> Service:
    process = ProcessSpec(command="run", path="/", environment=environment)
    return Service(name=name, runtime=Runtime.PROCESS, process=process)


def manifest(*names: str) -> Manifest:
    return Manifest(name="m", file="/f", root="/", services={name: service(name) for name in names})


def began(boot: str = "b") -> Began:
    return Began(version="1", pid=1, boot=boot, wall=0.0, now=0.0)


def happened(*events: AnyEvent) -> list[Record]:
    return [Happened(at=5.0, now=5.0, event=event) for event in events]


def begun(name: str, run: int = 1) -> list[Record]:
    return happened(Starting(service=name, run=run), Started(service=name, run=run, identity=WHO))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def write(path: Path, *records: Record) -> None:
    journal = Journal(path)
    journal.write(records)
    journal.close()


def test_what_was_wanted_and_what_ran_is_known_again(path: Path) -> None:
    write(path, began(), Known(manifest=manifest("api", "db")), Wanted(names=("api",)), *begun("api"))
    past = recover(path, "b")
    assert (past.manifest, past.wanted) == (manifest("api", "db"), ("api",))
    assert (past.states["api"].state, past.states["api"].identity) == (State.RUNNING, WHO)


def test_every_record_comes_back_as_it_was_written(path: Path) -> None:
    records: list[Record] = [
        began(),
        Known(manifest=manifest("api")),
        Wanted(names=("api",)),
        Standing(states={"api": ServiceState(name="api", identity=WHO)}, retired={"old": service("old")}),
        *happened(Asked(service="api", rerun=True), Exited(service="api", run=1, code=-9, words=("ü\n\u2028",))),
        Ended(wall=1.0, handover=True),
    ]
    write(path, *records)
    assert read(path) == records


def test_of_a_long_day_that_ended_cleanly_little_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Known(manifest=manifest("api"))
    write(path, began(), known, *happened(*[Asked(service="api")] * 500), Ended(wall=9.0))
    found: list[bytes] = []
    decoded = journal_module._decoded

    def counted(lines: Iterable[bytes]) -> Iterator[Record]:
        chosen = list(lines)
        found.extend(chosen)
        return decoded(chosen)

    monkeypatch.setattr(journal_module, "_decoded", counted)
    assert recover(path, "b") == Past(manifest=known.manifest)
    assert len(found) == 4


def test_nothing_is_taken_over_from_nowhere_from_before_a_reboot_or_after_a_clean_end(path: Path) -> None:
    assert recover(path, "b") == Past()
    write(path, began(), Known(manifest=manifest("api")), Wanted(names=("api",)), *begun("api"))
    assert recover(path, "another boot") == Past()
    write(path, Ended(wall=9.0))
    assert recover(path, "b") == Past(manifest=manifest("api"))


def test_after_a_handover_everything_is_taken_over_with_what_came_after_it(path: Path) -> None:
    known = [began(), Known(manifest=manifest("api")), Wanted(names=("api",))]
    write(path, *known, *happened(Starting(service="api", run=1)), Ended(wall=9.0, handover=True))
    write(path, *happened(Started(service="api", run=1, identity=WHO)))
    past = recover(path, "b")
    assert (past.wanted, past.states["api"].state) == (("api",), State.RUNNING)


def test_only_the_last_supervisor_counts(path: Path) -> None:
    write(path, began(), Known(manifest=manifest("api")), Wanted(names=("api",)), *begun("api"))
    write(path, began(), Known(manifest=manifest("db")), Wanted(names=()), Standing(states={}))
    assert recover(path, "b") == Past(manifest=manifest("db"))


def test_a_setup_that_was_under_way_did_not_finish(path: Path) -> None:
    write(path, began(), Known(manifest=manifest("api")), *happened(SetupStarted(service="api")))
    assert recover(path, "b").states["api"].setup is Setup.NEEDED


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_half_a_line_at_the_end_is_passed_over_and_does_not_swallow_the_next(path: Path, cut: int) -> None:
    write(path, began("earlier"), Known(manifest=manifest("api")), *begun("api"))
    os.truncate(path, path.stat().st_size - cut)
    write(path, began("b"), Known(manifest=manifest("db")), Wanted(names=("db",)), *begun("db"))
    past = recover(path, "b")
    assert (past.wanted, list(past.states)) == (("db",), ["db"])


def test_lines_that_are_no_records_are_passed_over(path: Path) -> None:
    write(path, began(), Known(manifest=manifest("api")), Wanted(names=("api",)))
    with path.open("ab") as file:
        file.write(b'{"type":"of a later version"}\n\xff\xfe\n\n[1,2]\n' + b"\x00" * 40 + b"\n")
    write(path, *begun("api"))
    assert recover(path, "b").states["api"].state is State.RUNNING


def test_events_that_cannot_be_and_of_unknown_services_are_passed_over(path: Path) -> None:
    impossible = happened(Started(service="api", run=0), Asked(service="ghost"))
    write(path, began(), Known(manifest=manifest("api")), *impossible, *begun("api"))
    assert list(recover(path, "b").states) == ["api"]


def test_a_service_gone_from_the_manifest_is_known_as_long_as_it_may_run(path: Path) -> None:
    known = [began(), Known(manifest=manifest("api", "old")), Wanted(names=("api", "old"))]
    write(path, *known, *begun("api"), *begun("old"), Known(manifest=manifest("api")), Wanted(names=("api",)))
    past = recover(path, "b")
    assert (past.retired, past.states["old"].state) == ({"old": service("old")}, State.RUNNING)
    write(path, began(), Known(manifest=manifest("api")), Standing(states=past.states, retired=past.retired))
    assert recover(path, "b").retired == {"old": service("old")}
    write(path, *happened(Stopped(service="old", run=1)), Known(manifest=manifest("api", "db")))
    assert recover(path, "b").retired == {}


def test_of_a_forgotten_service_the_run_number_stays(path: Path) -> None:
    gone = ServiceState(name="old", state=State.EXITED, run=5, completed=True)
    services, states = succeed({"old": service("old")}, {"old": gone}, manifest("api"))
    assert services == manifest("api").services
    assert states == {"old": ServiceState(name="old", run=5)}


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (ServiceState(name="old", state=State.STARTING), True),
        (ServiceState(name="old", state=State.STOPPING), True),
        (ServiceState(name="old", state=State.BACKOFF), True),
        (ServiceState(name="old", setup=Setup.RUNNING), True),
        (ServiceState(name="old", state=State.FATAL, identity=WHO), True),
        (ServiceState(name="old", state=State.FATAL), False),
        (ServiceState(name="old", state=State.EXITED), False),
        (ServiceState(name="old"), False),
    ],
)
def test_what_may_have_left_something_is_kept(state: ServiceState, kept: bool) -> None:
    services, _ = succeed({"old": service("old")}, {"old": state}, manifest("api"))
    assert ("old" in services) is kept


def test_a_disk_that_is_full_stops_nothing_and_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", full)
        journal.write([began()])
    assert journal.problem == "the journal cannot be written: No space left on device"
    journal.write([began()])
    assert journal.problem == ""
    journal.close()


def test_a_record_that_was_cut_short_is_told_and_ends_its_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, whole = Journal(path), os.write
    journal.write([began()])
    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", lambda descriptor, data: whole(descriptor, data[:9]))
        journal.write([Wanted(names=("lost",))])
    assert "cut short" in journal.problem
    journal.write([Wanted(names=("api",))])
    journal.close()
    assert (journal.problem, read(path)) == ("", [began(), Wanted(names=("api",))])


def test_a_folder_that_is_gone_is_a_problem_and_no_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "nowhere" / "journal.jsonl")
    journal.write([began()])
    assert "cannot be written" in journal.problem
    journal.close()


def test_closing_gives_the_file_back_and_twice_is_no_harm(path: Path) -> None:
    journal = Journal(path)
    journal.write([began()])
    descriptor = journal._descriptor
    journal.close()
    journal.close()
    assert descriptor is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_only_its_owner_may_read_it(path: Path) -> None:
    write(path, began())
    assert path.stat().st_mode & 0o777 == 0o600


def test_templates_are_written_and_never_what_they_stand_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    secret = service("api", TOKEN="${TOKEN}")
    write(path, began(), Known(manifest=Manifest(name="m", file="/f", root="/", services={"api": secret})))
    text = path.read_text()
    assert "${TOKEN}" in text
    assert "hunter2" not in text


def test_a_journal_that_grew_too_large_is_set_aside_and_a_small_one_is_not(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    journal.set_aside()
    write(path, began())
    journal.set_aside()
    assert path.exists()
    monkeypatch.setattr(journal_module, "MAX_BYTES", 10)
    journal.set_aside()
    assert not path.exists()
    assert len(read(path.with_name("journal.1.jsonl"))) == 1


def test_a_day_is_read_from_the_supervisor_that_was_there_when_it_began(path: Path) -> None:
    def starts(*walls: float) -> list[Record]:
        return [Began(version="1", pid=1, boot="b", wall=wall, now=wall) for wall in walls]

    write(path.with_name(journal_module.ASIDE), *starts(10, 20))
    write(path, *starts(30), *begun("api"), *starts(40))
    assert [record for record in read_day(path, 25) if isinstance(record, Began)] == starts(20, 30, 40)
    assert read_day(path, 35) == [*starts(30), *begun("api"), *starts(40)]
    assert read_day(path, 5) == [*starts(10, 20, 30), *begun("api"), *starts(40)]
    assert read_day(path.with_name("none.jsonl"), 99)[-1] == starts(20)[0]
    with path.open("ab") as file:
        file.write(b'{"type":"began","wall":"torn')
    assert read_day(path, 50) == starts(40)
