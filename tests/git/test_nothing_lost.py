"""Nothing is lost: sync in random repositories, killed anywhere; and the same with sync broken on purpose.

DEVCTL_LOST_CASES raises the number of repositories from 60 to as many as one likes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).parent / "nothing_lost/driver.py"
CASES = int(os.environ.get("DEVCTL_LOST_CASES", "0"))
SECONDS = 40.0
"""After this long no further repository is made, unless the number is asked for."""


def run(first: int, cases: int, *words: str, seconds: float) -> list[dict[str, Any]]:
    """What the driver found, a repository at a time; it stops at the first violation."""
    command = [sys.executable, str(DRIVER), str(first), str(cases), "--seconds", str(seconds), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(10 * CASES + 300)
def test_nothing_is_lost_wherever_a_sync_is_killed() -> None:
    found = run(0, CASES or 60, "--at-least", "10", seconds=3 * CASES or SECONDS)
    last = found[-1]
    assert not last["violations"], f"{last['world']}\n{last['kill']}\n{last['violations']}\n{last['said']}"
    assert any(each["killed"] for each in found)
    assert any(not each["killed"] for each in found)


@pytest.mark.timeout(600)
def test_a_sync_with_everything_to_do_is_killed_at_one_command_after_another() -> None:
    """Every third here; at each of them where a number of cases is asked for."""
    stride = "1" if CASES else "3"
    shapes = "plain hook=none origin=ahead org=same partly-staged untracked renamed env unpushed"
    found = run(7, 1, "--every", "before", "--stride", stride, "--must", *shapes.split(), seconds=1e9)
    assert len(found) > 8
    assert [each["violations"] for each in found if each["violations"]] == []
    assert [each["killed"] for each in found] == [True] * (len(found) - 1) + [False]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("breakage", "shapes", "seen"),
    [
        ("forced push", "plain hook=none origin=diverged unstaged", "was moved to what does not hold it"),
        ("no backup", "plain hook=none origin=same partly-staged", "can be reached from no ref any more"),
        ("environment files added", "plain hook=none origin=same env", "was committed"),
        ("no look at what leaves", "plain hook=none origin=same hand-made-secret", "a secret left the machine"),
        ("markers committed", "plain hook=none origin=same marker", "a conflict marker was committed"),
        ("commit in the middle of a merge", "merge hook=none origin=same", "a conflict marker was committed"),
        ("fast-forward over ignored files", "plain hook=none origin=ahead-over-ignored", "is not as it was"),
        ("reset", "plain hook=fails origin=same unstaged", "is not as it was"),
        ("clean", "plain hook=none origin=same secret", "is not as it was"),
        ("past hooks", "plain hook=fails origin=same unstaged", "past a hook that fails"),
    ],
)
def test_a_sync_that_loses_something_is_caught(breakage: str, shapes: str, seen: str) -> None:
    found = run(500, 12, "--break", breakage, "--must", *shapes.split(), seconds=60)
    assert any(seen in each for each in found[-1]["violations"]), found[-1]
