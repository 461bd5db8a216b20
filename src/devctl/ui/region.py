"""The lower part of a terminal that is drawn again and again, while what is printed above it stays."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from devctl.ui.text import Text
from devctl.ui.theme import Screen

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
"""A terminal that knows synchronised updates shows what is between them at once; the others ignore it."""
REST_OF_LINE, REST_OF_SCREEN = "\x1b[K", "\x1b[J"
WHOLE, BACK, HOME = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H"


class Region:
    """Use as a context manager: the cursor comes back, whatever happens. ``whole``: the alternate screen instead."""

    def __init__(self, screen: Screen, whole: bool = False) -> None:
        self.screen, self.whole = screen, whole
        self._drawn: list[Text] = []

    def __enter__(self) -> Self:
        self._send(HIDE + (WHOLE if self.whole else ""))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send((BACK if self.whole else "") + SHOW)

    def draw(self, lines: Sequence[Text], above: Sequence[Text] = ()) -> None:
        """Show ``lines`` in place of those before; ``above`` is printed over them for good."""
        body = "".join(f"{self.screen.rendered(line)}{REST_OF_LINE}\n" for line in (*above, *lines))
        if self.whole:
            body = body.removesuffix("\n")
        self._send(BEGIN + self._upwards() + body + REST_OF_SCREEN + END)
        self._drawn = list(lines)

    def clear(self) -> None:
        """Take the region away, so that what follows is printed in its place."""
        self._send(self._upwards() + REST_OF_SCREEN)
        self._drawn = []

    def _upwards(self) -> str:
        """To the region's first line. A terminal that became narrower has broken the lines that were too long."""
        if self.whole:
            return HOME
        width = max(1, self.screen.width)
        rows = sum(max(1, -(-line.cell_len // width)) for line in self._drawn)
        return f"\r\x1b[{rows}A" if rows else "\r"

    def _send(self, text: str) -> None:
        self.screen.stream.write(text)
        self.screen.stream.flush()
