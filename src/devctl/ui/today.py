"""A day on the screen: all of it, in five lines, or as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from devctl.core.day import Commit, Failure, Ran, Synced, Today
from devctl.ui.columns import Column, aligned, clipped, drop_empty, folded
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, count, duration, listing

MOST = 20
"""Entries shown of failures, of commits and of syncs: the last ones."""
CLOCK = len("09:00  ")
RESULTS = {
    "pushed": "pushed",
    "up-to-date": "up to date",
    "rescued": "rescued",
    "rejected": "not pushed",
    "unreachable": "not reached",
}
"""What may become of a branch at a remote, in the words of ``sync --json``, the best first."""


def today_record(today: Today) -> dict[str, Any]:
    """The object ``today --json`` prints. Times are wall-clock seconds."""
    return {
        "date": time.strftime("%Y-%m-%d", time.localtime(today.begin)),
        "services": [
            {
                "name": ran.name,
                "seconds": round(ran.seconds, 1),
                "runs": ran.runs,
                "restarts": ran.restarts,
                "running": ran.running,
                "failures": [
                    {"at": failure.at, "reason": failure.reason, "words": failure.words} for failure in ran.failures
                ],
            }
            for ran in today.services
        ],
        "commits": [
            {"repository": each.repository, "sha": each.sha, "at": each.at, "subject": each.subject}
            for each in today.commits
        ],
        "syncs": [{"at": each.at, **each.report} for each in today.syncs],
        "pending": list(today.pending),
    }


def page(today: Today, root: str, glyphs: Glyphs, width: int) -> list[Text]:
    """All of it; ``width`` 0 is a pipe. ``root`` is the manifest's folder."""
    date = time.strftime("%A %d %B", time.localtime(today.begin)).replace(" 0", " ")
    lines = [Text(f" {date}", style=STRONG)]
    lines += _part("ran", _services(today.services, glyphs))
    lines += _part("failed", _folded((_failure(*each) for each in today.failures), width, CLOCK))
    lines += _part("committed", _folded((_commit(each, root) for each in today.commits), width, CLOCK))
    lines += _part("synced", _folded((f"{_clock(each.at)}  {synced([each])}" for each in today.syncs), width, CLOCK))
    lines += _part("still pending", _folded(today.pending, width))
    if len(lines) == 1:
        lines.append(Text("   nothing happened yet", style=FAINT))
    return [clipped(line, width, glyphs.ellipsis) if width else line for line in lines]


def _part(title: str, entries: Sequence[Sequence[Text]]) -> list[Text]:
    """The last of the entries, each of a line or more, under a title; nothing where there are none."""
    more = len(entries) - MOST
    before = [Text(f"     {count(more, 'earlier line')}", style=FAINT)] if more > 0 else []
    return [Text(), Text(f"   {title}", style=FAINT), *before, *chain(*entries[-MOST:])] if entries else []


def _folded(texts: Iterable[str], width: int, hang: int = 0) -> list[list[Text]]:
    """Each text's lines. The further ones begin below its character ``hang``."""
    room = max(20, width - 5 - hang) if width else 0
    found = []
    for text in map(clean, texts):
        first, *rest = folded(text[hang:], room)
        found.append([Text(f"     {text[:hang]}{first}"), *(Text(f"     {'':<{hang}}{part}") for part in rest)])
    return found


def _services(services: Sequence[Ran], glyphs: Glyphs) -> list[list[Text]]:
    ran = sorted((each for each in services if each.runs), key=lambda each: -each.seconds)
    if not ran:
        return []
    columns = drop_empty(
        (
            Column("", tuple(_name(each, glyphs) for each in ran)),
            Column("", tuple(Text(duration(each.seconds)) for each in ran), right=True),
            Column("", tuple(Text(count(each.runs, "run") if each.runs > 1 else "", style=FAINT) for each in ran)),
            Column("", tuple(_restarts(each) for each in ran)),
        )
    )
    return [[Text("     ").append(row)] for row in aligned(columns)[1]]


def _name(ran: Ran, glyphs: Glyphs) -> Text:
    shape = Look.READY if ran.running else Look.STOPPED
    return Text(f"{glyphs.looks[shape]} ", style=COLOURS[shape]).append(ran.name, style="default")


