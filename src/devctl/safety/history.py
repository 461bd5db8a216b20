"""Where a database stands in a history of migrations. Pure: graphs of revisions come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Revision:
    """A migration. ``down`` are those it follows, ``needs`` others it needs; ``file`` counts from the folder."""

    id: str
    down: tuple[str, ...] = ()
    message: str = ""
    file: str = ""
    needs: tuple[str, ...] = ()

    @property
    def before(self) -> tuple[str, ...]:
        """All that must be applied first."""
        return self.down + self.needs

    def __str__(self) -> str:
        return f"{self.id} {self.message}".rstrip()


class Place(StrEnum):
    """Where a database stands. One that is ahead may be behind as well: what is unknown counts more."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"
    FORKED = "forked"


@dataclass(frozen=True)
class Standing:
    """A history and where a database stands in it. ``revisions`` are in the order in which they are applied."""

    revisions: tuple[Revision, ...]
    heads: tuple[str, ...]
    current: tuple[str, ...]

    @cached_property
    def known(self) -> Mapping[str, Revision]:
        """The revisions by id."""
        return {each.id: each for each in self.revisions}

    @cached_property
    def applied(self) -> frozenset[str]:
        """The known revisions that the database has."""
        return self.with_those_before(self.current)

    @property
    def pending(self) -> tuple[Revision, ...]:
        """What an upgrade would apply, in order."""
        return tuple(each for each in self.revisions if each.id not in self.applied)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What the database has and this checkout doesn't know."""
        return tuple(each for each in self.current if each not in self.known)

    @property
    def place(self) -> Place:
        """The one word for it."""
        if self.unknown:
            return Place.AHEAD
        if len(self.heads) > 1:
            return Place.FORKED
        return Place.BEHIND if self.pending else Place.CURRENT

    def with_those_before(self, ids: Iterable[str]) -> frozenset[str]:
        """These revisions and all that come before them, as far as they are known."""
        waiting, seen = [each for each in ids if each in self.known], set()
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting += [before for before in self.known[each].before if before in self.known]
        return frozenset(seen)

    def resolve(self, word: str) -> tuple[str, ...]:
        """The ids that a word of the user's may mean: an id, or its beginning."""
        return (word,) if word in self.known else tuple(each for each in self.known if each.startswith(word))


def standing(found: Mapping[str, Any]) -> Standing:
    """From what the program in the service's interpreter saw (``programs.migrations``)."""
    revisions = [
        Revision(each["id"], tuple(each["down"]), each["message"], each["file"], tuple(each["needs"]))
        for each in reversed(found["revisions"])
    ]
    return Standing(tuple(revisions), tuple(found["heads"]), tuple(found["current"]))
