"""Plans as text: what is done with branches for every way that they and remotes can stand to each other."""

from __future__ import annotations

from itertools import product

import pytest

from devctl.core.model import GitRepository
from devctl.git.planning import Commit, Forward, Known, Push, Relation, Rescue, plan

SECTION = GitRepository(path="/r", branch="dev", sync_branches=("dev", "master"), promote={"master": "dev"})


def related(one: str, other: str) -> Relation:
    """Commits are letters of a line of history: "ab" is the child of "a", "ac" its brother."""
    if one == other:
        return Relation.SAME
    if one.startswith(other):
        return Relation.AHEAD
    return Relation.BEHIND if other.startswith(one) else Relation.DIVERGED


def planned(
    branches: dict[str, str],
    theirs: dict[str, dict[str, str]],
    *,
    dirty: bool = False,
    hindered: str = "",
    elsewhere: tuple[str, ...] = (),
    current: str = "dev",
) -> str:
    known = Known(current=current, branches=branches, theirs=theirs, elsewhere=elsewhere, dirty=dirty, host="box.home")
    return "\n".join(str(step) for step in plan(SECTION, known, related, lambda _: hindered))


def test_everything_in_step() -> None:
    same = {"dev": "a", "master": "a"}
    assert planned(same, {"origin": same}) == "dev at origin: up to date\nmaster at origin: up to date"


def test_work_to_commit_is_promoted_and_pushed() -> None:
    same = {"dev": "a", "master": "a"}
    assert planned(same, {"origin": same, "org": same}, dirty=True) == (
        "commit on dev\nfast-forward master to dev\npush dev, master to origin\npush dev, master to org"
    )


def test_a_remote_that_is_ahead_comes_before_the_commit() -> None:
    assert planned({"dev": "a", "master": "a"}, {"origin": {"dev": "ab", "master": "a"}}, dirty=True) == (
        "fast-forward dev to origin/dev\ncommit on dev\nfast-forward master to dev\npush dev, master to origin"
    )


def test_of_two_remotes_that_are_ahead_the_second_is_followed_as_far_as_it_goes() -> None:
    theirs = {"origin": {"dev": "ab"}, "org": {"dev": "abc"}}
    assert planned({"dev": "a"}, theirs).splitlines()[:2] == [
        "fast-forward dev to origin/dev",
        "fast-forward dev to org/dev",
    ]
    apart = planned({"dev": "a", "master": "a"}, {"origin": {"dev": "ab"}, "org": {"dev": "ac"}})
    assert "fast-forward dev to origin/dev" in apart
    assert "push dev to org as rescue/box-home/dev, because both have moved on" in apart
    assert "master is not promoted" in apart


def test_what_cannot_be_brought_forward_makes_the_commit_a_rescue() -> None:
    said = planned(
        {"dev": "a", "master": "a"}, {"origin": {"dev": "ab", "master": "a"}}, dirty=True, hindered="x is here"
    )
    assert said == (
        "dev is not brought forward to origin/dev: x is here\n"
        "commit on dev\n"
        "master is not promoted to dev: dev and origin's are not the same line of work yet\n"
        "push dev to origin as rescue/box-home/dev, because both have moved on\n"
        "master at origin: up to date"
    )


def test_a_branch_of_another_worktree_is_left_alone() -> None:
    said = planned({"dev": "ab", "master": "a"}, {"origin": {"dev": "a", "master": "a"}}, elsewhere=("master",))
    assert "master is not brought forward to dev: it is checked out in another worktree" in said
    assert "push dev to origin" in said


def test_a_missing_master_is_made_from_the_remotes_and_never_out_of_nothing() -> None:
    assert planned({"dev": "ab"}, {"origin": {"dev": "ab", "master": "a"}}) == (
        "create master at origin/master\nfast-forward master to dev\ndev at origin: up to date\npush master to origin"
    )
    assert "there is no branch master" in planned({"dev": "ab"}, {"origin": {"dev": "ab"}})


def test_a_rescue_that_is_there_already_is_not_pushed_again_and_one_of_other_work_is_not_moved() -> None:
    name = "rescue/box-home/dev"
    branches = {"dev": "abc", "master": "a"}
    steps = plan(
        SECTION, Known("dev", branches, {"o": {"dev": "ad", name: "abc"}}, host="box.home"), related, lambda _: ""
    )
    (there,) = [step for step in steps if isinstance(step, Rescue)]
    assert (there.name, there.commit) == (name, "")
    steps = plan(
        SECTION, Known("dev", branches, {"o": {"dev": "ad", name: "ax"}}, host="box.home"), related, lambda _: ""
    )
    (other,) = [step for step in steps if isinstance(step, Rescue)]
    assert (other.name, other.commit) == (f"{name}-abc", "abc")


COMMITS = ("a", "ab", "abc", "ad")


@pytest.mark.parametrize("dirty", [False, True])
def test_in_every_constellation_nothing_goes_backwards_and_nothing_is_forced(dirty: bool) -> None:
    """Carried out on letters: branches here and there only ever move to what holds all they had."""
    for dev, master, *there in product(COMMITS, repeat=6):
        branches = {"dev": dev, "master": master}
        theirs = {"origin": dict(zip(("dev", "master"), there[:2], strict=True)),
                  "org": dict(zip(("dev", "master"), there[2:], strict=True))}  # fmt: skip
        known = Known("dev", branches, theirs, dirty=dirty, host="h")
        here, committed = dict(branches), ""
        for step in plan(SECTION, known, related, lambda _: ""):
            match step:
                case Commit(branch=branch):
                    committed = here[branch] = f"{here[branch]}+"
                case Forward(branch=branch, commit=commit):
                    to = committed if "come" in commit else commit
                    assert to.startswith(here[branch])
                    here[branch] = to
                case Push(remote=remote, heads=heads):
                    for branch, head in heads.items():
                        to = committed if "come" in head else head
                        assert to == here[branch]
                        assert to.startswith(theirs[remote][branch])
                case Rescue(name=name):
                    assert name.startswith("rescue/")
        assert bool(committed) == dirty