def _restarts(ran: Ran) -> Text:
    return Text(count(ran.restarts, "restart") if ran.restarts else "", style=COLOURS[Look.RETRYING])


def _failure(name: str, failure: Failure) -> str:
    return f"{_clock(failure.at)}  {name}: {failure.reason}" + (f": {failure.words}" if failure.words else "")


def _commit(commit: Commit, root: str) -> str:
    place = commit.repository.removeprefix(f"{root}/") if commit.repository != root else ""
    return f"{_clock(commit.at)}  {commit.sha[:8]} {commit.subject}" + (f"  ({place})" if place else "")


def synced(syncs: Sequence[Synced]) -> str:
    """Syncs in a sentence: what went where, and what didn't. What was pushed counts as pushed while it stays so."""
    found = _branches(syncs)
    parts = []
    for result, word in RESULTS.items():
        if where := {f"{branch} to {remote}" for (_, branch, remote), fate in found.items() if fate == result}:
            parts.append(f"{word}: {listing(sorted(where), 6)}")
    return "; ".join([*parts, *_ways(_mirrors(syncs))]) or "nothing to push"


def _branches(syncs: Sequence[Synced]) -> dict[tuple[str, str, str], str]:
    """(repository, branch, remote) → what became of it."""
    found: dict[tuple[str, str, str], str] = {}
    for repository in (each for done in syncs for each in done.report.get("repositories", ())):
        for push in repository["pushes"]:
            key = (str(repository.get("path")), push["branch"], push["remote"])
            if (found.get(key), push["result"]) != ("pushed", "up-to-date"):
                found[key] = push["result"]
    return found


def _ways(mirrors: Mapping[str, str]) -> list[str]:
    return [f"{way}, conflicts left alone" if result == "conflict" else way for way, result in mirrors.items()]


def _mirrors(syncs: Sequence[Synced]) -> dict[str, str]:
    """Those that carried something over, or whose conflict still stands."""
    found: dict[str, str] = {}
    for mirror in (each for done in syncs for each in done.report.get("mirrors", ())):
        way = f"{mirror['from']} carried to {mirror['to']}"
        if mirror["result"] != "same":
            found[way] = mirror["result"]
        elif found.get(way) == "conflict":
            del found[way]
    return found


def _clock(moment: float) -> str:
    return time.strftime("%H:%M", time.localtime(moment))


def brief(today: Today, glyphs: Glyphs, width: int) -> list[Text]:
    """The five lines that ``down`` ends with: two where git is no matter, none where nothing happened."""
    ran = [each for each in today.services if each.runs]
    if not ran and not today.failures and not today.commits and not today.syncs and not today.pending:
        return []
    lines = [_brief_ran(ran), _brief_failures(today)]
    if today.in_git:
        lines += [_brief_commits(today.commits), _brief_syncs(today.syncs), _brief_pending(today.pending)]
    texts = [Text(f" {'today' if number == 0 else '':<6}", style=FAINT).append(clean(line), style="default")
             for number, line in enumerate(lines)]  # fmt: skip
    return [clipped(text, width, glyphs.ellipsis) if width else text for text in texts]


def _brief_ran(ran: Sequence[Ran]) -> str:
    if not ran:
        return "nothing ran"
    longest = max(ran, key=lambda each: each.seconds)
    return f"{count(len(ran), 'service')} ran, {longest.name} longest: {duration(longest.seconds)}"


def _brief_failures(today: Today) -> str:
    restarts = sum(each.restarts for each in today.services)
    parts = [count(restarts, "restart")] if restarts else []
    if not today.failures:
        return ", ".join([*parts, "no failure"])
    name, last = today.failures[-1]
    said = f"{count(len(today.failures), 'failure')}, the last: {name} {last.reason}"
    return ", ".join([*parts, said])


def _brief_commits(commits: Sequence[Commit]) -> str:
    return f"{count(len(commits), 'commit')}, the last: {commits[-1].subject}" if commits else "no commit"


def _brief_syncs(syncs: Sequence[Synced]) -> str:
    return f"synced at {_clock(syncs[-1].at)}: {synced(syncs)}" if syncs else "not synced"


def _brief_pending(pending: Sequence[str]) -> str:
    return f"pending: {'; '.join(pending)}" if pending else "nothing pending"
