from __future__ import annotations

from devctl.ui.columns import Column, remarked
from devctl.ui.text import Text


def drawn(remarks: tuple[str, ...], room: int) -> list[str]:
    names = Column("NAME", tuple(Text(f"name-{number}") for number in range(len(remarks))))
    head, rows = remarked((names,), Column("", tuple(map(Text, remarks))), room)
    lines = [head.plain] if head is not None else []
    for row, below in rows:
        lines += [row.plain, *(f"  {line.plain}" for line in below)]
    return lines


def test_remarks_stand_beside_their_rows_while_there_is_room() -> None:
    assert drawn(("short", "", "one of twenty-three"), 27) == [
        "NAME",
        "name-0  short",
        "name-1",
        "name-2  one of twenty-three",
    ]


def test_a_remark_without_room_stands_below_its_row_whole() -> None:
    assert drawn(("short", "one that is broken into two"), 26) == [
        "NAME",
        "name-0  short",
        "name-1",
        "  one that is broken into",
        "  two",
    ]


def test_in_a_pipe_nothing_is_broken() -> None:
    assert drawn(("x" * 300,), 0) == ["NAME", f"name-0  {'x' * 300}"]
