"""What a command reads from and writes to: screens, questions, JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from devctl.errors import DevctlError, Exit


def print_json(value: Any) -> None:
    """One JSON value, indented for people who look at it; never wrapped, never coloured."""
    sys.stdout.write(json_text(value, indent=2) + "\n")


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that the stream's encoding can carry whole."""
    import json

    return json.dumps(value, indent=indent, ensure_ascii=not sys.stdout.encoding.lower().startswith("utf"))


def tell(lines: Iterable[str]) -> None:
    """What was done, beside what was asked for: on standard error."""
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.stderr.flush()


def can_ask() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(question: str, *, yes: bool, otherwise: DevctlError, refused: str = "nothing was done") -> None:
    """Go on when ``yes`` was given or the user says so. Raises ``otherwise`` where nobody can be asked, and ``refused``
    is what is said to who does not want it."""
    if yes:
        return
    if not can_ask():
        raise otherwise
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise DevctlError(refused, code=Exit.PRECONDITION)
