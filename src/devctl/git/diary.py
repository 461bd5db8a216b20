"""What was committed and what was synced on a day: commits from git itself, syncs from a line each that they leave."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from devctl.command import CommandError
from devctl.core.day import Commit, Synced
from devctl.core.model import GitRepository
from devctl.errors import DevctlError
from devctl.git import pending
from devctl.git.facts import look
from devctl.git.report import Report, record
from devctl.git.repository import Repository, decoded
from devctl.workspace import Workspace

FILE, ASIDE = "day.jsonl", "day.1.jsonl"
MAX_BYTES = 1_000_000
"""Above this size the file is set aside: some thousand syncs."""
TIMEOUT = 5.0
"""Seconds git may take to list a day's commits."""


def commits(repositories: Iterable[GitRepository], begin: float, end: float) -> tuple[Commit, ...]:
    """What the user committed on any branch between two moments, the oldest first. Where git does not say, nothing."""
    found = [commit for each in repositories for commit in _commits(each.path, begin, end)]
    return tuple(sorted(found, key=lambda commit: commit.at))


def _commits(path: str, begin: float, end: float) -> list[Commit]:
    if not os.path.lexists(os.path.join(path, ".git")):  # noqa: PTH118 - the path may be no text
        return []
    repository = Repository(path)
    try:
        email = repository.line("config", "user.email")
        words = ("log", "--branches", "HEAD", f"--since={int(begin)}", "--format=%H%x00%ct%x00%ae%x00%s")
        done = repository.ask(*words, timeout=TIMEOUT)
    except CommandError:
        return []
    found = []
    for line in done.out.splitlines():
        sha, made, author, subject = (decoded(field) for field in line.split(b"\0", 3))
        if begin <= int(made) < end and email in {"", author}:
            found.append(Commit(repository=path, sha=sha, at=float(made), subject=subject))
    return found


def note(workspace: Workspace, report: Report, at: float) -> None:
    """Write a sync down. A full disk only means that the day forgets it."""
    file = workspace.folder / FILE
    try:
        line = msgspec.json.encode(Synced(at=at, report=record(report))) + b"\n"
        workspace.prepare()
        if file.exists() and file.stat().st_size > MAX_BYTES:
            file.replace(file.with_name(ASIDE))
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
    except (OSError, UnicodeEncodeError, DevctlError):
        return


def syncs(workspace: Workspace, begin: float, end: float) -> tuple[Synced, ...]:
    """The syncs between two moments, the oldest first. Lines that can't be read are passed over."""
    found: list[Synced] = []
    for name in (ASIDE, FILE):
        try:
            lines = (workspace.folder / name).read_bytes().splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                found.append(msgspec.json.decode(line, type=Synced))
            except msgspec.DecodeError:
                continue
    return tuple(each for each in found if begin <= each.at < end)


def left_over(workspace: Workspace, repositories: Sequence[GitRepository], done: Sequence[Synced]) -> tuple[str, ...]:
    """What is still to be done, a sentence each: what no remote has, what isn't committed, what a sync left alone."""
    found = [str(each) for each in pending.read(workspace)]
    found += [line for each in repositories if (line := _uncommitted(each.path))]
    return (*found, *(_left_alone(done[-1]) if done else ()))


def _uncommitted(path: str) -> str:
    if not os.path.lexists(os.path.join(path, ".git")):  # noqa: PTH118 - the path may be no text
        return ""
    try:
        facts = look(path)
    except CommandError:
        return ""
    number = len(facts.changes) + len(facts.unmerged)
    return f"{number} file{'' if number == 1 else 's'} not committed in {path.rpartition('/')[2]}" if number else ""


def _left_alone(last: Synced) -> Iterator[str]:
    """What the last sync could not do besides pushing, which is remembered elsewhere."""
    for each in last.report.get("repositories", ()):
        if each.get("decision") == "refuse":
            yield f"{str(each.get('path')).rpartition('/')[2]} was not synced: {each.get('reason', '')}"
    for each in last.report.get("mirrors", ()):
        if each.get("result") == "conflict":
            left = len(each.get("conflicts", ()))
            why = each.get("reason") or f"{left} file{'' if left == 1 else 's'} left alone"
            yield f"{each.get('from')} to {each.get('to')}: {why}"
