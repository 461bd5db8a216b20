"""SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), as code scanning reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from devctl.safety.verdict import Check, Result

_ABOUT = {
    "environment": "Required variables are set, well-formed and not those of development",
    "secrets": "No password or key is a default or weak",
    "tls": "Connections that leave this machine are encrypted",
    "database": "The database answers with these credentials",
    "cache": "The cache answers with these credentials",
    "schema": "The database's schema is that of the models",
    "migrations": "No migration is pending, unknown or forked",
    "rehearsal": "Pending migrations go up and down on a scratch copy",
    "login": "A login works on a freshly migrated database",
    "clean": "Everything is committed",
    "branch": "The commit is one that is deployed from",
    "pushed": "Every remote has the commit",
    "images": "Images are built from this commit",
    "relations": "What should change together did",
}


def sarif(checks: Sequence[Check], file: str, version: str, line: int = 1) -> dict[str, Any]:
    """A log with one run. A rule a kind of check, a result for each check that did not pass. ``file`` is the
    manifest as a path from the repository's root, where every result points to (``line``)."""
    rules = list(dict.fromkeys(_rule(each) for each in checks))
    results = [_result(each, rules, file, line) for each in checks if each.result is not Result.PASS]
    driver = {"name": "devctl predeploy", "semanticVersion": version, "rules": [_described(rule) for rule in rules]}
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "utf16CodeUnits"}
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _rule(check: Check) -> str:
    last = check.name.rpartition("/")[2]
    return last if last in _ABOUT else "command"


def _described(rule: str) -> dict[str, Any]:
    about = _ABOUT.get(rule, "A check of the manifest's own")
    return {"id": f"predeploy/{rule}", "shortDescription": {"text": about}, "fullDescription": {"text": f"{about}."}}


def _result(check: Check, rules: list[str], file: str, line: int) -> dict[str, Any]:
    said = "could not be carried out: " if check.result is Result.SKIP else ""
    text = f"{check.name} {said or '— '}{check.evidence}" + (f". Next: {check.hint}" if check.hint else "")
    place = {"artifactLocation": {"uri": _uri(file)}, "region": {"startLine": line}}
    return {
        "ruleId": f"predeploy/{_rule(check)}",
        "ruleIndex": rules.index(_rule(check)),
        "level": "error" if check.blocks else "warning",
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"check/v1": check.name},
    }


def _uri(path: str) -> str:
    return re.sub(
        r"[^\w./~-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), path, flags=re.ASCII
    )
