"""How each branch and remote of a repository stand to each other, and setting up the remotes the manifest names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from devctl.command import CommandError
from devctl.core.model import GitRepository, Value
from devctl.errors import DevctlError
from devctl.git.facts import RepositoryFacts, look, standing
from devctl.git.repository import GitFailed, Repository
from devctl.git.urls import public, scrubbed


class Remote(Value):
    """A remote. ``url`` is as it may be shown. ``missing``: the manifest names it and the repository does not have it;
    ``elsewhere`` is the manifest's URL where that is another one."""

    name: str
    url: str
    missing: bool = False
    elsewhere: str = ""


class Lane(Value):
    """A branch against a remote, as of the last fetch or push. ``known``: the remote has the branch; ``here``: it is a
    local branch; ``moved`` is when the remote's was last seen to move, in seconds since the epoch, 0 for never."""

    branch: str
    remote: str
    ahead: int = 0
    behind: int = 0
    known: bool = True
    here: bool = True
    moved: float = 0.0


class Survey(Value):
    """A repository; ``problem`` says why nothing is known of it."""

    path: str
    branch: str = ""
    problem: str = ""
    remotes: tuple[Remote, ...] = ()
    lanes: tuple[Lane, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Remotes to be set up."""
        return tuple(remote.name for remote in self.remotes if remote.missing and remote.url)


def survey(wanted: GitRepository) -> Survey:
    """Look at a repository; four git commands, and one for each branch that differs from a remote's."""
    try:
        facts = look(wanted.path)
        if facts.problem:
            return Survey(path=wanted.path, problem=facts.problem)
        repository = Repository(wanted.path)
        remotes = tuple(_remotes(wanted, facts))
        there = [remote.name for remote in remotes if not remote.missing]
        lanes = _lanes(repository, facts, branches_of(wanted, facts), there)
    except (CommandError, GitFailed) as error:
        return Survey(path=wanted.path, problem=scrubbed(str(error)))
    return Survey(path=wanted.path, branch=facts.branch, remotes=remotes, lanes=lanes)


def branches_of(wanted: GitRepository, facts: RepositoryFacts) -> tuple[str, ...]:
    """The branches the day is about: the manifest's and the present one."""
    return tuple(dict.fromkeys(name for name in (wanted.branch, *wanted.sync_branches, facts.branch) if name))


def _remotes(wanted: GitRepository, facts: RepositoryFacts) -> Iterable[Remote]:
    for name in dict.fromkeys((*wanted.remotes, *facts.remotes)):
        here, said = facts.remotes.get(name, ""), wanted.remotes.get(name, "")
        other = public(said) if here and said and said != here else ""
        yield Remote(name=name, url=public(here or said), missing=not here, elsewhere=other)


def _lanes(
    repository: Repository, facts: RepositoryFacts, branches: Sequence[str], remotes: Sequence[str]
) -> tuple[Lane, ...]:
    pairs = [(branch, remote) for branch in branches for remote in remotes]
    return tuple(
        _lane(repository, facts, branch, remote, moved)
        for (branch, remote), moved in zip(pairs, _moved(repository, pairs), strict=True)
    )


def _lane(repository: Repository, facts: RepositoryFacts, branch: str, remote: str, moved: float) -> Lane:
    found = standing(repository, facts, branch, remote)
    here = branch in facts.branches
    return Lane(
        branch=branch, remote=remote, ahead=found.ahead, behind=found.behind, known=found.known, here=here, moved=moved
    )


def _moved(repository: Repository, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """When git last wrote into each remote branch's log: at a push or a fetch that brought something."""
    if not pairs:
        return []
    logs = [word for branch, remote in pairs for word in ("--git-path", f"logs/refs/remotes/{remote}/{branch}")]
    paths = repository.line("rev-parse", *logs).split("\n")
    return [_modified(repository.root / path) for path in paths]


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def set_up(wanted: GitRepository, names: Iterable[str]) -> None:
    """Add these remotes with the manifest's URLs. Raises DevctlError."""
    repository = Repository(wanted.path)
    for name in names:
        try:
            repository.do("remote", "add", "--", name, wanted.remotes[name])
        except GitFailed as error:
            why = scrubbed(error.words.strip())
            raise DevctlError(
                f"the remote {name} cannot be set up", wanted.path, why, f"git -C {wanted.path} remote -v"
            ) from error
