"""Sync broken on purpose, to see that the judge's eyes are open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _nothing() -> None:
    pass


def _forced_push() -> None:
    from devctl.git.repository import Repository

    talk = Repository.talk

    async def forced(self: Repository, *words: str, timeout: float) -> Any:
        return await talk(self, *("--force" if word == "--atomic" else word for word in words), timeout=timeout)

    def all_ahead(*_: str) -> Any:
        from devctl.git.planning import Relation

        return Relation.AHEAD

    from devctl.git.local import Ancestry

    Repository.talk = forced  # type: ignore[method-assign]
    Ancestry.related = lambda self, one, other: all_ahead(one, other)  # type: ignore[method-assign]


def _no_backup() -> None:
    from devctl.git import backup

    backup.save = lambda *_: backup.Backup()


def _env_added() -> None:
    from devctl.git import vetting

    vetting.forbidden = lambda _: ""
    vetting.secret = lambda *_: None


def _no_gate() -> None:
    from devctl.git.gate import Gate

    Gate.refusal = lambda *_: None  # type: ignore[method-assign,assignment]


def _markers() -> None:
    from devctl.git import vetting

    vetting.marker_line = lambda *_: 0


def _in_the_middle() -> None:
    """Committing while a merge is unfinished, as a person in a hurry does."""
    from devctl.git import policy, work

    def hurried(self: work.Work) -> None:
        self.repository.do("add", "-A", "--ignore-errors")
        self.repository.do("commit", "-q", "-m", "the day")

    work.decide = lambda facts, section: policy.Go()
    work.Work._commit = hurried  # type: ignore[method-assign]


def _over_ignored() -> None:
    from devctl.git import work

    work.hindrance = lambda *_: ""


def _cleaned() -> None:
    from devctl.git.work import Work

    local = Work.work_locally

    def tidy(self: Work) -> None:
        local(self)
        self.repository.do("clean", "-qfd")

    Work.work_locally = tidy  # type: ignore[method-assign]


def _reset() -> None:
    from devctl.git.work import Work

    local = Work.work_locally

    def reset(self: Work) -> None:
        local(self)
        self.repository.do("reset", "--hard", "-q")

    Work.work_locally = reset  # type: ignore[method-assign]


def _past_hooks() -> None:
    from devctl.git.repository import Repository

    do = Repository.do

    def past(self: Repository, *words: str, **options: Any) -> bytes:
        return do(self, *words, *(["--no-verify"] if words[0] == "commit" else []), **options)

    Repository.do = past  # type: ignore[method-assign]


BREAKAGES: dict[str, Callable[[], None]] = {
    "nothing": _nothing,
    "forced push": _forced_push,
    "no backup": _no_backup,
    "environment files added": _env_added,
    "no look at what leaves": _no_gate,
    "markers committed": _markers,
    "commit in the middle of a merge": _in_the_middle,
    "fast-forward over ignored files": _over_ignored,
    "clean": _cleaned,
    "reset": _reset,
    "past hooks": _past_hooks,
}
