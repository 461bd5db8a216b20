"""The checklist: the same in the documentation as printed, and ticked by what passed alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devctl.safety.checklist import SECTIONS, checklist
from devctl.safety.reports.sarif import _ABOUT
from devctl.safety.verdict import Check, Level, Result

PAGE = Path(__file__).resolve().parents[2] / "docs/production-safety.md"


def check(name: str, result: Result, evidence: str = "seen") -> Check:
    return Check(name, Level.REQUIRED, result, evidence)


def boxes(*checks: Check) -> dict[str, str]:
    """The mark in the box of each item that has one."""
    lines = [line for line in checklist(checks) if line.startswith("- [")]
    return {line[6:]: line[3] for line in lines}


def test_a_box_is_ticked_when_every_check_behind_it_passed() -> None:
    text = "Its schema is what the models say"
    assert boxes()[text] == " "
    assert boxes(check("api/schema", Result.PASS))[text] == "x"
    assert boxes(check("api/schema", Result.PASS), check("web/schema", Result.FAIL))[text] == " "
    assert boxes(check("api/schema", Result.SKIP))[text] == " "
    assert "  - api/schema: users.x is\n missing".replace("\n", "") in list(
        checklist([check("api/schema", Result.FAIL, "users.x is\nmissing")])
    )


def test_own_checks_tick_their_own_box_and_people_tick_theirs() -> None:
    found = boxes(check("api/lint", Result.PASS), check("git/clean", Result.PASS))
    assert [text for text, mark in found.items() if mark == "x"] == [
        "Everything is committed",
        "The manifest's own checks pass",
    ]
    named = {name for _, items in SECTIONS for item in items for name in item.checks}
    assert named - {"*"} == set(_ABOUT), "every kind of check is on the list"


def test_the_page_has_it_as_it_is_printed(shop: Any) -> None:
    shop.write({"api": {"external": True}})
    printed = shop.run("ci", "checklist", "--blank")
    assert printed.returncode == 0, printed.stderr
    page = PAGE.read_text(encoding="utf-8").partition("<!-- checklist -->\n")[2].partition("<!-- /checklist -->")[0]
    assert page == printed.stdout
    assert "[x]" not in page


def test_it_is_ticked_by_real_checks(shop: Any, strong: dict[str, str]) -> None:
    shop.write(
        {"api": {"external": True, "predeploy": {"environment": {"required": ["SECRET_KEY"]}}}}, git={"branch": "dev"}
    )
    shop.repository()
    shop.env(SECRET_KEY=strong["SECRET_KEY"])
    done = shop.run("ci", "checklist")
    assert (done.returncode, done.stdout.count("[x]")) == (0, 6), done.stdout + done.stderr
    assert "- [x] Every remote has it" in done.stdout
