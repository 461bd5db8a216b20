"""``devctl remotes --stale``: repositories of an organisation or user that nobody pushed to for long."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from devctl.cli.place import Place
from devctl.cli.terminal import print_json
from devctl.cli.waiting import screen
from devctl.errors import DevctlError, Exit
from devctl.git.github import GitHub, Hosted, age, from_environment, owner_in, stale
from devctl.ui.hosted import HostedRow, stale_table
from devctl.ui.words import listing


def show_stale(place: Place, owner: str, days: int, *, as_json: bool) -> int:
    """List them; nothing is changed anywhere. Raises DevctlError."""
    base, secret = from_environment()
    owners = [owner] if owner else owners_of(place, base)
    with GitHub(base, secret) as github:
        found = [each for name in owners for each in github.repositories(name)]
    now = time.time()
    old = stale(found, days, now)
    if as_json:
        print_json({"owners": owners, "days": days, "repositories": [_record(each, now) for each in old]})
        return Exit.DONE
    out = screen()
    archived = sum(each.archived for each in found)
    rows = [_row(each, now) for each in old]
    out.write(stale_table(rows, len(found), archived, listing(owners), days, out.glyphs, out.width))
    return Exit.DONE


def owners_of(place: Place, base: str) -> list[str]:
    """Those that the remotes' URLs name. Raises DevctlError where there is none."""
    owners = dict.fromkeys(name for url in _urls(place) if (name := owner_in(url, base)))
    if not owners:
        why = "no remote of the manifest's repositories is there"
        hint = "devctl remotes --stale --owner NAME"
        raise DevctlError(f"whose repositories? {why}", place.manifest.file, hint=hint, code=Exit.USAGE)
    return list(owners)


def _urls(place: Place) -> Iterable[str]:
    from devctl.git.facts import remotes
    from devctl.git.repository import Repository

    for repository in place.manifest.git:
        yield from (url for url in repository.remotes.values() if url)
        yield from remotes(Repository(repository.path)).values()


def _record(each: Hosted, now: float) -> dict[str, Any]:
    return {
        "name": each.name,
        "url": each.url,
        "pushed_at": each.pushed_at,
        "days": age(each, now),
        "private": each.private,
        "fork": each.fork,
        "size_kilobytes": each.size,
        "open_issues": each.open_issues,
    }


def _row(each: Hosted, now: float) -> HostedRow:
    kinds = [word for word, said in (("private", each.private), ("fork", each.fork)) if said]
    return HostedRow(
        each.name, each.url, age(each, now), bool(each.pushed_at), each.size, each.open_issues, ", ".join(kinds)
    )
