"""Where a migration comes from that this checkout doesn't know: the other branches' folders are looked through."""

from __future__ import annotations

import re
from pathlib import Path

MOST = 500
"""Branches that are looked through."""


def branches_with(revision: str, folder: Path) -> tuple[str, ...]:
    """The branches, local ones first, that have a migration of this id in ``folder``; () where none has, or there is no
    git."""
    from devctl.command import CommandError
    from devctl.git.repository import Repository

    repository = Repository(folder)
    try:
        refs = repository.line("for-each-ref", "--format=%(refname:short)", "--count=1", "refs/heads") and [
            ref
            for ref in repository.do(
                "for-each-ref",
                f"--count={MOST}",
                "--format=%(refname)",
                "--sort=-committerdate",
                "refs/heads",
                "refs/remotes",
            )
            .decode(errors="replace")
            .split()
            if not ref.endswith("/HEAD")
        ]
        found = repository.ask("grep", "-lzE", _definition(revision), *refs, "--", ".") if refs else None
    except CommandError:
        return ()
    if found is None or found.code:
        return ()
    names = [entry.decode(errors="replace").partition(":")[0] for entry in found.out.split(b"\0") if entry]
    return tuple(dict.fromkeys(_short(name) for name in sorted(names, key=lambda name: "/remotes/" in name)))


def _definition(revision: str) -> str:
    """As Alembic writes it: ``revision = "7f3a"``, with or without an annotation."""
    return rf"^revision(: *str)? *= *[\"']{re.escape(revision)}[\"']"


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/").removeprefix("refs/remotes/")
