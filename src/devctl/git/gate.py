"""The last look before work leaves the machine: every file and message that a remote would get for the first time."""

from __future__ import annotations

import re
from collections.abc import Iterable

from devctl.git.objects import content, contents, sizes
from devctl.git.policy import forbidden
from devctl.git.report import Refusal, shown
from devctl.git.repository import Repository
from devctl.git.scratch import GITLINK, entries
from devctl.git.vetting import reviewed, secret

LARGEST = 20_000_000
"""Bytes of a file beyond which it is not searched: it is no source, and its author committed it by hand."""

POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/[^\n]*\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\n")


class Gate:
    """Looks at commits of one repository. A content that was found clean is not looked at again."""

    def __init__(self, repository: Repository) -> None:
        self._repository = Repository(repository.root, options=("--no-replace-objects",))  # as a push takes them
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
                refusal = secret(path, self._whole(found), b"", self._listed or frozenset())
                if not refusal:
                    self._clean.add((name, path))
                elif not self._has_it(path, found, known):
                    return self._told(commit, refusal, name)
        return self._message_refusal(commit, known)

    def _message_refusal(self, commit: str, known: list[str]) -> Refusal | None:
        """A secret in what the commits themselves say."""
        if self._listed is None:
            self._listed = reviewed(self._repository)
        words = ("log", "-z", "--stdin", "--no-show-signature", "--no-notes", "--format=%H%n%B")
        for entry in self._repository.do(*words, given=_range(commit, known), timeout=120).split(b"\0"):
            at, _, message = entry.partition(b"\n")
            name = at.decode()
            if message.strip() and (name, "") not in self._clean:
                refusal = secret(f"message of commit {name[:10]}", message, b"", self._listed)
                if refusal:
                    return Refusal(refusal.reason, refusal.where, "reword it before it is pushed (git rebase -i)")
                self._clean.add((name, ""))
        return None

    def _brought(self, commit: str, known: list[str]) -> list[tuple[str, str]]:
        """(path, object) of every file that the commits bring, in the order they were made."""
        commits = self._repository.do("rev-list", "--reverse", "--stdin", given=_range(commit, known), timeout=120)
        words = ("--stdin", "-r", "-m", "--root", "--raw", "-z", "--no-renames", "--no-abbrev", "--no-commit-id")
        changed = entries(self._repository.do("diff-tree", *words, given=commits, timeout=120))
        found = [(each.path, each.new) for each in changed if not each.deleted and each.mode != GITLINK]
        return list(dict.fromkeys(found))

    def _has_it(self, path: str, found: bytes, known: list[str]) -> bool:
        """Whether the remote has the secrets in the same file already: to it, and to no other, they are no news."""
        listed = self._listed or frozenset()
        earlier = (content(self._repository, f"{head}:{path}") for head in known)
        return any(
            before and secret(path, self._whole(found), self._whole(before), listed) is None for before in earlier
        )

    def _whole(self, found: bytes) -> bytes:
        """What LFS would take to its own server, where only a pointer to it is committed."""
        match = POINTER.match(found)
        if not match:
            return found
        name = match[1].decode()
        common = self._repository.root / self._repository.line("rev-parse", "--git-common-dir")
        try:
            with (common / "lfs" / "objects" / name[:2] / name[2:4] / name).open("rb") as file:
                return file.read(LARGEST)
        except OSError:
            return found

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
