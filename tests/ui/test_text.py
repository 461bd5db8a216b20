"""Our Text and its escape sequences beside rich's, which knows them best: the same bytes."""

from __future__ import annotations

import io
import random
import re
from typing import Any

import pytest
from rich import cells, text
from rich.console import Console

from devctl.ui.paint import SHADES, WEIGHTS
from devctl.ui.text import NARROW, Text, columns
from devctl.ui.theme import ASCII, RICH, Screen

WORDS = ("", "a", "two words ", "●", "✓ done", "…", "日本", "e\u0301", "\x1b[2J", "bell\x07", "  ")
STYLES = (
    "",
    "bold",
    "green",
    "bold red",
    "bright_black",
    "default",
    "dim italic",
    "link http://localhost:1/",
    "nonsense",
)
LINK_ID = re.compile(r"\x1b]8;id=[^;]*;")


def built(kind: Any, seed: int) -> Any:
    """The same changes by either class."""
    chance = random.Random(seed)
    line = kind(chance.choice(WORDS), style=chance.choice(STYLES))
    for _ in range(chance.randrange(6)):
        part = chance.choice(WORDS)
        match chance.randrange(6):
            case 0 | 1:
                line.append(part, style=chance.choice(STYLES))
            case 2:
                line.append(kind(part, style=chance.choice(STYLES)).append(part, style=chance.choice(STYLES)))
            case 3:
                line.rstrip()
            case 4:
                line.truncate(chance.randrange(12))
            case _:
                start = chance.randrange(4)
                line = line[start : start + chance.randrange(12)]
    if len(line) > 2:
        line.stylize(chance.choice(STYLES), 1, len(line) - chance.randrange(2))
    return line.copy()


def by_rich(line: text.Text, stream: Any) -> str:
    console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
    with console.capture() as capture:
        console.print(line, end="")
    return LINK_ID.sub("\x1b]8;;", capture.get())


@pytest.mark.parametrize("colourless", [False, True])
def test_lines_are_the_same_as_richs(terminal: Any, monkeypatch: pytest.MonkeyPatch, colourless: bool) -> None:
    stream = terminal()
    if colourless:
        monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen(stream)
    for seed in range(600):
        ours, richs = built(Text, seed), built(text.Text, seed)
        assert (ours.plain, len(ours), ours.cell_len) == (richs.plain, len(richs), richs.cell_len), seed
        assert screen.rendered(ours) == by_rich(richs, stream), (seed, ours)


def test_every_style_is_the_same_as_richs(terminal: Any) -> None:
    stream = terminal()
    for style in (*SHADES, *WEIGHTS, *(f"{weight} {shade}" for weight in WEIGHTS for shade in SHADES)):
        assert Screen(stream).rendered(Text("x", style=style)) == by_rich(text.Text("x", style=style), stream), style


def test_tabs_lead_to_the_same_columns_as_richs(terminal: Any) -> None:
    stream = terminal()
    for line in ("\tx", "a\tb", "日本\tb\t\tc", "12345678\t9", "\t"):
        ours, richs = Text(line), text.Text(line)
        assert Screen(stream).rendered(ours) == by_rich(richs, stream)
    assert Screen(stream).rendered(Text("a\tb", "bold")) == "\x1b[1ma       b\x1b[0m"


@pytest.mark.parametrize("terminal_there", [False, True])
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"FORCE_COLOR": "1"},
        {"FORCE_COLOR": ""},
        {"TTY_COMPATIBLE": "1"},
        {"TTY_COMPATIBLE": "0"},
        {"TTY_COMPATIBLE": "0", "FORCE_COLOR": "1"},
        {"TERM": "dumb"},
        {"TERM": "dumb", "FORCE_COLOR": "1"},
        {"TERM": ""},
        {"NO_COLOR": ""},
    ],
)
def test_colours_come_when_rich_says_so(
    terminal: Any, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], terminal_there: bool
) -> None:
    stream = terminal()
    stream = stream if terminal_there else io.StringIO()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Screen(stream).rendered(Text("x", style="red")) == by_rich(text.Text("x", style="red"), stream)


def test_what_counts_as_one_column_is_one() -> None:
    for sign in (*map(chr, range(0x300)), *NARROW):
        assert columns(sign) == cells.cell_len(sign), hex(ord(sign))
    for glyphs in (RICH, ASCII):
        assert set("".join((*glyphs.looks.values(), glyphs.spinner, glyphs.bar, glyphs.rail, glyphs.branch))) <= {
            *NARROW, *map(chr, range(0x80))
        }  # fmt: skip
