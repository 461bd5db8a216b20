"""JUnit's XML, as CI servers read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from devctl.safety.verdict import Check, Level, Result

_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(checks: Sequence[Check], workspace: str) -> str:
    """One test case a check. What blocks is a failure; a check that blocks because it could not be carried out too,
    since a skipped test counts as green everywhere. A warning that failed is skipped with its evidence."""
    blocked = [each for each in checks if each.blocks]
    idle = [each for each in checks if not each.blocks and each.result is not Result.PASS]
    counts = {"tests": str(len(checks)), "failures": str(len(blocked)), "errors": "0", "skipped": str(len(idle))}
    root = ET.Element("testsuites", {"name": "devctl predeploy", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": _legal(f"{workspace} predeploy"), **counts})
    for check in checks:
        name = {"classname": _legal(f"predeploy.{check.service or workspace}"), "name": _legal(check.name)}
        case = ET.SubElement(suite, "testcase", {**name, "time": "0"})
        if check.blocks:
            kind = "not carried out" if check.result is Result.SKIP else "failed"
            failure = ET.SubElement(case, "failure", {"message": _legal(check.evidence), "type": kind})
            failure.text = _legal(_whole(check))
        elif check.result is not Result.PASS:
            ET.SubElement(case, "skipped", {"message": _legal(f"{_said(check)}: {check.evidence}")})
        else:
            ET.SubElement(case, "system-out").text = _legal(check.evidence)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _said(check: Check) -> str:
    word = "failed" if check.result is Result.FAIL else "could not be carried out"
    return f"a {Level.WARNING} that {word}"


def _whole(check: Check) -> str:
    return check.evidence + (f"\nNext: {check.hint}" if check.hint else "")


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
