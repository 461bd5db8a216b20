"""How checks are carried out: each for itself, whatever comes of the others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from devctl.cli.deployment.case import Task, carry_out
from devctl.errors import DevctlError, Exit
from devctl.safety.verdict import Level, Outcome, passed


def raising(error: Exception) -> Any:
    def run() -> Outcome:
        raise error

    return run


CASE: Any = SimpleNamespace(hidden=frozenset({"a-long-secret-9"}), blotted=lambda text: text.replace("short", "•••"))
TASKS = [
    Task("api/one", Level.REQUIRED, raising(DevctlError("no", why="short", details=("first", " last one ")))),
    Task("api/two", Level.REQUIRED, raising(DevctlError("not there", code=Exit.PRECONDITION))),
    Task("api/three", Level.WARNING, raising(ZeroDivisionError("with a-long-secret-9"))),
    Task("api/four", Level.REQUIRED, lambda: passed("said a-long-secret-9")),
]


def test_every_check_is_made_whatever_comes_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVCTL_DEBUG", raising=False)
    begun: list[str] = []
    found = carry_out(CASE, TASKS, [], begun.append)
    assert begun == [task.name for task in TASKS]
    assert [(each.result.value, each.evidence) for each in found] == [
        ("fail", "no: •••: last one"),
        ("skip", "not there"),
        ("skip", "devctl broke down: ZeroDivisionError"),
        ("pass", "said •••"),
    ]


def test_a_developer_of_devctl_gets_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVCTL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        carry_out(CASE, TASKS, ["three"], lambda _: None)


def test_only_some() -> None:
    assert [each.name for each in carry_out(CASE, TASKS, ["four", "api/two"], lambda _: None)] == [
        "api/two",
        "api/four",
    ]
    with pytest.raises(DevctlError, match="'nothing'"):
        carry_out(CASE, TASKS, ["four", "nothing"], lambda _: None)
