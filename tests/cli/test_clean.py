"""``devctl clean``, and what ``down`` tidies by itself."""

from __future__ import annotations

import sys
from typing import Any

import pytest


@pytest.fixture
def messy(place: Any) -> Any:
    """A workspace with two artefacts, in one of which a service works."""
    place.write(
        {
            "web": {"path": "web", "command": [sys.executable, "-c", "import time; time.sleep(1000)"]},
            "api": {"library": True, "path": "api"},
        },
        clean={"artefacts": ["**/dist"], "on_down": ["artefacts"]},
    )
    for name in ("web", "api"):
        (place.root / name / "dist").mkdir(parents=True)
        (place.root / name / "dist/out").write_text("x" * 9000)
    return place


def there(place: Any) -> set[str]:
    return {name for name in ("web", "api") if (place.root / name / "dist").exists()}


def test_without_a_terminal_it_shows_and_refuses(messy: Any) -> None:
    said = messy.run("clean")
    assert said.returncode == 3
    assert "artefact  api/dist" in said.stdout
    assert "devctl clean --yes" in said.stderr
    assert there(messy) == {"web", "api"}


def test_a_volume_that_is_not_there_is_told(messy: Any) -> None:
    said = messy.run("clean", "--volumes", "nope", "--yes")
    assert (said.returncode, "no volumes" in said.stderr) == (2, True)
    assert there(messy) == {"web", "api"}


def test_a_dry_run_weighs_and_removes_nothing(messy: Any) -> None:
    said = messy.run("clean", "--dry-run", "--yes")
    assert said.returncode == 0
    assert "2 things, " in said.stdout
    assert there(messy) == {"web", "api"}


def test_it_removes_what_it_showed_and_says_what_that_gave_back(messy: Any) -> None:
    said = messy.run("clean", "--yes")
    assert said.returncode == 0
    assert "kB given back (2 things)" in said.stdout
    assert there(messy) == set()
    assert messy.run("clean").stdout == " ✓ nothing to tidy away\n"


def test_asked_it_does_only_what_was_agreed_to(messy: Any) -> None:
    screen = messy.on_terminal("clean")
    screen.until("for good? [y/N] ")
    screen.keys("n\n")
    assert screen.end() == 3
    assert there(messy) == {"web", "api"}
    screen = messy.on_terminal("clean")
    screen.until("for good? [y/N] ")
    (messy.root / "web/dist/.git").mkdir()  # while the question stands, somebody makes it a repository
    screen.keys("y\n")
    assert screen.end() == 0
    assert there(messy) == {"web"}


def test_what_a_running_service_works_in_stays_until_down_tidies_it(messy: Any) -> None:
    assert messy.run("up").returncode == 0
    said = messy.run("clean", "--yes")
    assert "web is running → devctl down web" in said.stdout
    assert there(messy) == {"web"}
    said = messy.run("down")
    assert said.returncode == 0
    assert "given back (1 thing)" in said.stdout
    assert there(messy) == set()


def test_down_of_one_service_tidies_nothing(messy: Any) -> None:
    messy.run("up")
    messy.run("down", "web")
    assert there(messy) == {"web", "api"}


def test_down_tidies_only_what_is_listed_for_it(messy: Any) -> None:
    text = (messy.root / "services.yaml").read_text()
    docker = '"docker": ["containers"], "on_down": ["docker"]'
    (messy.root / "services.yaml").write_text(text.replace('"on_down": ["artefacts"]', docker))
    messy.run("up")
    assert messy.run("down").returncode == 0
    assert there(messy) == {"web", "api"}
