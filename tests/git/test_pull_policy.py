"""Whether a repository is pulled: facts in, a decision with its reason and the way out."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

from devctl.git.pull.policy import (
    Current,
    Distance,
    Fetch,
    Pull,
    Standing,
    Stay,
    begin,
    candidates,
    decide,
    obstacle,
    unreachable,
)

DEV = Standing(
    path="web", wanted="dev", head="h", branch="dev", upstream="origin/dev", remotes=("origin", "org", "bob"),
    trusted=("origin", "org"),
    tracking={"origin/dev": "o", "org/dev": "g", "origin/other": "x", "bob/dev": "b"},
)  # fmt: skip
with_ = msgspec.structs.replace


def said(decision: object) -> str:
    assert isinstance(decision, Stay)
    return f"{decision.reason} -> {decision.hint}"


LONELY = with_(DEV, is_root=False, problem="it is not a repository")
TOLD = [
    (LONELY, "it is not a repository -> git.path in services.yaml"),
    (with_(DEV, problem="git cannot read it"), "git cannot read it -> git -C web status"),
    (with_(DEV, operations=("rebase",)), "a rebase is under way, and is left alone -> git -C web status"),
    (with_(DEV, unmerged=("a",)), "a merge is under way, and is left alone -> git -C web status"),
    (with_(DEV, branch=""), "HEAD is on no branch -> git -C web switch dev"),
    (with_(DEV, branch="feature"), "on feature, not on dev -> git -C web switch dev"),
    (with_(DEV, head=""), "it has no commit yet -> git -C web pull"),
    (with_(DEV, remotes=()), "it has no remote -> devctl remotes"),
    (with_(DEV, path=".", branch="x"), "on x, not on dev -> git switch dev"),
]


@pytest.mark.parametrize(("found", "told"), TOLD)
def test_each_reason_not_to_ask_is_one_line_with_the_way_out(found: Standing, told: str) -> None:
    assert said(begin(found)) == f"not pulled: {told}"


def test_otherwise_all_remotes_are_asked() -> None:
    assert begin(DEV) == Fetch(("origin", "org", "bob"))
    assert begin(with_(DEV, wanted="", branch="feature")) == Fetch(("origin", "org", "bob"))
    never = begin(DEV, "never")
    assert isinstance(never, Stay)
    assert never.quiet


def test_the_furthest_remote_branch_that_contains_the_others_is_taken() -> None:
    assert candidates(DEV) == ("origin/dev", "org/dev")
    ahead = {"origin/dev": Distance(0, 2), "org/dev": Distance(0, 3)}
    assert decide(DEV, ahead, {"org/dev": ["origin/dev"]}) == Pull("org/dev", "g", 3)
    assert decide(DEV, ahead, {}) == Pull("origin/dev", "o", 2), "two ways apart: that which the branch follows"
    assert decide(DEV, {"origin/dev": Distance(0, 0), "org/dev": Distance(0, 3)}, {}) == Pull("org/dev", "g", 3)
    assert decide(DEV, {"origin/dev": Distance(2, 0), "org/dev": Distance(1, 3)}, {}) == Current()
    assert decide(DEV, {"origin/dev": Distance(0, 0), "org/dev": Distance(0, 0)}, {}) == Current()


def test_gone_apart_and_nothing_to_follow_are_told() -> None:
    apart = decide(DEV, {"origin/dev": Distance(1, 2), "org/dev": Distance(0, 0)}, {})
    assert said(apart).startswith(
        "not pulled: gone apart, 1 commit here and 2 commits on origin/dev -> git -C web merge"
    )
    lost = with_(DEV, upstream="")
    assert said(decide(lost, {}, {})) == (
        "not pulled: dev follows no remote branch -> git -C web branch --set-upstream-to=origin/dev"
    )
    assert said(decide(with_(lost, tracking={}), {}, {})).endswith("git -C web push -u origin dev")
    gone = with_(DEV, tracking={"org/dev": "g"})
    assert said(decide(gone, {"org/dev": Distance(0, 1)}, {})) == (
        "not pulled: origin/dev is not there (any more) -> git -C web push -u origin dev"
    )
    only_bob = with_(lost, tracking={"bob/dev": "b"})
    assert said(decide(only_bob, {}, {})).endswith("git -C web branch --set-upstream-to=bob/dev")
    local = with_(DEV, upstream="refs/heads/main")
    assert "which is on no remote" in said(decide(local, {}, {}))


def test_a_pull_is_never_decided_for_commits_that_do_not_contain_all_of_ours() -> None:
    numbers = random.Random(3)
    for _ in range(2000):
        distances = {ref: Distance(numbers.randrange(3), numbers.randrange(3)) for ref in ("origin/dev", "org/dev")}
        contains = {"org/dev": ["origin/dev"]} if numbers.random() < 0.5 else {}
        decision = decide(DEV, distances, contains)
        if isinstance(decision, Pull):
            assert distances[decision.ref].ours == 0 < decision.number
            assert not (distances["origin/dev"].ours and distances["origin/dev"].theirs)


@pytest.mark.parametrize(
    ("incoming", "differing", "ignored", "named"),
    [
        (["a", "b"], ["b", "c"], [], "b is changed here and on origin/dev"),
        (["a", "b", "d"], ["b", "a", "d"], [], "a, b and 1 more are changed"),
        (["new/file"], ["new"], [], "new is changed here"),
        (["new"], ["new/file"], [], "new/file is changed here"),
        (["a", ".env"], [], [".env"], ".env is ignored here and comes with them"),
    ],
)
def test_a_file_that_git_would_touch_is_an_obstacle(
    incoming: list[str], differing: list[str], ignored: list[str], named: str
) -> None:
    stay = obstacle(Pull("origin/dev", "o", 2), incoming, differing, ignored, "web")
    assert stay is not None
    assert named in stay.reason
    assert "git -C web merge --ff-only origin/dev" in stay.hint


def test_files_beside_those_it_touches_are_none() -> None:
    for local in itertools.permutations(["ab", "a/c", "b"], 2):
        assert obstacle(Pull("origin/dev", "o", 1), ["a/b", "c"], local, [], "web") is None


NO_READ = "\nfatal: Could not read from remote repository."
WORDS = [
    (f"ssh: Could not resolve hostname github.com: Temporary failure in name resolution{NO_READ}", "no network"),
    ("fatal: unable to access 'https://x/': Could not resolve host: x", "no network"),
    ("fatal: unable to connect to ::1:\n::1[0: ::1]: errno=Connection refused", "nobody answers there"),
    (f"git@github.com: Permission denied (publickey).{NO_READ}", "it does not know your ssh key"),
    ("fatal: could not read Username for 'https://x': terminal prompts disabled", "it wants you to log in"),
    ("fatal: '/srv/x.git' does not appear to be a git repository", "it is not there, or you may not see it"),
    (f"Host key verification failed.{NO_READ}", "its host key is not known"),
    ("error: cannot lock ref 'refs/remotes/origin/dev': is at 1", "another git command is at work"),
    ("warning: x\nfatal: bad config line 3", "bad config line 3"),
    ("", "git does not say why"),
]


@pytest.mark.parametrize(("words", "meaning"), WORDS)
def test_gits_words_about_a_remote_are_understood(words: str, meaning: str) -> None:
    assert unreachable(words)[0] == meaning
