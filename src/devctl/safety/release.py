"""Whether what would be deployed is what is committed, on the right branch, pushed, built and thought through. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from devctl.safety.verdict import Outcome, failed, passed, skipped

_SHOWN = 3


class Head(msgspec.Struct, frozen=True):
    """Where a repository stands. ``branch`` is "" when HEAD is detached; ``release`` maps the branches that are
    deployed from to their commit ("" where they don't exist); ``day`` is the branch of every day; ``base`` the
    branch a pull request is for, in CI."""

    commit: str
    branch: str
    release: Mapping[str, str] = {}
    day: str = ""
    base: str = ""


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def clean(changes: Sequence[str], operations: Sequence[str] = (), unmerged: Sequence[str] = ()) -> Outcome:
    """Whether nothing is uncommitted: what is deployed must be what is in the repository."""
    if operations:
        hint = "finish it or abort it: git status says how"
        return failed(f"a {' and a '.join(operations)} is unfinished", hint)
    if unmerged:
        return failed(f"in conflict: {_some(unmerged)}", "resolve the conflict and commit")
    if changes:
        return failed(f"not committed: {_some(changes)}", "devctl sync, or git commit")
    return passed("nothing is uncommitted")


def right_branch(head: Head, strict: bool) -> Outcome:
    """Whether HEAD is what may be deployed.

    ``strict`` (production): the commit of a release branch. Otherwise the day's branch will do. In CI, a pull
    request into one of them is on the right way.
    """
    allowed = [*head.release, *([head.day] if head.day and (not strict or not head.release) else [])]
    if not allowed:
        return passed(f"on {head.branch or head.commit[:12]}; the manifest names no branch to deploy from")
    names = " or ".join(dict.fromkeys(allowed))
    if head.base:
        if head.base in allowed:
            return passed(f"a pull request into {head.base}")
        return failed(f"a pull request into {head.base}; deployed is {names}", f"make it one into {names}")
    if head.branch in allowed:
        return passed(f"on {head.branch}")
    if head.commit and head.commit in head.release.values():
        same = next(name for name, commit in head.release.items() if commit == head.commit)
        return passed(f"on {head.branch or 'a detached HEAD'}, which is the same commit as {same}")
    where = head.branch or f"the detached commit {head.commit[:12]}"
    hint = "devctl sync" if head.branch == head.day and head.release else f"git switch {allowed[0]}"
    return failed(f"on {where}; deployed is {names}", hint)


def pushed(branch: str, answers: Mapping[str, str]) -> Outcome:
    """Whether every remote has this commit. ``answers``: remote → ``has``, ``behind`` (it lacks the commit),
    ``none`` (it lacks the branch), or the reason why it did not answer."""
    if not answers:
        return skipped("there is no remote to have it", "git remote add origin URL, or name it in git.sync.remotes")
    lacking = [name for name, answer in answers.items() if answer in {"behind", "none"}]
    if lacking:
        what = f"{branch or 'this commit'} is not pushed to {_some(lacking)}"
        return failed(what, f"devctl sync, or git push {lacking[0]} {branch or 'HEAD'}")
    silent = {name: answer for name, answer in answers.items() if answer != "has"}
    if silent:
        said = "; ".join(f"{name}: {why}" for name, why in silent.items())
        return skipped(f"could not be asked: {said}", "restore the connection, and try again")
    return passed(f"pushed to {_some(list(answers))}")


class Image(msgspec.Struct, frozen=True):
    """A service's image. ``exists``; ``revision`` is the commit its label names, or ""; ``change`` what its sources
    have that it wasn't built from ("" for nothing), ``known`` whether that is known."""

    service: str
    exists: bool
    revision: str = ""
    change: str = ""
    known: bool = True


def images(found: Sequence[Image], commit: str, dirty: bool) -> Outcome:
    """Whether every image was built from this commit: by its label, or because its sources are those of this commit."""
    missing = [each.service for each in found if not each.exists]
    if missing:
        return failed(f"not built: {_some(missing)}", f"devctl up {' '.join(missing[:_SHOWN])}")
    other = [each for each in found if each.revision and commit and each.revision != commit]
    if other:
        what = f"{other[0].service} is built from {other[0].revision[:12]}, this is {commit[:12]}"
        return failed(what, f"devctl up {' '.join(each.service for each in other[:_SHOWN])}")
    stale = [each for each in found if not each.revision and each.change]
    if stale:
        what = "; ".join(f"{each.service}: {each.change}" for each in stale[:_SHOWN])
        return failed(f"older than their sources: {what}", f"devctl up {' '.join(e.service for e in stale[:_SHOWN])}")
    unknown = [each.service for each in found if not each.revision and not each.known]
    if unknown:
        what = f"nobody knows what {_some(unknown)} was built from"
        return skipped(what, f"devctl up {' '.join(unknown[:_SHOWN])}, or label it org.opencontainers.image.revision")
    if dirty:
        return failed("built from sources that are not committed", "commit, then devctl up")
    return passed(f"{len(found)} built from {commit[:12]}" if commit else f"{len(found)} built from these sources")


class Tie(msgspec.Struct, frozen=True):
    """A relation of the manifest: whoever changes ``source`` thinks of ``target``. ``both``: and the other way
    round."""

    source: str
    target: str
    both: bool = False


def relations(changed: Collection[str], ties: Iterable[Tie], since: str) -> Outcome:
    """Whether what should change together did. An arrow ``->`` whose source alone changed fails; of ``<->``, where most
    changes rightly stay on one side, it is only said. ``since`` names what this is compared with."""
    if not changed:
        return passed(f"nothing of it changed since {since}")
    forgotten, thought = [], dict[str, None]()
    for tie in ties:
        if tie.both:
            thought |= {t: None for s, t in ((tie.source, tie.target), (tie.target, tie.source)) if s in changed}
        elif tie.source in changed and tie.target not in changed:
            forgotten.append(tie)
    if forgotten:
        what = "; ".join(f"{each.source} changed and {each.target} did not" for each in forgotten[:_SHOWN])
        return failed(f"since {since}: {what}", f"look whether {forgotten[0].target} needs it too: devctl mirror")
    others = [name for name in thought if name not in changed]
    also = f"; related and unchanged: {_some(others)}" if others else ""
    return passed(f"changed since {since}: {_some(sorted(changed))}{also}")
