"""What a sync did, or would do, a repository at a time; what it asks; what still waits to be pushed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from devctl.git.report import Decision, Pushed, Report, Result, Synced, shown
from devctl.ui.columns import folded
from devctl.ui.errors import quoted
from devctl.ui.mirrors import mirror_page
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look
from devctl.ui.words import clean, count, listing

FILES = 20
"""Files that are listed by name; of more, the rest is counted."""
LOOKS = {
    Result.PUSHED: Look.DONE,
    Result.UP_TO_DATE: Look.DONE,
    Result.RESCUED: Look.RETRYING,
    Result.REJECTED: Look.FAILED,
    Result.UNREACHABLE: Look.FAILED,
}
WORDS = {
    Result.PUSHED: "pushed",
    Result.UP_TO_DATE: "up to date",
    Result.RESCUED: "rescued",
    Result.REJECTED: "not pushed",
    Result.UNREACHABLE: "not reached",
}


def asked(repositories: Iterable[Synced], root: str, width: int) -> list[Text]:
    """The files that would be committed, for the question after them."""
    lines: list[Text] = []
    for each in repositories:
        lines.append(Text(f" {count(len(each.files), 'file')} to commit on {each.branch} in {_place(each, root)}:"))
        lines += _files(each.files, width)
        lines += [Text(f"   left out: {part}", style=FAINT) for refusal in each.refused for part in folded(
            clean(str(refusal)), _room(width, 13))]  # fmt: skip
    return lines


def drawn(report: Report, root: str, glyphs: Glyphs, width: int) -> list[Text]:
    """All repositories and mirrors. ``root`` is the manifest's folder; paths are shown from there."""
    lines: list[Text] = []
    for mirrored in report.mirrors:
        lines += mirror_page(mirrored, {}, False, glyphs, width)
    for synced in report.repositories:
        lines += _repository(synced, root, glyphs, width, dry=report.dry_run)
    return lines or [Text(" nothing to sync: services.yaml has no git and no mirrors", style=FAINT)]


def _repository(synced: Synced, root: str, glyphs: Glyphs, width: int, *, dry: bool) -> list[Text]:
    lines = [_head(synced, root, glyphs)]
    if synced.decision is not Decision.SYNC:
        lines += _said(synced.reason, width)
        return lines + _next(synced.hint, glyphs, width) + _backup(synced, width)
    lines += _commit(synced, glyphs, width, dry=dry)
    for step in synced.steps:
        lines += _said(f"would {step}" if dry and _is_action(step) else step, width)
    for refusal in synced.refused:
        lines += _marked(Look.FAILED, f"not committed: {refusal}", glyphs, width)
        lines += _next(refusal.hint, glyphs, width)
    lines += list(_pushes(synced.pushes, glyphs, width, dry=dry))
    return lines + _backup(synced, width)


def _is_action(step: str) -> bool:
    return step.startswith(("fast-forward ", "create ", "set up "))


def _head(synced: Synced, root: str, glyphs: Glyphs) -> Text:
    shape = Look.DONE if synced.good else Look.FAILED
    if synced.decision is Decision.SKIP:
        shape = Look.WAITING
    line = Text(f" {glyphs.looks[shape]} ", style=COLOURS[shape]).append(_place(synced, root), style=STRONG)
    words = {Decision.SKIP: "skipped", Decision.REFUSE: "left as it is"}
    return line.append(f"  {words.get(synced.decision, shown(synced.branch))}", style=FAINT)


def _place(synced: Synced, root: str) -> str:
    path = shown(synced.path)
    return path.removeprefix(f"{root}/") if path != root else path.rpartition("/")[2]


def _commit(synced: Synced, glyphs: Glyphs, width: int, *, dry: bool) -> list[Text]:
    if synced.failure:
        lines = _marked(Look.FAILED, f"not committed: {synced.failure}", glyphs, width)
        return lines + quoted(synced.output, glyphs, width, indent=5) + _next(synced.failure_hint, glyphs, width)
    if dry and synced.files:
        subject, _, body = synced.message.partition("\n")
        lines = _said(f"would commit {count(len(synced.files), 'file')}: {subject}", width)
        return lines + [Text(f"       {line}", style=FAINT) for line in body.splitlines() if line.strip()]
    if synced.commit:
        return _said(f"committed {synced.commit[:10]}: {synced.message.partition(chr(10))[0]}", width)
    return []


def _pushes(pushes: Sequence[Pushed], glyphs: Glyphs, width: int, *, dry: bool) -> Iterator[Text]:
    """Branches of a remote with the same fate and nothing to say of it share a line."""
    grouped: dict[tuple[str, Result, str, str], list[str]] = {}
    for each in pushes:
        grouped.setdefault((each.remote, each.result, each.detail, each.hint), []).append(shown(each.branch))
    for (remote, result, detail, hint), branches in grouped.items():
        word = f"would be {WORDS[result]}" if dry and result in {Result.PUSHED, Result.RESCUED} else WORDS[result]
        text = f"{remote}: {listing(branches)} {word}" + (f" ({detail})" if detail else "")
        yield from _marked(LOOKS[result], text, glyphs, width)
        yield from _next(hint, glyphs, width)


def _backup(synced: Synced, width: int) -> list[Text]:
    if not synced.backup:
        return []
    text = f"{_backed_up(synced)}: {synced.backup}"
    return [Text(f"   {part}", style=FAINT) for part in folded(text, _room(width, 3))]


def _backed_up(synced: Synced) -> str:
    """What the backup is for: after a commit it is of use only to who wants the state before."""
    if not synced.commit:
        return "what is not committed stays where it is, and is kept in"
    return "as it was before the commit" + (", with what was left out" if synced.refused else "")


def _files(files: Sequence[str], width: int) -> list[Text]:
    lines = [Text(f"     {part}", style=FAINT) for path in files[:FILES] for part in folded(
        clean(shown(path)), _room(width, 5))]  # fmt: skip
    more = len(files) - FILES
    return [*lines, *([Text(f"     and {more} more", style=FAINT)] if more > 0 else [])]


def _said(text: str, width: int) -> list[Text]:
    return [Text(f"   {part}") for part in folded(clean(text), _room(width, 3)) if text]


def _marked(shape: Look, text: str, glyphs: Glyphs, width: int) -> list[Text]:
    first, *more = folded(clean(text), _room(width, 5))
    mark = Text(f"   {glyphs.looks[shape]} ", style=COLOURS[shape]).append(first, style="default")
    return [mark, *(Text(f"     {part}") for part in more)]


def _next(hint: str, glyphs: Glyphs, width: int) -> list[Text]:
    if not hint:
        return []
    return [Text(f"     {part}", style=COLOURS[Look.BUSY]) for part in folded(
        f"{glyphs.arrow} {clean(hint)}", _room(width, 5))]  # fmt: skip


def _room(width: int, indent: int) -> int:
    return max(20, width - indent) if width else 0


def pending(waiting: Sequence[str], glyphs: Glyphs, width: int) -> list[Text]:
    """What could not be pushed yet, under the dashboard."""
    if not waiting:
        return []
    lines = [Text(f"  {part}") for text in waiting for part in folded(clean(text), _room(width, 2))]
    return [Text(), *lines, Text(f"  {glyphs.arrow} devctl sync", style=COLOURS[Look.BUSY])] if width else lines
