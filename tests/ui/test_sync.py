"""What a sync says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from devctl.git.report import Decision, Refusal, Report, Synced
from devctl.ui.sync import drawn
from devctl.ui.theme import RICH

REF = "refs/devctl/backup/x"
LEFT = Refusal("it holds a secret", "a:1")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"commit": "c" * 40}, f"as it was before the commit: {REF}"),
        ({"commit": "c" * 40, "refused": (LEFT,)}, f"as it was before the commit, with what was left out: {REF}"),
        ({"failure": "a hook refused"}, f"what is not committed stays where it is, and is kept in: {REF}"),
        ({"decision": Decision.REFUSE}, f"what is not committed stays where it is, and is kept in: {REF}"),
    ],
)
def test_a_backup_is_said_to_be_what_it_is(said: dict[str, Any], line: str) -> None:
    synced = Synced(path="/w/r", **{"decision": Decision.SYNC, "backup": REF, **said})
    assert drawn(Report((synced,)), "/w", RICH, 0)[-1].plain == f"   {line}"
