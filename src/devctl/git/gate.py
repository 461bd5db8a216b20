"""The last look before work leaves the machine: every file that a remote would get for the first time."""

from __future__ import annotations

from collections.abc import Iterable

from devctl.git.objects import content, contents, sizes
from devctl.git.policy import forbidden
from devctl.git.report import Refusal, shown
from devctl.git.repository import Repository
from devctl.git.scratch import GITLINK, entries
from devctl.git.vetting import reviewed, secret

LARGEST = 20_000_000
"""Bytes of a file beyond which it is not searched: it is no source, and its author committed it by hand."""


class Gate:
    """Looks at commits of one repository. A content that was found clean is not looked at again."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._clean: set[tuple[str, str]] = set()
        self._listed: frozenset[str] | None = None

    def refusal(self, commit: str, theirs: Iterable[str]) -> Refusal | None:
        """Why ``commit`` may not be pushed to a remote that has the commits ``theirs``; None when it may.

        Raises GitFailed, CommandError.
        """
        known = [each for each in dict.fromkeys(theirs) if each]
        brought = self._brought(commit, known)
        for path in dict.fromkeys(path for path, _ in brought):
            why = forbidden(path)
            if why and not self._there(path, known):
                return self._told(commit, Refusal(f"{why}, and would be pushed", f"{shown(path)}:1"))
        fresh = self._fresh(commit, known)
        paths: dict[str, list[str]] = {}
        for path, name in brought:
            if name in fresh and (name, path) not in self._clean:
                paths.setdefault(name, []).append(path)
        if paths and self._listed is None:
            self._listed = reviewed(self._repository)
        small = {name: size for name, size in sizes(self._repository, paths).items() if size <= LARGEST}
        for name, found in contents(self._repository, small):
            for path in paths[name]:
                refusal = self._judge(path, found, known)
                if refusal:
                    return self._told(commit, refusal, name)
                self._clean.add((name, path))
        return None

    def _brought(self, commit: str, known: list[str]) -> list[tuple[str, str]]:
        """(path, object) of every file that the commits bring, in the order they were made."""
        commits = self._repository.do("rev-list", "--reverse", "--stdin", given=_range(commit, known), timeout=120)
        words = ("--stdin", "-r", "-m", "--root", "--raw", "-z", "--no-renames", "--no-abbrev", "--no-commit-id")
        changed = entries(self._repository.do("diff-tree", *words, given=commits, timeout=120))
        found = [(each.path, each.new) for each in changed if not each.deleted and each.mode != GITLINK]
        return list(dict.fromkeys(found))

    def _judge(self, path: str, found: bytes, known: list[str]) -> Refusal | None:
        """A secret that the remote has in the same file already is no news to it."""
        listed = self._listed or frozenset()
        refusal = secret(path, found, b"", listed)
        for head in known if refusal else ():
            before = content(self._repository, f"{head}:{path}")
            if before and secret(path, found, before, listed) is None:
                return None
        return refusal

    def _fresh(self, commit: str, known: list[str]) -> frozenset[str]:
        """Objects that the remote lacks."""
        words = ("rev-list", "--objects", "--no-object-names", "--stdin")
        return frozenset(self._repository.do(*words, given=_range(commit, known), timeout=120).decode().split())

    def _there(self, path: str, known: list[str]) -> bool:
        return bool(sizes(self._repository, (f"{head}:{path}" for head in known)))

    def _told(self, commit: str, refusal: Refusal, name: str = "") -> Refusal:
        """With the commit it is in, and the way out."""
        found = ["--find-object", name] if name else ["--", refusal.where.rpartition(":")[0]]
        words = ("log", "-1", "--format=%h", commit)
        at = self._repository.line("--literal-pathspecs", *words, *found)
        hint = "take it out of the commits that were not pushed yet (git rebase -i)"
        if name:
            hint += "; when it is no secret, list it: detect-secrets scan > .secrets.baseline"
        return Refusal(refusal.reason + (f" (commit {at})" if at else ""), refusal.where, hint)


def _range(commit: str, known: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in (commit, *(f"^{each}" for each in known))).encode()
