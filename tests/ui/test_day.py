"""The day's five lines, and the whole page, made to fit."""

from __future__ import annotations

from typing import Any

import pytest

from devctl.core.day import Commit, Failure, Ran, Synced, Today
from devctl.ui.theme import RICH
from devctl.ui.today import brief, page, today_record

NIGHT = 1_700_000_000.0


def push(branch: str, remote: str, result: str) -> dict[str, str]:
    return {"branch": branch, "remote": remote, "result": result}


def sync(*pushes: dict[str, str], **more: Any) -> Synced:
    return Synced(at=NIGHT + 60, report={"repositories": [{"pushes": list(pushes)}], "mirrors": [], **more})


@pytest.fixture
def today() -> Today:
    return Today(
        begin=NIGHT,
        services=(
            Ran(name="api", seconds=7200, runs=2, restarts=1, failures=(Failure(NIGHT + 5, "ended with exit code 1"),)),
            Ran(name="web", seconds=60, runs=1, running=True),
        ),
        commits=(Commit("/r", "a" * 40, NIGHT + 1, "First"), Commit("/r", "b" * 40, NIGHT + 2, "Second \x1b[31mone")),
        syncs=(sync(push("dev", "origin", "pushed"), push("dev", "org", "unreachable")),),
        pending=("2 commits not yet on org",),
        in_git=True,
    )


def lines(today: Today, width: int = 0) -> list[str]:
    return [line.plain for line in brief(today, RICH, width)]


def test_five_lines(today: Today) -> None:
    first, second, third, fourth, fifth = lines(today)
    assert first == " today 2 services ran, api longest: 2 h 00 min"
    assert second == "       1 restart, 1 failure, the last: api ended with exit code 1"
    assert third == "       2 commits, the last: Second one"
    assert fourth.endswith(": pushed: dev to origin; not reached: dev to org")
    assert fifth == "       pending: 2 commits not yet on org"


def test_they_fit_a_narrow_terminal(today: Today) -> None:
    assert all(len(line) <= 40 for line in lines(today, 40))
    assert all(line.cell_len <= 40 for line in page(today, "/", RICH, 40))


def test_a_quiet_day_says_so_and_an_empty_one_nothing() -> None:
    ran = Today(begin=NIGHT, services=(Ran(name="web", seconds=1, runs=1),), in_git=True)
    assert [line[7:] for line in lines(ran)[1:]] == ["no failure", "no commit", "not synced", "nothing pending"]
    without_git = Today(begin=NIGHT, services=ran.services)
    assert len(lines(without_git)) == 2
    assert lines(Today(begin=NIGHT, in_git=True)) == []


def test_the_page_has_every_part(today: Today) -> None:
    text = "\n".join(line.plain for line in page(today, "/", RICH, 0))
    for part in (
        "api",
        "2 h 00 min",
        "2 runs",
        "1 restart",
        "ended with exit code 1",
        "Second one",
        "pushed",
        "pending",
    ):
        assert part in text
    assert "\x1b" not in text


def test_many_lines_of_a_part_are_counted(today: Today) -> None:
    many = tuple(Failure(NIGHT + number, f"reason {number}") for number in range(50))
    text = [line.plain for line in page(Today(begin=NIGHT, services=(Ran(name="x", failures=many),)), "/", RICH, 0)]
    assert "     30 earlier lines" in text
    assert sum("reason" in line for line in text) == 20


def test_what_is_broken_into_lines_hangs_behind_its_time_and_counts_once() -> None:
    syncs = tuple(sync(push("dev", "origin", "pushed"), push("dev", "org", "unreachable")) for _ in range(25))
    text = [line.plain for line in page(Today(begin=NIGHT, syncs=syncs, in_git=True), "/", RICH, 40)]
    first = text.index("     5 earlier lines") + 1
    assert [text[first][10:], *text[first + 1 : first + 2]] == [
        "  pushed: dev to origin; not",
        "            reached: dev to org",
    ]
    assert len(text) - first == 40


def test_mirrors_that_did_something_are_part_of_a_sync(today: Today) -> None:
    mirror = {"from": "core", "to": "tenant", "result": "conflict"}
    only = Today(begin=NIGHT, syncs=(sync(mirrors=[mirror, {**mirror, "from": "x", "result": "same"}]),), in_git=True)
    assert lines(only)[3].endswith(": core carried to tenant, conflicts left alone")


def test_what_was_pushed_in_the_morning_still_was_in_the_evening() -> None:
    conflict = {"from": "core", "to": "tenant", "result": "conflict"}
    syncs = (
        sync(push("dev", "origin", "pushed"), push("dev", "org", "unreachable"), mirrors=[conflict]),
        sync(
            push("dev", "origin", "up-to-date"), push("dev", "org", "pushed"), mirrors=[{**conflict, "result": "same"}]
        ),
        sync(push("dev", "origin", "rejected"), push("dev", "org", "up-to-date"), mirrors=[]),
    )
    told = lines(Today(begin=NIGHT, syncs=syncs, in_git=True))[3]
    assert told.endswith(": pushed: dev to org; not pushed: dev to origin")


def test_json_has_it_all(today: Today) -> None:
    record = today_record(today)
    assert [each["name"] for each in record["services"]] == ["api", "web"]
    assert record["services"][0]["failures"] == [{"at": NIGHT + 5, "reason": "ended with exit code 1", "words": ""}]
    assert record["syncs"][0]["repositories"][0]["pushes"][1]["result"] == "unreachable"
    assert record["pending"] == ["2 commits not yet on org"]
