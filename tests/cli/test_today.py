"""``devctl today``, and the lines that ``down`` ends with."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest


@pytest.fixture
def worked(place: Any) -> Any:
    """A repository with a service that runs and one that fails. It is about noon there: no day ends meanwhile."""
    place.environment |= {
        "GIT_CONFIG_GLOBAL": str(place.root / "gitconfig"), "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": str(place.root),
        "TZ": f"NOON{time.gmtime().tm_hour - 12:+d}",
    }  # fmt: skip
    (place.root / "gitconfig").write_text("[user]\n name = Ada\n email = ada@example.com\n")
    place.write(
        {
            "web": {"path": ".", "command": [sys.executable, "-c", "import time; time.sleep(1000)"]},
            "api": {"path": ".", "command": "echo the cause; exit 3", "restart": "no"},
        },
        git={"path": ".", "branch": "dev", "sync": {"branches": ["dev"], "remotes": ["origin"], "commit": "never"}},
    )
    (place.root / ".gitignore").write_text("*\n")
    environment = place.environment
    for words in (["init", "-q", "-b", "dev"], ["add", "-f", ".gitignore"], ["commit", "-qm", "First things"]):
        subprocess.run(["git", *words], cwd=place.root, env=environment, check=True)
    subprocess.run(["git", "init", "-q", "--bare", "origin.git"], cwd=place.root, env=environment, check=True)
    subprocess.run(["git", "remote", "add", "origin", "./origin.git"], cwd=place.root, env=environment, check=True)
    return place


def test_a_day_with_everything_in_it(worked: Any) -> None:
    began = time.time()
    worked.run("up")
    told = json.loads(worked.run("today", "--json").stdout)
    services = {each["name"]: each for each in told["services"]}
    assert services["web"]["running"] is True
    assert services["api"]["runs"] == 1
    (failure,) = services["api"]["failures"]
    assert (failure["reason"], failure["words"]) == ("ended with exit code 3", "the cause")
    assert began - 1 <= failure["at"] <= time.time() + 1
    assert [each["subject"] for each in told["commits"]] == ["First things"]
    assert told["syncs"] == []
    said = worked.run("down")
    lines = said.stdout.splitlines()[-5:]
    assert lines[0].startswith(" today 2 services ran, web longest: ")
    assert lines[1] == "       1 failure, the last: api ended with exit code 3"
    assert lines[2] == "       1 commit, the last: First things"
    assert lines[3].endswith(": pushed: dev to origin")
    assert lines[4] == "       nothing pending"
    page = worked.run("today").stdout
    for part in ("api: ended with exit code 3: the cause", "First things", "pushed: dev to origin"):
        assert part in page


def test_a_day_on_which_nothing_happened(place: Any) -> None:
    place.write({"core": {"library": True, "path": "."}})
    assert "nothing happened yet" in place.run("today").stdout
    assert place.run("down").stdout == " ✓ nothing was running\n"
