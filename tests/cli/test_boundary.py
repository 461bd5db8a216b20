"""The command as a whole: verbs, errors, exit codes, and what a quick command doesn't load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from devctl import __version__
from devctl.cli.app import run
from devctl.cli.verbs import VERBS
from devctl.cli.whole import file_first


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    overview = capsys.readouterr().out
    for verb in VERBS:
        assert f"\n  {verb} " in overview
        assert run([verb, "--help"]) == 0
        assert "--help" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"devctl {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["statsu"], "did you mean devctl status?"),
        (["xyzzy"], "devctl --help lists the verbs"),
        (["up", "--nope"], "devctl up --help"),
        (["restart"], "missing argument"),
        (["logs", "-n", "many"], "'many' is no whole number"),
        (["logs", "-n"], "devctl logs --help"),
        (["ports", "--free", "99999"], "devctl ports --help"),
        (["--nope"], "no such option"),
    ],
)
def test_usage_errors_exit_with_2_and_say_what_is_right(words: list[str], said: str, capsys: Any) -> None:
    assert run(words) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert said in shown.err
    assert shown.out == ""


def test_file_may_stand_behind_the_verb() -> None:
    assert file_first(["up", "a", "--file", "x.yaml", "b"]) == ["--file", "x.yaml", "up", "a", "b"]
    assert file_first(["logs", "-f", "--file=x.yaml"]) == ["--file=x.yaml", "logs", "-f"]
    assert file_first(["up", "--", "--file", "x"]) == ["up", "--", "--file", "x"]


def test_another_manifest_is_named_in_front_or_behind(place: Any) -> None:
    place.write({"a": {"library": True, "path": "."}})
    elsewhere = place.root / "other" / "deep"
    elsewhere.mkdir(parents=True)
    file = str(place.root / "services.yaml")
    for words in (["-f", file, "status", "--json"], ["status", "--json", "--file", file]):
        done = subprocess.run(
            place.argv(*words), cwd="/", env=place.environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, json.loads(done.stdout)["workspace"]) == (3, "place")
    upwards = subprocess.run(
        place.argv("status"), cwd=elsewhere, env=place.environment, capture_output=True, text=True, check=False
    )
    assert upwards.returncode == 3
    missing = place.run("-f", "nope.yaml", "status")
    assert (missing.returncode, missing.stderr) == (2, "error: there is no such manifest\n  where  nope.yaml\n")


def test_a_manifest_with_mistakes_names_them_all(place: Any) -> None:
    (place.root / "services.yaml").write_text("name: place\nservices:\n  a: {comand: x}\n  b: {depends_on: [c]}\n")
    for verb in ("up", "check", "status"):
        done = place.run(verb)
        assert done.returncode == 2
        assert "services.yaml:3:7" in done.stderr
        assert "did you mean command?" in done.stderr
        assert "Traceback" not in done.stderr


HEAVY = ("pydantic", "yaml", "docker", "httpx", "git", "asyncio", "psutil", "alembic", "multiprocessing")
UNNEEDED = ("typer", "tempfile", "subprocess", "rich", "dataclasses", "inspect", "typing_extensions")
"""By lines of everyday commands, which are to be as quick as Python itself allows."""


def loaded(place: Any, *words: str) -> set[str]:
    code = (
        f"import sys\nfrom devctl.cli.app import run\nrun({list(words)!r})\nsys.stderr.write(' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place.root, env=place.environment, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_a_quick_command_loads_nothing_heavy(place: Any, free_port: Any) -> None:
    place.write({"a": place.server(free_port())})
    assert place.run("up").returncode == 0
    for words in (["status"], ["status", "--json"], ["why", "a"]):
        assert loaded(place, *words) & {*HEAVY, *UNNEEDED} == set(), words
    assert "json" not in loaded(place, "status")
    assert loaded(place, "up") & {"typer", "rich", "dataclasses", "inspect", "typing_extensions"} == set()
    modules = loaded(place, "--help")
    assert modules & {*HEAVY, "rich"} == set()
    assert not [name for name in modules if name in {verb.module for verb in VERBS.values()}]


def test_a_bug_is_told_in_a_sentence_and_kept_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(context: object) -> None:
        raise ZeroDivisionError("a secret is not in here")

    (tmp_path / ".devctl").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEVCTL_DEBUG", raising=False)
    monkeypatch.setattr("devctl.cli.status.here", broken)
    assert run(["status"]) == 1
    shown = capsys.readouterr().err
    assert "this is a bug in devctl: ZeroDivisionError" in shown
    assert "Traceback" not in shown
    assert "Traceback" in (tmp_path / ".devctl/crash.log").read_text()
    monkeypatch.setenv("DEVCTL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(["status"])


def test_a_reader_that_goes_is_no_error(place: Any) -> None:
    folder = place.root / ".devctl" / "logs"
    folder.mkdir(parents=True)
    (folder / "a.log").write_text("line\n" * 100_000)
    place.write({"a": {"command": "true", "path": "."}})
    process = subprocess.Popen(
        place.argv("logs", "-n", "100000"), cwd=place.root, env=place.environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 0
    process.stderr.close()


def test_any_encoding_will_do(place: Any) -> None:
    place.write({"a": {"library": True, "path": ".", "description": "süß ✓"}})
    done = place.run("why", "a", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "s??" in done.stdout
    done = place.run("check", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.stdout.isascii()
    assert done.stdout.startswith(" + services.yaml")


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["why", "a"], ["check"], ["--help"], ["up"]])
def test_an_output_that_is_full_is_told(place: Any, words: list[str]) -> None:
    place.write({"a": {"library": True, "path": "."}})
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            place.argv(*words), cwd=place.root, env=place.environment, stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: it cannot be written\n  where  standard output\n  why    no space left")
    assert "bug" not in done.stderr


@pytest.mark.parametrize(("closed", "words", "code"), [
    (">&-", "status --json", 3), (">&-", "why a", 0), ("2>&-", "nope", 2), ("2>/dev/full", "nope", 2),
    ("<&-", "check", 0), ("<&- >&- 2>&-", "check", 0),
])  # fmt: skip
def test_a_closed_stream_is_no_error(place: Any, closed: str, words: str, code: int) -> None:
    place.write({"a": {"library": True, "path": "."}})
    command = f'"{sys.executable}" -m devctl {words} {closed}'
    done = subprocess.run(command, shell=True, cwd=place.root, env=place.environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")
    assert not (place.root / ".devctl/crash.log").exists()


def heeds(pid: int, number: int) -> bool:
    """Whether it has a handler for this signal, as /proc says."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def test_ctrl_c_at_any_moment_ends_it_in_silence_or_in_words(place: Any, poll: Any) -> None:
    """From its first moment, which Python itself must have reached, to the wait for a service that takes its time."""
    place.write({"slow": {"path": ".", "command": "sleep 600", "health": {"exec": "false", "start_period": "10m"}}})
    (place.root / ".devctl").mkdir(mode=0o700)
    assert place.run("check").returncode == 0  # from now on the manifest is a kept one
    for number in range(12):
        process = subprocess.Popen(
            place.argv("up"), cwd=place.root, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        poll(lambda pid=process.pid: heeds(pid, signal.SIGTERM))
        time.sleep(number * 0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
        assert process.returncode in {130, -signal.SIGINT}, (number, out, err)
        assert "Traceback" not in err
        assert "bug" not in err
    assert place.run("down").returncode in {0, 3}


@pytest.mark.parametrize("verb", [["up"], ["status"], ["why", "a"], ["logs"], ["down"], ["check"]])
def test_what_can_be_no_manifest_is_told_by_every_verb(place: Any, verb: list[str]) -> None:
    """A folder, a pipe nobody writes to, a link to itself, far too much of it."""
    os.mkfifo(place.root / "pipe.yaml")
    (place.root / "self.yaml").symlink_to("self.yaml")
    with (place.root / "huge.yaml").open("wb") as file:
        file.truncate(10_000_000_000)
    for name, said in ((".", "it is a folder"), ("pipe.yaml", "not a regular file"), ("huge.yaml", "larger than")):
        done = place.run("-f", str(place.root / name), *verb)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
    assert place.run("-f", str(place.root / "self.yaml"), *verb).returncode == 2
    assert not (place.root / ".devctl").exists()
