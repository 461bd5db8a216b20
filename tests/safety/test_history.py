"""Where a database stands in its migrations, and what a new one would lose. All pure."""

from __future__ import annotations

from typing import Any

import pytest

from devctl.safety.history import Place, Revision, Standing, standing
from devctl.safety.loss import losses, narrowing

LINE = (Revision("a"), Revision("b", ("a",)), Revision("c", ("b",)))
FORK = (Revision("a"), Revision("b", ("a",)), Revision("c", ("a",)))
MERGED = (*FORK, Revision("m", ("b", "c")))


@pytest.mark.parametrize(
    ("revisions", "heads", "current", "place", "pending", "unknown"),
    [
        (LINE, "c", "", Place.BEHIND, "abc", ""),
        (LINE, "c", "b", Place.BEHIND, "c", ""),
        (LINE, "c", "c", Place.CURRENT, "", ""),
        (LINE, "c", "x", Place.AHEAD, "abc", "x"),
        (FORK, "bc", "b", Place.FORKED, "c", ""),
        (FORK, "bc", "bc", Place.FORKED, "", ""),
        (FORK, "bc", "bx", Place.AHEAD, "c", "x"),
        (MERGED, "m", "b", Place.BEHIND, "cm", ""),
        (MERGED, "m", "bc", Place.BEHIND, "m", ""),
        (MERGED, "m", "m", Place.CURRENT, "", ""),
        ((), "", "", Place.CURRENT, "", ""),
        ((), "", "x", Place.AHEAD, "", "x"),
    ],
)
def test_a_database_stands_somewhere(
    revisions: tuple[Revision, ...], heads: str, current: str, place: Place, pending: str, unknown: str
) -> None:
    found = Standing(revisions, tuple(heads), tuple(current))
    assert found.place is place
    assert "".join(each.id for each in found.pending) == pending
    assert "".join(found.unknown) == unknown


def test_what_another_branch_of_the_history_needs_comes_with_it() -> None:
    revisions = (Revision("a"), Revision("z"), Revision("b", ("a",), needs=("z",)))
    assert [each.id for each in Standing(revisions, ("b",), ("z",)).pending] == ["a", "b"]
    assert Standing(revisions, ("b",), ("b",)).applied == {"a", "b", "z"}


def test_a_word_may_be_the_beginning_of_an_id() -> None:
    found = Standing((Revision("7f3a"), Revision("7f4b"), Revision("7")), (), ())
    assert found.resolve("7f3") == ("7f3a",)
    assert found.resolve("7f") == ("7f3a", "7f4b")
    assert found.resolve("7") == ("7",), "a whole id is meant, though it begins others"
    assert found.resolve("8") == ()


def test_the_order_is_that_in_which_they_are_applied() -> None:
    told = {"id": "b", "down": ["a"], "needs": [], "message": "second", "file": "b.py"}
    first = {"id": "a", "down": [], "needs": [], "message": "", "file": "a.py"}
    found = standing({"revisions": [told, first], "heads": ["b"], "current": []})
    assert [str(each) for each in found.revisions] == ["a", "b second"]


def kind(name: str, *bases: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, "bases": [name, *bases], "values": [], **rest}


TEXT, WORD = kind("TEXT", "STRING"), kind("VARCHAR", "STRING", length=80)
SMALL, WHOLE, BIG = kind("SMALLINT", "INTEGER"), kind("INTEGER"), kind("BIGINT", "BIGINTEGER", "INTEGER")
MONEY, EXACT = kind("NUMERIC", precision=10, scale=2), kind("NUMERIC")
STAMP, LOCAL = kind("TIMESTAMP", "DATETIME", timezone=True), kind("TIMESTAMP", "DATETIME", timezone=False)
COLOURS, FEWER = kind("ENUM", values=["red", "green"]), kind("ENUM", values=["red"])


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (TEXT, WORD, "texts longer than 80 no longer fit"),
        (WORD, {**WORD, "length": 40}, "80 characters become 40"),
        (BIG, WHOLE, "BIGINT becomes the smaller INTEGER"),
        (WHOLE, SMALL, "INTEGER becomes the smaller SMALLINT"),
        (MONEY, {**MONEY, "precision": 8}, "NUMERIC(10, 2) becomes NUMERIC(8, 2)"),
        (MONEY, {**MONEY, "scale": 0}, "NUMERIC(10, 2) becomes NUMERIC(10, 0)"),
        (MONEY, {**MONEY, "scale": 4}, "NUMERIC(10, 2) becomes NUMERIC(10, 4)"),
        (EXACT, MONEY, "NUMERIC becomes NUMERIC(10, 2), and not every value has to fit"),
        (STAMP, LOCAL, "the time zone is dropped"),
        (STAMP, kind("DATE"), "TIMESTAMP becomes DATE, and not every value has to fit"),
        (COLOURS, FEWER, "the values green are no longer allowed"),
        (TEXT, WHOLE, "TEXT becomes INTEGER, and not every value has to fit"),
        (kind("FLOAT"), WHOLE, "FLOAT becomes INTEGER, and not every value has to fit"),
        (WHOLE, WORD, "INTEGER becomes VARCHAR(80), and not every value has to fit"),
    ],
)
def test_a_type_that_holds_less_is_seen(before: dict[str, Any], after: dict[str, Any], reason: str) -> None:
    assert narrowing(before, after) == reason


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (WORD, TEXT),
        (WORD, {**WORD, "length": 80}),
        (WORD, {**WORD, "length": 120}),
        (SMALL, BIG),
        (WHOLE, EXACT),
        (MONEY, EXACT),
        (MONEY, {**MONEY, "precision": 12, "scale": 4}),
        (LOCAL, STAMP),
        (FEWER, COLOURS),
        (WHOLE, TEXT),
        (COLOURS, TEXT),
        (kind("DATE"), LOCAL),
    ],
)
def test_a_type_that_holds_as_much_is_no_loss(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert narrowing(before, after) == ""


def operation(kind: str, **rest: Any) -> dict[str, Any]:
    return {"kind": kind, "table": "users", "name": "age", **rest}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (operation("DropTable"), "drops the table users"),
        (operation("DropColumn"), "drops the column users.age"),
        (operation("AddColumn", nullable=False, default=False), "it fails where the table has rows"),
        (operation("AlterColumn", nullable=False, default=False), "it fails where a row has nothing in it"),
        (
            operation("AlterColumn", nullable=None, default=False, before=BIG, after=WHOLE),
            "changes the type of users.age",
        ),
        (operation("ExecuteSQL"), "SQL of its own"),
    ],
)
def test_what_loses_data_or_fails_on_rows_is_told(given: dict[str, Any], words: str) -> None:
    (sentence,) = losses([given])
    assert words in sentence


def test_what_loses_nothing_is_not_told() -> None:
    harmless = [
        operation("CreateTable"),
        operation("AddColumn", nullable=True, default=False),
        operation("AddColumn", nullable=False, default=True),
        operation("AlterColumn", nullable=True, default=False),
        operation("AlterColumn", nullable=None, default=True),
        operation("AlterColumn", nullable=False, default=True),
        operation("AlterColumn", nullable=None, default=False, before=WHOLE, after=BIG),
        operation("CreateIndex"),
        operation("DropIndex"),
        operation("DropConstraint"),
    ]
    assert losses(harmless) == []
