"""Files of ``NAME=value``."""

from __future__ import annotations

from pathlib import Path

import pytest

from devctl.errors import DevctlError
from devctl.manifest.envfile import parse, read, read_all

GIVEN = {"HOME": "/home/u", "KEPT": "from outside"}


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("# comment\n\n  # another\nA=1 # why\n", {"A": "1"}),
        ("A=x#y", {"A": "x#y"}),
        ("A=#y", {"A": ""}),
        ("A=", {"A": ""}),
        ("A = spaced value  ", {"A": "spaced value"}),
        ("A: yaml-like", {"A": "yaml-like"}),
        ("export A=1", {"A": "1"}),
        ("A='single $X ${Y} # no'", {"A": "single $X ${Y} # no"}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="a\\nb\\"c\\\\d" # why', {"A": 'a\nb"c\\d'}),
        ('A="two\nlines"\nB=2', {"A": "two\nlines", "B": "2"}),
        ('A="\\${HOME}"', {"A": "${HOME}"}),
        ("A=${HOME}/x", {"A": "/home/u/x"}),
        ("A=1\nB=${A}2\nC=${D:-3}", {"A": "1", "B": "12", "C": "3"}),
        ("HOME=/other\nA=${HOME}", {"HOME": "/other", "A": "/home/u"}),
        ("KEPT\nNOT_THERE", {"KEPT": "from outside"}),
        ("URL=postgres://u:p@h/d?a=b", {"URL": "postgres://u:p@h/d?a=b"}),
        ("A=$$x", {"A": "$x"}),
        ("A.b-c=1", {"A.b-c": "1"}),
        ("export B = two words  # comment", {"B": "two words"}),
        ("C='single $A #no \\n'", {"C": "single $A #no \\n"}),
        ('D="double\\t\\"q\\" \\$x"', {"D": 'double\t"q" $x'}),
        ("J=x=y", {"J": "x=y"}),
    ],
)
def test_parse(text: str, variables: dict[str, str]) -> None:
    assert parse(text, GIVEN) == variables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nno name here\n", ".env:2: the line is no NAME=value"),
        ("1A=1", ".env:1: the line is no NAME=value"),
        ("A='x' y", ".env:1: the line is no NAME=value"),
        ('A=1\n\nB="open\n', ".env:3: a quote is not closed"),
        ("A=1\n\nB=${NONE}", ".env:3: the variable NONE is not set"),
    ],
)
def test_a_bad_line_is_named(text: str, message: str) -> None:
    with pytest.raises(DevctlError) as caught:
        parse(text, GIVEN)
    assert (str(caught.value), caught.value.code) == (message, 2)


def test_read_says_why_it_cannot(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"A=\xe9")
    (tmp_path / "large").write_bytes(b"#" * 1_000_001)
    for name, message in (("none", "no such file"), ("latin", "not UTF-8"), ("large", "larger than 1 MB")):
        with pytest.raises(DevctlError, match=message):
            read(tmp_path / name, {})


def test_of_several_files_the_later_one_wins(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("A=1\nB=1\n")
    (tmp_path / "b").write_text("B=${KEPT}\n")
    assert read_all([str(tmp_path / "a"), str(tmp_path / "b")], GIVEN) == {"A": "1", "B": "from outside"}
    with pytest.raises(DevctlError, match="no such file") as caught:
        read_all([str(tmp_path / "a"), str(tmp_path / "none")], GIVEN)
    assert caught.value.hint == "create it, or correct env_file"
