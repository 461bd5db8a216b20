from __future__ import annotations

from collections.abc import Callable, Sequence

from devctl.errors import DevctlError
from devctl.ui.errors import drawn
from devctl.ui.text import Text
from devctl.ui.theme import ASCII, RICH

Shown = Callable[[Sequence[Text]], str]

ERROR = DevctlError(
    "port 5432 is held by postgres (pid 812), which somebody started in another folder",
    where="services.yaml:12:5",
    why="it listens since 09:00\x1b[2J",
    hint="devctl ports --free 5432",
    details=("first\x1b[31m line\x07", "second " * 12),
)


def test_an_error_says_what_where_why_and_what_to_type(shown: Shown) -> None:
    assert (
        shown(drawn(ERROR, RICH, 60))
        == """
error: port 5432 is held by postgres (pid 812), which
       somebody started in another folder
  where  services.yaml:12:5
  why    it listens since 09:00
  │ first line
  │ second second second second second second second second
  │ second second second second
  next   devctl ports --free 5432
"""
    )


def test_a_pipe_gets_every_part_in_one_line(shown: Shown) -> None:
    lines = shown(drawn(ERROR, ASCII, 0)).splitlines()[1:]
    assert lines[0] == f"error: {ERROR.what}"
    assert lines[4] == "  | " + ("second " * 12).rstrip()
    assert lines[-1] == "  next   devctl ports --free 5432"


def test_parts_that_are_not_there_take_no_line(shown: Shown) -> None:
    assert shown(drawn(DevctlError("nothing was done"), RICH, 80)) == "\nerror: nothing was done\n"


def test_a_reason_of_several_lines_keeps_them(shown: Shown) -> None:
    assert shown(drawn(DevctlError("x", why="one\ntwo"), RICH, 80)) == "\nerror: x\n  why    one\n         two\n"
