"""Annotations of GitHub Actions
(https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands)."""

from __future__ import annotations

from collections.abc import Iterable

from devctl.safety.verdict import Check, Result


def annotated(checks: Iterable[Check], file: str) -> list[str]:
    """A command for each check that did not pass. Those that block are errors and come first: GitHub shows ten of a
    kind. ``file`` is the manifest, from the root of the repository."""
    found = sorted((each for each in checks if each.result is not Result.PASS), key=lambda each: not each.blocks)
    return [_command("error" if each.blocks else "warning", each, file) for each in found]


def _command(kind: str, check: Check, file: str) -> str:
    said = "could not be carried out: " if check.result is Result.SKIP else ""
    text = f"{said}{check.evidence}" + (f"\nNext: {check.hint}" if check.hint else "")
    return f"::{kind} file={_property(file)},title={_property(check.name)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
