"""The steps of this repository's own workflow, from the file, in order: as on a runner, on a copy of the repository.

Stand-ins are there only for the actions of others; the stores are real and only listen elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from devctl.safety.workflow import FILE

ROOT = Path(__file__).resolve().parents[2]


class Runner:
    """A runner of GitHub Actions, as far as this workflow needs one."""

    def __init__(self, root: Path, folder: Path, job: dict[str, Any], ports: dict[str, int], sha: str) -> None:
        self.root, self.temp, self.job, self.sha = root, folder / "temp", job, sha
        self.files = {name: folder / name for name in ("GITHUB_ENV", "GITHUB_PATH")}
        self.masked: list[str] = []
        self.said = ""
        (folder / "bin").mkdir()
        self.temp.mkdir()
        for name in ("python", "python3"):  # what actions/setup-python does
            (folder / "bin" / name).symlink_to(getattr(sys, "_base_executable", sys.executable))
        for file in self.files.values():
            file.touch()
        values = {name: self.expressed(str(value)) for name, value in job["env"].items()}
        for usual, port in ((5432, ports["postgres"]), (6379, ports["redis"])):
            values = {name: value.replace(f"localhost:{usual}", f"127.0.0.1:{port}") for name, value in values.items()}
        kept = {name: os.environ[name] for name in ("LANG", "SSL_CERT_FILE", "PIP_CACHE_DIR") if name in os.environ}
        pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))}
        self.environment = {
            **pip, **kept, **values, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder),
            "CI": "true",
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR") or str(Path.home() / ".cache/pip"),
            "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF_NAME": "master", "GITHUB_SHA": sha,
            "RUNNER_TEMP": str(self.temp), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
            **{name: str(file) for name, file in self.files.items()},
        }  # fmt: skip

    def expressed(self, text: str) -> str:
        """``text`` with its expressions filled in; only these are known."""
        filled = text.replace("${{ github.sha }}", self.sha).replace("${{ runner.temp }}", str(self.temp))
        assert "${{" not in filled, filled
        return filled

    def step(self, name: str) -> dict[str, Any]:
        """A step by the beginning of its name."""
        (found,) = [each for each in self.job["steps"] if each.get("name", "").startswith(name)]
        return dict(found)

    def run(self, step: dict[str, Any]) -> int:
        """Run a step as the runner does, with bash -e; its exit code."""
        script = self.temp / "step.sh"
        script.write_text(self.expressed(step["run"]))
        done = subprocess.run(
            ["bash", "-e", script], cwd=self.root / step.get("working-directory", ""), env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=step["timeout-minutes"] * 60,
        )  # fmt: skip
        self.masked += re.findall(r"^::add-mask::(.*)$", done.stdout, re.MULTILINE)
        self.said += f"== {step['name']}\n" + re.sub(r"^::add-mask::.*$", "", done.stdout, flags=re.MULTILINE)
        self.environment |= dict(line.split("=", 1) for line in self.files["GITHUB_ENV"].read_text().splitlines())
        added = self.files["GITHUB_PATH"].read_text().splitlines()
        self.files["GITHUB_PATH"].write_text("")
        self.environment["PATH"] = ":".join([*reversed(added), self.environment["PATH"]])
        return done.returncode


def copied(target: Path) -> str:
    """The repository as it stands, committed on master and pushed; the commit."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, env=environment, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)

    def git(*words: str) -> str:
        own = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        done = subprocess.run(
            ["git", *own, "-C", target, *words], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "master")
    git("add", "-A")
    git("commit", "-q", "-m", "as it stands")
    git("init", "-q", "--bare", str(target.with_name("origin.git")))
    git("remote", "add", "origin", str(target.with_name("origin.git")))
    git("push", "-q", "origin", "master")
    return git("rev-parse", "HEAD")


@pytest.fixture
def runner(tmp_path: Path, containers: Any) -> Iterator[Runner]:
    """A runner whose stores are up."""
    (tmp_path / "repository").mkdir()
    (tmp_path / "runner").mkdir()
    sha = copied(tmp_path / "repository")
    job = yaml.safe_load((tmp_path / "repository" / FILE).read_text())["jobs"]["validate"]
    with ExitStack() as stack:
        ports = {}
        for name, store in job["services"].items():
            variables = {key: value.replace("${{ github.sha }}", sha) for key, value in store.get("env", {}).items()}
            usual = int(store["ports"][0].split(":")[1])
            ports[name] = stack.enter_context(containers(name, usual, variables))
        yield Runner(tmp_path / "repository", tmp_path / "runner", job, ports, sha)


@pytest.mark.timeout(900)
def test_the_steps_pass_in_order_and_block_what_should_not_pass(runner: Runner, poll: Any) -> None:
    import psycopg

    def answers() -> bool:
        try:
            psycopg.connect(runner.environment["DATABASE_URL"]).close()
        except psycopg.Error:
            return False
        return True

    poll(answers, timeout=60, what="PostgreSQL answers")
    steps = [step for step in runner.job["steps"] if "run" in step]
    assert len(steps) >= 7
    for step in steps:
        assert runner.run(step) == 0, runner.said
    assert "may be deployed" in runner.said
    assert ET.parse(runner.temp / "predeploy.xml").getroot().get("failures") == "0"
    results = json.loads((runner.temp / "predeploy.sarif").read_text())["runs"][0]["results"]
    assert [each["level"] for each in results if each["level"] == "error"] == []
    assert len(runner.masked) == 3
    for secret in runner.masked:
        assert len(secret) == 64
        assert secret not in runner.said
        assert secret in "\n".join(runner.environment.values())

    models = runner.root / "examples/controlcore/cc-pap-api/app/models.py"
    text = models.read_text()
    column = "    username: Mapped[str]"
    models.write_text(text.replace(column, f"    nickname: Mapped[str | None] = mapped_column(String(9))\n{column}", 1))
    assert runner.run(runner.step("Compare the schema")) == 1
    assert "nickname" in runner.said
    runner.said = ""
    assert runner.run(runner.step("Every check")) == 1
    assert re.search(r"^::error file=services.yaml,title=cc-pap-api/schema::.*nickname", runner.said, re.MULTILINE)
    assert re.search(r"^::error file=services.yaml,title=git/clean::not committed", runner.said, re.MULTILINE)
