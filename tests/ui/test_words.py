from __future__ import annotations

import pytest

from devctl.ui.words import clean, count, duration, listing, size, uptime


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"), (0, "0.0 s"), (0.44, "0.4 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"),
        (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3599.9, "1 h 00 min"), (11_400, "3 h 10 min"), (352_900, "4 d 2 h"),
    ],
)  # fmt: skip
def test_durations_read_well_at_every_length(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (59.9, "59s"), (60, "1m00s"), (3600, "1h00m"), (90_000, "1d01h"), (864_000 * 9.99, "99d21h")],
)
def test_an_uptime_takes_six_columns_for_a_hundred_days(seconds: float, text: str) -> None:
    assert uptime(seconds) == text
    assert len(text) <= 6


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [(0, "0 B"), (999, "999 B"), (999_600, "1 MB"), (91_234_304, "91 MB"), (999_600_000, "1.0 GB"), (1.44e9, "1.4 GB")],
)
def test_sizes_never_show_a_thousand_of_a_unit(bytes_: int, text: str) -> None:
    assert size(int(bytes_)) == text


def test_lists_are_sentences() -> None:
    assert [listing(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert listing(list("abcdef"), 3) == "a, b, c and 3 more"
    assert [count(number, "service") for number in (0, 1, 2)] == ["0 services", "1 service", "2 services"]


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    assert clean("plain ✓ ü") == "plain ✓ ü"
    assert clean("\x1b[31mred\x1b[0m\tend\x07 \x1b]0;title\x07x\x1b[2J\r\x9b31m") == "red end x31m"
    assert clean("two\nlines") == "two lines"
