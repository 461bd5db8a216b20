"""Repositories with their branches and remotes: what is ahead, what is behind, what is not set up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from devctl.ui.columns import Column, aligned, clipped, drop_empty, folded, remarked
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, duration


class LaneRow(NamedTuple):
    """A branch against a remote. ``ahead`` and ``behind`` are "" where they mean nothing, ``seconds`` how long ago the
    remote's branch was last seen to move (None: never), ``remark`` what there is to say of it."""

    branch: str
    remote: str
    ahead: str
    behind: str
    seconds: float | None
    remark: str
    shape: Look


class RemoteRow(NamedTuple):
    """A remote's name and address, and what is wrong with it."""

    name: str
    url: str
    remark: str = ""


class RepositoryRows(NamedTuple):
    """A repository as it is shown; ``problem`` instead of the rest where nothing is known."""

    path: str
    branch: str
    problem: str
    lanes: Sequence[LaneRow]
    remotes: Sequence[RemoteRow]
    hints: Sequence[str]


def remotes_screen(repositories: Sequence[RepositoryRows], glyphs: Glyphs, width: int) -> list[Text]:
    """The lines; ``width`` 0 is a pipe."""
    lines: list[Text] = []
    for repository in repositories:
        lines += [Text()] if lines else []
        lines += _repository(repository, glyphs, width)
    return [clipped(line, width, glyphs.ellipsis) for line in lines] if width else lines


def _repository(repository: RepositoryRows, glyphs: Glyphs, width: int) -> list[Text]:
    head = Text(" ").append(clean(repository.path), style=STRONG)
    if repository.problem:
        mark = Text(f" {glyphs.looks[Look.FAILED]} ", style=COLOURS[Look.FAILED])
        return [
            head,
            *(mark.copy().append(text, style="default") for text in folded(clean(repository.problem), _room(width))),
        ]
    head.append(f"  on {clean(repository.branch)}" if repository.branch else "  on no branch", style=FAINT)
    lines = [head, *_lanes(repository.lanes, glyphs, width), *_remotes(repository.remotes)]
    for hint in repository.hints:
        lines += [
            Text(f"   {part}", style=COLOURS[Look.BUSY]) for part in folded(f"{glyphs.arrow} {hint}", _room(width))
        ]
    return lines


def _lanes(rows: Sequence[LaneRow], glyphs: Glyphs, width: int) -> list[Text]:
    if not rows:
        return []
    columns = (
        Column("BRANCH", tuple(Text(clean(row.branch)) for row in rows)),
        Column("REMOTE", tuple(Text(clean(row.remote)) for row in rows)),
        Column("AHEAD", tuple(Text(row.ahead) for row in rows), right=True),
        Column("BEHIND", tuple(Text(row.behind) for row in rows), right=True),
        Column("LAST SYNC", tuple(_since(row) for row in rows)),
    )
    remark = Column("", tuple(Text(clean(row.remark), style=COLOURS[row.shape]) for row in rows))
    head, body = remarked(columns, remark, _room(width), FAINT)
    lines = [Text("   ").append(head)] if head is not None else []
    for row, (line, below) in zip(rows, body, strict=True):
        lines.append(Text(f" {glyphs.looks[row.shape]} ", style=COLOURS[row.shape]).append(_plain(line)))
        lines += [Text("     ").append(each) for each in below]
    return [Text(), *lines]


def _plain(line: Text) -> Text:
    """Its own styles over the terminal's colour, not over the mark's."""
    return Text("", style="default").append(line)


def _since(row: LaneRow) -> Text:
    return Text("never" if row.seconds is None else f"{duration(row.seconds)} ago", style=FAINT)


def _remotes(rows: Sequence[RemoteRow]) -> list[Text]:
    if not rows:
        return [Text(), Text("   no remotes", style=FAINT)]
    columns = (
        Column("", tuple(Text(clean(row.name)) for row in rows)),
        Column("", tuple(Text(clean(row.url), style=FAINT) for row in rows)),
        Column("", tuple(Text(clean(row.remark), style=COLOURS[Look.RETRYING]) for row in rows)),
    )
    return [Text(), *(Text("   ").append(line) for line in aligned(drop_empty(columns))[1])]


def _room(width: int) -> int:
    return max(20, width - 3) if width else 0
