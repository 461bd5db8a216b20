"""Times of a container's lines, as an engine that copies two streams at once writes them."""

from __future__ import annotations

from devctl.runtimes.containers import never_back


def test_times_never_run_backwards_and_no_line_moves() -> None:
    written = [(1.0, "a"), (3.0, "out"), (2.9999, "err"), (3.0, "b"), (4.0, "c")]
    assert list(never_back(written)) == [(1.0, "a"), (3.0, "out"), (3.0, "err"), (3.0, "b"), (4.0, "c")]
    assert list(never_back([])) == []
