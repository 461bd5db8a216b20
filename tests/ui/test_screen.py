"""What reaches the terminal: a small emulation of one looks at the escape sequences."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from devctl.ui.region import BACK, HIDE, SHOW, WHOLE, Region
from devctl.ui.text import Text
from devctl.ui.theme import ASCII, RICH, Screen

SEQUENCE = re.compile(r"\x1b\[(\?)?(\d*)([A-Za-z])|\r|\n|[^\x1b\r\n]")


def emulate(text: str, width: int) -> list[str]:
    """The lines a terminal of this width shows, as far as a Region needs one."""
    rows, row, column = [""], 0, 0
    for found in SEQUENCE.finditer(text):
        token, number = found[0], int(found[2] or 0)
        if token == "\r":
            column = 0
        elif token == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif found[3] == "A":
            row = max(0, row - number)
        elif found[3] == "H":
            row = column = 0
        elif found[3] == "K":
            rows[row] = rows[row][:column]
        elif found[3] == "J":
            rows[row:] = [rows[row][:column]]
        elif not found[3]:
            if column == width:
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            rows[row] = rows[row][:column].ljust(column) + token + rows[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in rows]


def lines(*texts: str) -> list[Text]:
    return [Text(text) for text in texts]


def test_a_region_is_drawn_over_itself_and_what_is_above_stays(terminal: Any) -> None:
    stream = terminal(80)
    with Region(Screen(stream)) as region:
        region.draw(lines("one", "two", "three"))
        region.draw(lines("ONE", "2"), above=lines("note", "more"))
        region.draw(lines("ONE!"), above=lines("last"))
        region.clear()
    stream.write("end\n")
    assert emulate(stream.getvalue(), 80) == ["note", "more", "last", "end", ""]
    assert stream.getvalue().startswith(HIDE)
    assert SHOW in stream.getvalue()


def test_a_terminal_that_became_narrower_leaves_no_debris(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal(80)
    screen = Screen(stream)
    with Region(screen) as region:
        region.draw(lines("x" * 70, "y"))
        monkeypatch.setenv("COLUMNS", "40")
        before = len(stream.getvalue())
        region.draw(lines("z"))
    assert "\x1b[3A" in stream.getvalue()[before:]


def test_the_cursor_comes_back_whatever_happens(terminal: Any) -> None:
    stream = terminal()
    with pytest.raises(KeyboardInterrupt), Region(Screen(stream), whole=True):
        raise KeyboardInterrupt
    assert stream.getvalue().endswith(BACK + SHOW)
    assert WHOLE in stream.getvalue()


def test_a_whole_screen_never_scrolls(terminal: Any) -> None:
    stream = terminal(20, 3)
    with Region(Screen(stream), whole=True) as region:
        for text in ("a", "b"):
            region.draw(lines(text * 20, text, text))
        assert emulate(stream.getvalue(), 20) == ["b" * 20, "b", "b"]


def test_a_pipe_gets_neither_colour_nor_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    stream = io.StringIO()
    screen = Screen(stream)
    screen.write([Text("x" * 500, style="red"), Text("link", style="link http://localhost/")])
    assert stream.getvalue() == "x" * 500 + "\nlink\n"
    assert (screen.terminal, screen.width) == (False, 0)


def test_colours_on_a_terminal_and_none_with_no_color(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal()
    Screen(stream).write([Text("x", style="red")])
    assert stream.getvalue() == "\x1b[31mx\x1b[0m\n"
    stream = terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    Screen(stream).write([Text("x", style="red")])
    assert stream.getvalue() == "x\n"


def test_a_dumb_terminal_is_treated_as_a_pipe(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = terminal()
    monkeypatch.setenv("TERM", "dumb")
    assert not Screen(stream).terminal


def test_the_encoding_chooses_the_signs(terminal: Any) -> None:
    assert Screen(terminal()).glyphs is RICH
    stream = terminal()
    stream.encoding = "iso-8859-1"
    assert Screen(stream).glyphs is ASCII
