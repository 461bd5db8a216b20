"""Whether a repository is pulled, decided from facts alone. A pull only ever moves a branch forward to commits that
contain all of its own, and only where git would touch no file that differs from them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from devctl.core.model import Value

SHOWN = 2
"""Files named in a sentence; more are counted."""


class Standing(Value):
    """A repository as it is found. ``path`` is as a person here would write it; ``wanted`` is the manifest's branch, ""
    for whichever it is on. ``upstream`` is what the branch follows ("origin/dev", or a local branch's full ref), "" for
    nothing. ``tracking``: remote branch → commit, as last fetched; ``remotes`` names those that are set up, ``trusted``
    those of them that the manifest names."""

    path: str
    wanted: str = ""
    problem: str = ""
    is_root: bool = True
    head: str = ""
    branch: str = ""
    operations: tuple[str, ...] = ()
    unmerged: tuple[str, ...] = ()
    upstream: str = ""
    remotes: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    tracking: dict[str, str] = {}


class Distance(Value):
    """How far HEAD (``ours``) and a remote branch (``theirs``) are apart, in commits only one of them has."""

    ours: int
    theirs: int


class Fetch(Value):
    """The remotes are asked."""

    remotes: tuple[str, ...]


class Stay(Value):
    """Nothing is pulled: why, in words that follow the repository's name, and what to type or do. ``quiet``: it never
    was to be pulled."""

    reason: str
    hint: str = ""
    quiet: bool = False


class Pull(Value):
    """The branch is brought forward to ``commit``, which is ``ref``'s: ``number`` commits."""

    ref: str
    commit: str
    number: int


class Current(Value):
    """The remotes have nothing that is not here."""


def git_in(path: str) -> str:
    """How a command for this repository begins, to type it. ``path`` as seen from where one is."""
    return "git" if path in {"", "."} else f"git -C {shlex.quote(path)}"


def begin(standing: Standing, pull: str = "ff-only") -> Fetch | Stay:
    """Whether to ask the remotes at all."""
    git = git_in(standing.path)
    if pull == "never":
        return Stay("the manifest says pull: never", quiet=True)
    if not standing.is_root:
        return Stay(
            f"not pulled: {standing.problem or 'it is not the root of a repository'}", "git.path in services.yaml"
        )
    if standing.problem:
        return Stay(f"not pulled: {standing.problem}", f"{git} status")
    if standing.operations or standing.unmerged:
        what = standing.operations[0] if standing.operations else "merge"
        return Stay(f"not pulled: a {what} is under way, and is left alone", f"{git} status")
    if not standing.branch:
        wanted = standing.wanted or "BRANCH"
        return Stay("not pulled: HEAD is on no branch", f"{git} switch {wanted}")
    if standing.wanted and standing.branch != standing.wanted:
        return Stay(f"not pulled: on {standing.branch}, not on {standing.wanted}", f"{git} switch {standing.wanted}")
    if not standing.head:
        return Stay("not pulled: it has no commit yet", f"{git} pull")
    if not standing.remotes:
        return Stay("not pulled: it has no remote", "devctl remotes")
    return Fetch(standing.remotes)


def candidates(standing: Standing) -> tuple[str, ...]:
    """The remote branches that HEAD may be brought forward to: what it follows first, then its namesakes where the
    manifest says that they are the same. A colleague's own remote is none of them."""
    namesakes = [f"{remote}/{standing.branch}" for remote in standing.remotes if remote in standing.trusted]
    return tuple(ref for ref in dict.fromkeys((standing.upstream, *namesakes)) if ref in standing.tracking)


def decide(
    standing: Standing, distances: Mapping[str, Distance], contains: Mapping[str, Iterable[str]]
) -> Pull | Stay | Current:
    """What is done with what the remotes have. ``distances`` are those of all candidates; ``contains`` maps a candidate
    to the others whose commits it has all of."""
    git = git_in(standing.path)
    known = candidates(standing)
    if not standing.upstream:
        namesakes = (f"{remote}/{standing.branch}" for remote in standing.remotes)
        near = next((ref for ref in (*known, *namesakes) if ref in standing.tracking), "")
        follow = (
            f"{git} branch --set-upstream-to={near}"
            if near
            else f"{git} push -u {standing.remotes[0]} {standing.branch}"
        )
        return Stay(f"not pulled: {standing.branch} follows no remote branch", follow)
    if standing.upstream not in known:
        remote = standing.upstream.partition("/")[0]
        if remote not in standing.remotes:
            return Stay(
                f"not pulled: {standing.branch} follows {standing.upstream}, which is on no remote", f"{git} branch -vv"
            )
        return Stay(
            f"not pulled: {standing.upstream} is not there (any more)", f"{git} push -u {remote} {standing.branch}"
        )
    upstream = distances[standing.upstream]
    if upstream.ours and upstream.theirs:
        apart = f"{counted(upstream.ours)} here and {counted(upstream.theirs)} on {standing.upstream}"
        return Stay(
            f"not pulled: gone apart, {apart}", f"{git} merge {standing.upstream}, or devctl sync puts yours in safety"
        )
    ahead = [ref for ref in known if distances[ref].theirs and not distances[ref].ours]
    best = _furthest(ahead, contains)
    if not best:
        return Current()
    return Pull(ref=best, commit=standing.tracking[best], number=distances[best].theirs)


def _furthest(refs: list[str], contains: Mapping[str, Iterable[str]]) -> str:
    """The first that has all commits of what stands before it."""
    best = ""
    for ref in refs:
        if not best or best in contains.get(ref, ()):
            best = ref
    return best


def obstacle(
    pull: Pull, incoming: Iterable[str], differing: Iterable[str], ignored: Iterable[str], path: str
) -> Stay | None:
    """Why files on this machine forbid it. ``incoming``: paths the pull changes; ``differing``: paths that differ from
    HEAD, untracked ones too; ``ignored``: incoming paths at which a file lies that git ignores, and would overwrite."""
    git = git_in(path)
    arriving, local = set(incoming), set(differing)
    both = sorted((arriving & local) | _nested(arriving, local))
    if both:
        verb = "is" if len(both) == 1 else "are"
        what = f"{named(both)} {verb} changed here and on {pull.ref}"
        return Stay(
            f"{counted(pull.number)} on {pull.ref} not pulled: {what}",
            f"commit or stash them, then {git} merge --ff-only {pull.ref}"
            if len(both) > 1
            else f"commit or stash it, then {git} merge --ff-only {pull.ref}",
        )
    if lying := sorted(ignored):
        verb = "is" if len(lying) == 1 else "are"
        return Stay(
            f"{counted(pull.number)} on {pull.ref} not pulled: {named(lying)} {verb} ignored here and comes with them",
            f"move {lying[0]} away, then {git} merge --ff-only {pull.ref}",
        )
    return None


def _nested(arriving: set[str], local: set[str]) -> set[str]:
    """Local paths that arriving files would need as a folder, or lie in a folder where a file arrives."""
    return {one for one in local if any(part in arriving for part in _above(one))} | {
        part for one in arriving for part in _above(one) if part in local
    }


def _above(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def named(paths: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and 7 more files``."""
    if len(paths) <= SHOWN:
        return " and ".join(paths)
    return f"{', '.join(paths[:SHOWN])} and {len(paths) - SHOWN} more"


def counted(commits: int) -> str:
    """``1 commit``, ``3 commits``."""
    return f"{commits} commit{'' if commits == 1 else 's'}"


def unreachable(words: str) -> tuple[str, str]:
    """What git's words on a failed fetch mean, and the way out."""
    said = words.lower()
    for signs, meaning, hint in _MEANINGS:
        if any(sign in said for sign in signs):
            return meaning, hint
    last = next((line for line in reversed(words.splitlines()) if line.strip()), "git does not say why")
    return last.strip().removeprefix("fatal: ").removeprefix("error: "), ""


_HIDDEN = "it is not there, or you may not see it"
_NO_NETWORK = (
    "could not resolve host", "temporary failure in name resolution", "name or service not known",
    "network is unreachable", "no route to host",
)  # fmt: skip
_NO_LOGIN = (
    "terminal prompts disabled", "could not read username", "could not read password", "authentication failed",
    "invalid username or",
)  # fmt: skip
_MEANINGS = (
    (_NO_NETWORK, "no network", ""),
    (("host key verification failed",), "its host key is not known", "ssh -T git@HOST, and compare its key"),
    (("permission denied (publickey", "permission denied, please"), "it does not know your ssh key", "ssh-add -l"),
    (_NO_LOGIN, "it wants you to log in", "git fetch, once by hand"),
    (("repository not found", "does not appear to be a git repository", "not found"), _HIDDEN, "devctl remotes"),
    (("connection refused",), "nobody answers there", ""),
    (("connection timed out", "timed out", "operation too slow"), "no answer", ""),
    (("connection reset", "connection closed", "the remote end hung up", "early eof"), "the connection broke", ""),
    (("cannot lock ref", "unable to create", "another git process"), "another git command is at work", ""),
)
