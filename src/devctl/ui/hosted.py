"""The list of repositories that nobody pushed to for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from devctl.ui.columns import Column, aligned, clipped, drop_empty, folded, narrowed, total
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, count, size


class HostedRow(NamedTuple):
    """A repository: days since the last push, whether there ever was one, kilobytes, and what kind it is."""

    name: str
    url: str
    days: int
    pushed: bool
    kilobytes: int
    open_issues: int
    kind: str


def stale_table(
    rows: Sequence[HostedRow], looked_at: int, archived: int, owners: str, days: int, glyphs: Glyphs, width: int
) -> list[Text]:
    """The lines; ``width`` 0 is a pipe. ``archived``: how many of those looked at were left out for that."""
    left_out = f"; {count(archived, 'archived one')} left out" if archived else ""
    if not rows:
        said = f"{owners}: somebody pushed to each of {count(looked_at - archived, 'repository', 'repositories')} "
        said += f"within {count(days, 'day')}{left_out}"
        return _headed(said, Look.DONE, glyphs, width)
    said = f"{owners}: nobody pushed for {count(days, 'day')} to {len(rows)} of "
    said += f"{count(looked_at, 'repository', 'repositories')}{left_out}"
    lines = [*_headed(said, Look.WAITING, glyphs, width), Text(), *_rows(rows, glyphs, width), Text()]
    hint = f"nothing was changed; one that is done with: gh repo archive {rows[0].name}"
    room = max(20, width - 3) if width else 0
    return [*lines, *(Text(f"   {part}", style=FAINT) for part in folded(hint, room))]


def _headed(said: str, shape: Look, glyphs: Glyphs, width: int) -> list[Text]:
    first, *more = folded(said, max(20, width - 3) if width else 0)
    head = Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape]).append(first, style=STRONG)
    return [head, *(Text(f"   {part}", style=STRONG) for part in more)]


def _rows(rows: Sequence[HostedRow], glyphs: Glyphs, width: int) -> list[Text]:
    columns: Sequence[Column] = drop_empty(
        (
            Column("REPOSITORY", tuple(Text(clean(row.name), style=f"link {row.url}") for row in rows)),
            Column("LAST PUSH", tuple(_ago(row) for row in rows), right=True),
            Column("SIZE", tuple(Text(size(row.kilobytes * 1000)) for row in rows), right=True),
            Column("OPEN", tuple(Text(str(row.open_issues or "")) for row in rows), right=True),
            Column("", tuple(Text(row.kind, style=FAINT) for row in rows)),
            Column("", tuple(Text(clean(row.url), style=FAINT) for row in rows)),
        )
    )
    while width and len(columns) > 2 and total(columns) > width - 3:
        columns = columns[:-1]
    if width and total(columns) > width - 3:
        rest = total(columns) - columns[0].width
        columns = (narrowed(columns[0], max(10, width - 3 - rest), glyphs.ellipsis), *columns[1:])
    head, body = aligned(columns, FAINT)
    lines = [Text("   ").append(line) for line in ([head] if head is not None else []) + body]
    return [clipped(line, width, glyphs.ellipsis) for line in lines] if width else lines


def _ago(row: HostedRow) -> Text:
    years, days = divmod(row.days, 365)
    ago = f"{years} y {days // 31} mo" if years else f"{row.days} d"
    return Text(ago if row.pushed else f"never, {ago} old")
