from __future__ import annotations

from datetime import datetime

import pytest

from devctl.cli.inspection import program_of
from devctl.cli.logs import _since
from devctl.cli.repeated import repeated
from devctl.errors import DevctlError


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ([], []),
        (["--native"], ["--native=all"]),
        (["--native", "a", "b"], ["--native=a", "--native=b"]),
        (["api", "--native", "a", "--yes"], ["api", "--native=a", "--yes"]),
        (["--native=a", "api"], ["--native=a", "api"]),
        (["--native", "--dry-run", "api"], ["--native=all", "--dry-run", "api"]),
        (["--native", "--", "api"], ["--native=all", "--", "api"]),
        (["--", "--native"], ["--", "--native"]),
        (["--native", "a", "--profile", "p", "--native", "b"], ["--native=a", "--profile", "p", "--native=b"]),
    ],
)
def test_native_takes_the_names_behind_it_and_alone_means_all(given: list[str], meant: list[str]) -> None:
    assert repeated(given, "--native", "all") == meant


def test_an_option_that_needs_a_name_stays_as_it_is_without_one() -> None:
    assert repeated(["--volumes"], "--volumes") == ["--volumes"]
    assert repeated(["db", "--volumes", "data", "cache"], "--volumes") == ["db", "--volumes=data", "--volumes=cache"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 700.0), ("1h30m", -4400.0), ("1.5s", 998.5), ("250ms", 999.75), ("1d", -85400.0)]
)
def test_since_counts_back_from_now(text: str, seconds: float) -> None:
    assert _since(text, 1000.0) == pytest.approx(seconds)


def test_since_may_be_a_moment() -> None:
    assert _since("2026-11-22T09:00:00+00:00", 0.0) == 1795338000.0
    assert _since("2026-11-22T09:00", 0.0) == datetime(2026, 11, 22, 9).astimezone().timestamp()
    assert _since(None, 0.0) is None


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "yesterday", "-5m"])
def test_since_that_means_nothing_is_an_error(text: str) -> None:
    with pytest.raises(DevctlError) as caught:
        _since(text, 0.0)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("npm run dev", "npm"),
        ("exec .venv/bin/uvicorn app:app", ".venv/bin/uvicorn"),
        ("PORT=1 DEBUG= node server.js", "node"),
        (("python3", "a b.py"), "python3"),
        ("cd web && npm start", ""),
        ("$HOME/bin/x", ""),
        ("(sleep 1; exit 1)", ""),
        ("python3 -c 'print(1)' # a comment", "python3"),
        ("echo 'unclosed", ""),
        ("", ""),
    ],
)
def test_the_program_of_a_command_is_named_where_it_can_be(command: str | tuple[str, ...], program: str) -> None:
    assert program_of(command) == program
