"""The commit: made by git itself, so that the author's hooks, signing, LFS and line endings apply, from an index of our
own. Until it is made, the real index is as its owner left it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from devctl.command import CommandError, OutOfTime
from devctl.core.model import GitRepository, Value
from devctl.git.facts import RepositoryFacts
from devctl.git.report import Refusal
from devctl.git.repository import GitFailed, Repository
from devctl.git.scratch import Scratch, entries
from devctl.git.vetting import Vetted, vet

HOOKS_TIME = 600.0
"""Seconds that hooks and signing may take."""


class Committed(Value):
    """``commit`` is "" when none was made: ``failure`` says why, ``hint`` what to do, ``output`` what git or a hook
    said. Without a failure there was nothing to commit. ``behind``: the index could not be told of the commit."""

    commit: str = ""
    failure: str = ""
    hint: str = ""
    output: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    behind: bool = False


def preview(repository: Repository, facts: RepositoryFacts, section: GitRepository) -> Vetted:
    """What a commit would hold. Raises GitFailed, CommandError."""
    with Scratch(repository, facts) as scratch:
        return vet(repository, facts, section, scratch, None)


def commit(
    repository: Repository, facts: RepositoryFacts, section: GitRepository, paths: list[str], message: str
) -> Committed:
    """Commit these paths as they are now, and only what may be committed of them. Raises GitFailed, CommandError."""
    with Scratch(repository, facts) as scratch:
        vetted = vet(repository, facts, section, scratch, paths)
        if not vetted.entries:
            return Committed(refused=vetted.refused)
        if repository.line("rev-parse", "--quiet", "--verify", "HEAD") != facts.head:
            return Committed(failure="somebody committed here at the same time", hint="devctl sync")
        try:
            _make(repository, scratch, message)
        except GitFailed as error:
            why, hint = _explained(repository, error.words)
            return Committed(failure=why, hint=hint, output=_last(error.words), refused=vetted.refused)
        except OutOfTime as error:
            why = f"a hook or the signing did not end within {HOOKS_TIME:g} s"
            return Committed(failure=why, hint=_by_hand(repository), output=error.details, refused=vetted.refused)
    made = repository.line("rev-parse", "HEAD")
    behind = not _settled(repository, facts, vetted.paths, made)
    return Committed(commit=made, refused=vetted.refused, behind=behind)


def _settled(repository: Repository, facts: RepositoryFacts, paths: Iterable[str], made: str) -> bool:
    """Whether the index could be told. An editor holds its lock for a moment now and then."""
    for pause in (0.05, 0.2, 0.5, 1.0, None):
        try:
            settle(repository, facts, paths, made)
        except CommandError:
            if pause is not None:
                time.sleep(pause)
        else:
            return True
    return False


def _make(repository: Repository, scratch: Scratch, message: str) -> None:
    """In the author's own language, since what is said is theirs to read."""
    variables = {**scratch.variables, "LC_ALL": os.environ.get("LC_ALL", "")}
    given = message.encode("utf-8", "surrogateescape")
    repository.do("commit", "--quiet", "--file=-", given=given, variables=variables, timeout=HOOKS_TIME)


def settle(repository: Repository, facts: RepositoryFacts, paths: Iterable[str], after: str) -> None:
    """Let the real index have these paths, and what hooks added to the commit ``after``, as HEAD has them.

    Where nothing was committed, this mends an index that a killed sync left behind its commit.
    """
    wanted = set(paths)
    if after != facts.head:
        words = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-commit-id"]
        words += [facts.head, after] if facts.head else ["--root", after]
        wanted |= {each.path for each in entries(repository.do(*words))}
    differ = entries(repository.do("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", "HEAD"))
    given = b"".join(
        os.fsencode(f"{each.old_mode.replace('000000', '0')} {each.old}\t{each.path}") + b"\0"
        for each in differ
        if each.path in wanted
    )
    if given:
        repository.do("update-index", "-z", "--replace", "--index-info", given=given)
        repository.ask("update-index", "-q", "--refresh")


def _explained(repository: Repository, words: str) -> tuple[str, str]:
    """(why no commit was made, the next command to type)."""
    if "Please tell me who you are" in words or "unable to auto-detect email" in words:
        return "git does not know who you are", 'git config --global user.email YOU@EXAMPLE.COM, and user.name "YOU"'
    if "gpg failed to sign" in words or "failed to write commit object" in words or "signing" in words:
        return "the commit could not be signed", "git config --get user.signingkey, or look at what is said above"
    hook = next(
        (name for name in ("pre-commit", "commit-msg", "prepare-commit-msg") if _has_hook(repository, name)), ""
    )
    if hook:
        return "a hook refused the commit", f"mend what it says, then devctl sync (or by hand: {_by_hand(repository)})"
    return "git refused the commit", _by_hand(repository)


def _by_hand(repository: Repository) -> str:
    return f"git -C {repository.root} commit"


def _has_hook(repository: Repository, name: str) -> bool:
    path = repository.root / repository.line("rev-parse", "--git-path", f"hooks/{name}")
    return os.access(path, os.X_OK)


def _last(words: str) -> tuple[str, ...]:
    lines = [line for line in words.splitlines() if line.strip()]
    return tuple(lines[-15:])
