"""The workspace that getting-started.md has its reader write, really run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEVCTL = Path(sys.executable).with_name("devctl")
EXAMPLE = re.compile(r"<!-- example -->\n```yaml\n(.*?)```", re.DOTALL)

Run = Callable[..., str]


@pytest.fixture
def devctl(root: Path, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Run]:
    """``devctl("status")`` in the page's workspace → what it printed; it must end with the exit code ``code``."""
    found = EXAMPLE.search((root / "docs/getting-started.md").read_text(encoding="utf-8"))
    assert found
    (tmp_path / "services.yaml").write_text(found[1], encoding="utf-8")
    (tmp_path / "site").mkdir()
    environment = {**os.environ, "PORT": str(free_port()), "XDG_STATE_HOME": str(tmp_path / "state")}

    def run(*words: str, code: int = 0) -> str:
        done = subprocess.run(
            [DEVCTL, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    yield run
    subprocess.run([DEVCTL, "down"], cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=90)


def test_the_example_does_what_the_page_says(devctl: Run, tmp_path: Path) -> None:
    assert "all 3 checks passed" in devctl("check")
    assert "2 services healthy" in devctl("up")
    assert (tmp_path / "site/index.html").read_text(encoding="utf-8") == "<h1>It works</h1>\n"
    services = {each["name"]: each for each in json.loads(devctl("status", "--json"))["services"]}
    assert services["files"]["health"] == "healthy"
    assert (services["check"]["state"], services["check"]["exit_code"]) == ("exited", 0)
    assert "it reads the page there" in devctl("why", "check")
    assert "It works" in devctl("logs", "check")
    assert "nothing to do" in devctl("up")
    devctl("down")
    devctl("status", code=3)
