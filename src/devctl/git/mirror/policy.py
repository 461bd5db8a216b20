"""What a mirror may change in its target: each path as it is in the source and in the target, beside what was last left
there. Pure.

A path's state is one word: its kind and the SHA-256 of its content (``f:…`` a file, ``x:…`` an executable one, ``l:…``
a link, hashed by its text), ABSENT, FOLDER, or OTHER for what is none of these or can't be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from devctl.core.model import Value

ABSENT, FOLDER, OTHER = "-", "folder", "other"
NEVER_CARRIED = frozenset({ABSENT})
Carried = dict[str, frozenset[str]]
"""Path → the states it was left in, or was about to be: a run that was killed may have done either."""


class Facts(Value):
    """``wanted`` holds every path that is to be carried, ``present`` every one that matters and is in the target.

    ``unknown``: paths whose state in the source can't be told (not checked out, not readable): left alone.
    ``released``: paths that were carried over and no longer are to be (an exclude): the target's own from now on.
    ``proven``: paths nobody remembers carrying, whose content in the target is an earlier version of the source's.
    """

    wanted: dict[str, str]
    present: dict[str, str]
    carried: Carried = {}
    unknown: frozenset[str] = frozenset()
    released: frozenset[str] = frozenset()
    proven: frozenset[str] = frozenset()


class Change(Value):
    """A path that is brought from one state to another. ``renamed``: the path it had before, where it only moved."""

    path: str
    before: str
    after: str
    renamed: str = ""

    @property
    def word(self) -> str:
        """What happens to it: added, changed, removed, renamed."""
        if self.renamed:
            return "renamed"
        return "added" if self.before in {ABSENT, FOLDER} else "removed" if self.after == ABSENT else "changed"


class Conflict(Value):
    """A path that is left alone: what is there is the target's own. ``blocked`` names what stands in its way."""

    path: str
    present: str
    wanted: str
    reason: str
    blocked: str = ""


class Plan(Value):
    """``changes`` in the order they are made, what is left alone, and the record once all is done."""

    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    carried: Carried

    def intent(self) -> Carried:
        """The record before the first change: each path may be found as it was or as it is to be."""
        found = dict(self.carried)
        for change in self.changes:
            before = ABSENT if change.before == FOLDER else change.before
            found[change.path] = frozenset({before, change.after})
        return found


def unexplained(facts: Facts) -> tuple[str, ...]:
    """Paths that differ in the target and that nobody remembers carrying: an earlier version would prove them."""
    return tuple(
        path
        for path, want in facts.wanted.items()
        if path not in facts.carried and facts.present.get(path, want) not in {want, ABSENT, FOLDER, OTHER}
    )


def plan(facts: Facts) -> Plan:
    """What to change. A path is changed only when it is in a state it was left in, or is an earlier version."""
    changes: dict[str, Change] = {}
    conflicts: dict[str, Conflict] = {}
    carried: Carried = {}
    for path in sorted((facts.wanted.keys() | facts.carried.keys()) - facts.released):
        if path in facts.unknown:
            _keep(facts, path, carried)
            continue
        want, have = facts.wanted.get(path, ABSENT), facts.present.get(path, ABSENT)
        if have == want or (have, want) == (FOLDER, ABSENT):
            carried |= {path: frozenset({want})} if want != ABSENT else {}
        elif _may_go(facts, path, have, want):
            changes[path] = Change(path=path, before=have, after=want)
            carried |= {path: frozenset({want})} if want != ABSENT else {}
        else:
            conflicts[path] = Conflict(path=path, present=have, wanted=want, reason=_why_not(facts, path, have, want))
            _keep(facts, path, carried)
    _leave_blocked(facts, changes, conflicts, carried)
    return Plan(
        changes=_ordered(_renames(changes)),
        conflicts=tuple(conflicts[path] for path in sorted(conflicts)),
        carried=carried,
    )


def _keep(facts: Facts, path: str, carried: Carried) -> None:
    carried |= {path: facts.carried[path]} if path in facts.carried else {}


def _may_go(facts: Facts, path: str, have: str, want: str) -> bool:
    """A folder may make room where no file was; what is in it is looked at once it is known what goes."""
    known = facts.carried.get(path, NEVER_CARRIED)
    if have == FOLDER:
        return want != ABSENT and ABSENT in known
    return have in known or path in facts.proven


def _why_not(facts: Facts, path: str, have: str, want: str) -> str:
    if have == OTHER:
        return "what is there is no file, or cannot be read"
    if path not in facts.carried:
        return "it was there before, and is no earlier version of the source's"
    if have == ABSENT:
        return "it was deleted there"
    if have == FOLDER:
        return "a folder stands there now"
    return "it was changed there" + (", and deleted in the source" if want == ABSENT else "")


def _leave_blocked(facts: Facts, changes: dict[str, Change], conflicts: dict[str, Conflict], carried: Carried) -> None:
    """A path whose place something of the target's own takes is left alone. One such may block the next."""
    while True:
        blocked = {path: by for path in changes if (by := _blocker(facts, changes, path))}
        if not blocked:
            return
        for path, by in blocked.items():
            change = changes.pop(path)
            what = "is in that folder" if by.startswith(f"{path}/") else "is no folder there"
            conflicts[path] = Conflict(
                path=path, present=change.before, wanted=change.after, reason=f"{by} {what}", blocked=by
            )
            carried.pop(path, None)
            _keep(facts, path, carried)


def _blocker(facts: Facts, changes: Mapping[str, Change], path: str) -> str:
    """What stands in the way and doesn't go: a file or link where a folder must be, or content of a folder."""
    if changes[path].after == ABSENT:
        return ""

    def stays(other: str) -> bool:
        return other not in changes or changes[other].after != ABSENT

    for above in _above(path):
        if facts.present.get(above, FOLDER) not in {FOLDER, ABSENT} and stays(above):
            return above
    if changes[path].before != FOLDER:
        return ""
    below = (each for each in facts.present if each.startswith(f"{path}/") and facts.present[each] != FOLDER)
    return next((each for each in sorted(below) if stays(each)), "")


def _above(path: str) -> Iterable[str]:
    return (path[:at] for at, char in enumerate(path) if char == "/")


def _renames(changes: Mapping[str, Change]) -> list[Change]:
    """With a removed path named by the added one that has its content: each at most once."""
    gone = {change.before: path for path, change in changes.items() if change.after == ABSENT}
    found = []
    for path, change in changes.items():
        old = gone.pop(change.after, "") if change.before == ABSENT else ""
        found.append(Change(path=path, before=change.before, after=change.after, renamed=old) if old else change)
    return found


def _ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """First what must go to make room, deepest first; then what comes; then what merely goes, so that no content is
    ever in neither place."""
    writes = [change for change in changes if change.after != ABSENT]
    folders = {above for change in writes for above in _above(change.path)}
    replaced = {change.path for change in writes if change.before == FOLDER}

    def makes_room(change: Change) -> bool:
        return change.path in folders or not replaced.isdisjoint(_above(change.path))

    goes = sorted((change for change in changes if change.after == ABSENT), key=lambda each: each.path, reverse=True)
    first = [change for change in goes if makes_room(change)]
    return (*first, *writes, *(change for change in goes if not makes_room(change)))
