"""``devctl mirror`` in a workspace: what it says and how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.fixture
def mirrored(place: Any) -> Any:
    """A workspace with two libraries, one carried over to the other."""
    libraries = {name: {"library": True, "path": name} for name in ("core", "tenant")}
    place.write(libraries, mirrors=[{"from": "core", "to": "tenant"}])
    for name in libraries:
        (place.root / name).mkdir()
    (place.root / "core/a").write_text("one\n")
    return place


def test_a_dry_run_says_what_a_run_then_does(mirrored: Any) -> None:
    said = mirrored.run("mirror", "--dry-run")
    assert (said.returncode, said.stdout) == (0, " ✓ core → tenant: 1 file would be carried over\n   + a  added\n")
    assert not (mirrored.root / "tenant/a").exists()
    assert "1 file is carried over" in mirrored.run("mirror").stdout
    assert (mirrored.root / "tenant/a").read_text() == "one\n"
    assert mirrored.run("mirror").stdout == " ✓ core → tenant: the same\n"


def test_a_conflict_is_shown_as_a_difference_and_ends_with_1(mirrored: Any) -> None:
    mirrored.run("mirror")
    (mirrored.root / "tenant/a").write_text("mine\n")
    (mirrored.root / "core/a").write_text("".join(f"line {number}\n" for number in range(30)))
    said = mirrored.run("mirror")
    assert said.returncode == 1
    assert "--- tenant/a\n     +++ core/a\n" in said.stdout
    assert "-mine" in said.stdout
    assert "+line 29" not in said.stdout
    assert "+line 29" in mirrored.run("mirror", "--diff").stdout
    assert (mirrored.root / "tenant/a").read_text() == "mine\n"


def test_differences_of_what_is_carried_are_shown_when_asked_for(mirrored: Any) -> None:
    mirrored.run("mirror")
    (mirrored.root / "core/a").write_text("two\n")
    assert "-one\n     +two\n" in mirrored.run("mirror", "--diff").stdout
    assert (mirrored.root / "tenant/a").read_text() == "two\n"


def test_a_missing_source_is_said_in_words(mirrored: Any) -> None:
    (mirrored.root / "core/a").unlink()
    (mirrored.root / "core").rmdir()
    said = mirrored.run("mirror")
    assert said.returncode == 1
    assert "there is no folder to carry over from" in said.stdout
    assert "Traceback" not in said.stdout + said.stderr


def test_check_knows_before(mirrored: Any) -> None:
    assert "mirrors" not in mirrored.run("check").stdout
    (mirrored.root / "core/a").unlink()
    (mirrored.root / "core").rmdir()
    assert "mirrors: there is no folder core: nothing can be carried over" in mirrored.run("check").stdout


def test_sync_carries_over_before_it_commits(mirrored: Any) -> None:
    planned = json.loads(mirrored.run("sync", "--json", "--dry-run").stdout)["mirrors"]
    done = json.loads(mirrored.run("sync", "--json").stdout)["mirrors"]
    assert planned == done
    assert done == [{"from": "core", "to": "tenant", "result": "copied", "reason": "", "files": ["a"], "conflicts": []}]
    (mirrored.root / "tenant/a").write_text("mine\n")
    said = mirrored.run("sync", "--json")
    (mirror,) = json.loads(said.stdout)["mirrors"]
    assert (said.returncode, mirror["result"], mirror["conflicts"]) == (1, "conflict", ["a"])
    assert "devctl mirror --diff" in mirrored.run("sync").stdout


def test_a_manifest_without_mirrors(place: Any) -> None:
    place.write({"core": {"library": True, "path": "."}})
    assert (place.run("mirror").returncode, place.run("mirror").stdout) == (0, "the manifest has no mirrors\n")
