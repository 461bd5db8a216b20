"""What the pages say exists: their links lead somewhere, their commands are there, their drawings are current."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CALL = re.compile(r"(?<![\w/.-])(?:\./dev|devctl) ([^`\n#,;]*)")
PLANNED = {"db"}
"""Verbs that the manifest's page names beside the sections made for them."""
SCRIPT_VERBS = {"test", "check", "lint", "lock", "bench"}
DEVCTL = Path(sys.executable).with_name("devctl")


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: str) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", page), re.MULTILINE)}


def dead_links(pages: dict[Path, str]) -> list[str]:
    dead = []
    for file, text in pages.items():
        for link in LINK.findall(FENCE.sub("", text)):
            place, _, part = link.partition("#")
            target = (file.parent / place).resolve() if place else file
            if re.match(r"[a-z]+:", link):
                continue
            if not target.exists() or (part and part not in anchors(pages.get(target, ""))):
                dead.append(f"{file.name}: {link}")
    return dead


def test_every_link_within_the_project_leads_somewhere(pages: dict[Path, str]) -> None:
    assert dead_links(pages) == []


def test_a_dead_link_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](gone.md) [b](#gone) [c](#here-it-is)\n# Here it is", encoding="utf-8")
    assert dead_links({page: page.read_text(encoding="utf-8")}) == ["page.md: gone.md", "page.md: #gone"]


@cache
def help_of(*words: str) -> str:
    done = subprocess.run([DEVCTL, *words, "--help"], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout if done.returncode == 0 else ""


def calls(pages: dict[Path, str]) -> set[tuple[str, tuple[str, ...]]]:
    """Every call that the pages show: (its verb, its long options)."""
    found = set()
    for text in pages.values():
        code = "\n".join([*FENCE.findall(text), *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))])
        for call in CALL.findall(code):
            options = tuple(re.findall(r"(?<!\S)--[a-z][a-z-]*", call))
            verb = call.split()[0] if call.split() else ""
            found.add((verb if re.fullmatch("[a-z]+", verb) else "", options))
    return found


def test_every_verb_and_option_that_the_pages_name_is_there(pages: dict[Path, str]) -> None:
    named = {call for call in calls(pages) if call[0] not in PLANNED}
    assert {"up", "status", "why"} <= {verb for verb, _ in named}
    unknown = {verb for verb, _ in named if verb and verb not in SCRIPT_VERBS and not help_of(verb)}
    assert unknown == set()
    real = [(verb, option) for verb, options in named for option in options if verb not in SCRIPT_VERBS - {"check"}]
    wrong = [(verb, option) for verb, option in real if option not in help_of(*filter(None, [verb]))]
    assert wrong == []


def test_verbs_that_are_planned_are_promised_nowhere_else(pages: dict[Path, str]) -> None:
    promised = {(file.name, verb) for file, text in pages.items() for verb, _ in calls({file: text}) if verb in PLANNED}
    assert [(page, verb) for page, verb in promised if page != "manifest.md" and not help_of(verb)] == []


def test_every_verb_is_in_the_readme(root: Path) -> None:
    readme = (root / "README.md").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^  ([a-z]+) {2,}\S", help_of().partition("Every day:")[2], re.MULTILINE))
    assert {"up", "down", "ports"} <= verbs
    assert [verb for verb in verbs - {"schema"} if f"`devctl {verb}" not in readme] == []


def test_the_scripts_verbs_that_the_pages_name_are_its_own(root: Path) -> None:
    script = (root / "dev").read_text(encoding="utf-8")
    assert [verb for verb in SCRIPT_VERBS if f"\n  {verb}) " not in script] == []


def test_the_diagrams_are_drawn_from_what_the_program_is(root: Path) -> None:
    command = [sys.executable, root / "docs/tools/architecture.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_pictures_are_what_the_screens_draw(root: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, root / "docs/tools/pictures.py", tmp_path], check=True, timeout=60)
    for drawn in ("up.svg", "status.svg"):
        assert (tmp_path / drawn).read_text() == (root / "docs/img" / drawn).read_text(), (
            "python docs/tools/pictures.py"
        )


@pytest.mark.parametrize("name", ["up", "status"])
def test_a_picture_shows_a_healthy_control_core_and_fetches_nothing(root: Path, name: str) -> None:
    picture = (root / f"docs/img/{name}.svg").read_text(encoding="utf-8")
    for part in ("postgres", "cc-pap-api", "http://localhost:5173/", "healthy"):
        assert part in picture.replace("&#160;", " ")
    assert "url(http" not in picture.replace('"', "")
