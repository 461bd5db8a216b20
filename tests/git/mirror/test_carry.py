"""What a mirror carries over, what it leaves alone, and where it may never reach."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devctl.git.mirror.record import NAME, WORKSHOP, Record, read, written
from devctl.git.mirror.tree import Tree
from devctl.git.mirrored import Result

Contents = Callable[[Path], dict[str, object]]
Git = Callable[..., str]


def test_all_of_it_comes_the_first_time_and_nothing_the_second(pair: Any, contents: Contents) -> None:
    (pair.source / "src").mkdir()
    (pair.source / "src/a.py").write_text("a\n")
    (pair.source / "run").write_text("#!/bin/sh\n")
    (pair.source / "run").chmod(0o755)
    (pair.source / "link").symlink_to("src/a.py")
    outcome = pair.carry()
    assert outcome.result is Result.COPIED
    assert pair.changes(outcome) == {"src/a.py": "added", "run": "added", "link": "added"}
    there = contents(pair.target)
    assert there.pop(NAME)
    assert there == contents(pair.source)
    before = (pair.target / NAME).stat().st_mtime_ns, (pair.target / "run").stat().st_ino
    again = pair.carry()
    assert (again.result, again.files) == (Result.SAME, ())
    assert before == ((pair.target / NAME).stat().st_mtime_ns, (pair.target / "run").stat().st_ino)


def test_edits_modes_links_removals_and_renames_are_carried(pair: Any, contents: Contents) -> None:
    for name in ("edited", "gone", "old name", "mode", "becomes link"):
        (pair.source / name).write_text(f"{name}\n")
    (pair.source / "deep/er").mkdir(parents=True)
    (pair.source / "deep/er/x").write_text("x\n")
    (pair.source / "to").symlink_to("edited")
    pair.carry()
    (pair.source / "edited").write_text("anew\n")
    (pair.source / "gone").unlink()
    (pair.source / "old name").rename(pair.source / "new name")
    (pair.source / "mode").chmod(0o755)
    (pair.source / "to").unlink()
    (pair.source / "to").symlink_to("mode")
    (pair.source / "becomes link").unlink()
    (pair.source / "becomes link").symlink_to("/etc/hostname")
    shutil.rmtree(pair.source / "deep")
    outcome = pair.carry()
    assert pair.changes(outcome) == {
        "edited": "changed", "gone": "removed", "new name": "renamed", "mode": "changed", "to": "changed",
        "becomes link": "changed", "deep/er/x": "removed",
    }  # fmt: skip
    there = contents(pair.target)
    assert there.pop(NAME)
    assert there == contents(pair.source)


def test_what_was_changed_on_the_targets_own_side_is_left_alone(pair: Any, contents: Contents) -> None:
    for name in ("edited", "deleted", "both", "gone", "mode", "linked", "free"):
        (pair.source / name).write_text("one\n")
    pair.carry()
    (pair.target / "own").write_text("mine\n")
    (pair.target / "edited").write_text("mine\n")
    (pair.target / "both").write_text("mine\n")
    (pair.target / "gone").write_text("mine\n")
    (pair.target / "deleted").unlink()
    (pair.target / "mode").chmod(0o755)
    (pair.target / "linked").unlink()
    (pair.target / "linked").symlink_to("free")
    own = contents(pair.target)
    (pair.source / "both").write_text("two\n")
    (pair.source / "free").write_text("two\n")
    (pair.source / "gone").unlink()
    for _ in range(2):
        outcome = pair.carry()
        assert outcome.result is Result.CONFLICT
        left = {name for name, change in pair.changes(outcome).items() if change == "conflict"}
        assert left == {"edited", "deleted", "both", "gone", "mode", "linked"}
    there = contents(pair.target)
    for name in ("edited", "both", "gone", "mode", "linked", "own"):
        assert there[name] == own[name]
    assert "deleted" not in there
    assert (pair.target / "free").read_text() == "two\n"


def test_a_conflict_ends_when_both_sides_are_the_same(pair: Any) -> None:
    (pair.source / "a").write_text("one\n")
    pair.carry()
    (pair.target / "a").write_text("mine\n")
    assert pair.carry().result is Result.CONFLICT
    (pair.source / "a").write_text("mine\n")
    assert pair.carry().result is Result.SAME
    (pair.source / "a").write_text("and on\n")
    assert pair.carry().result is Result.COPIED
    assert (pair.target / "a").read_text() == "and on\n"


def test_a_file_nobody_carried_there_is_not_overwritten(pair: Any) -> None:
    (pair.source / "a").write_text("one\n")
    (pair.target / "a").write_text("was here first\n")
    outcome = pair.carry()
    assert (outcome.result, outcome.files[0].reason) == (
        Result.CONFLICT, "it was there before, and is no earlier version of the source's"
    )  # fmt: skip
    assert (pair.target / "a").read_text() == "was here first\n"


def test_without_a_record_an_earlier_version_of_that_very_file_proves_it_is_ours(in_git: Any, git: Git) -> None:
    for number in ("one", "two"):
        for name in ("a", "b", "own"):
            (in_git.source / name).write_text(f"{name} {number}\n")
        git("add", "-A")
        git("commit", "-qm", number)
    (in_git.target / "a").write_text("a one\n")  # as copied by hand long ago
    (in_git.target / "b").write_text("own one\n")  # an earlier version of another file proves nothing of either
    (in_git.target / "own").write_text("mine\n")
    (in_git.target / "c").write_text("c\n")
    outcome = in_git.carry()
    assert in_git.changes(outcome) == {"a": "changed", "b": "conflict", "own": "conflict"}
    assert (in_git.target / "a").read_text() == "a two\n"
    assert (in_git.target / "b").read_text() == "own one\n"
    assert (in_git.target / "own").read_text() == "mine\n"
    git("add", "-A")
    git("commit", "-qm", "carried")
    (in_git.target / NAME).unlink()
    (in_git.source / "a").unlink()
    left = in_git.changes(in_git.carry())
    assert left == {"b": "conflict", "own": "conflict"}, "nothing is removed that nobody remembers carrying"
    assert (in_git.target / "a").read_text() == "a two\n"


def test_a_going_back_to_an_earlier_version_is_the_targets_own_where_there_is_a_record(in_git: Any, git: Git) -> None:
    for number in ("one", "two"):
        (in_git.source / "a").write_text(f"{number}\n")
        git("add", "-A")
        git("commit", "-qm", number)
    in_git.carry()
    (in_git.target / "a").write_text("one\n")
    assert in_git.carry().result is Result.CONFLICT


def test_only_what_git_would_commit_is_carried(in_git: Any, git: Git) -> None:
    (in_git.source / ".gitignore").write_text("secret\nbuild/\n")
    for name in ("tracked", "secret", "new"):
        (in_git.source / name).write_text(f"{name}\n")
    (in_git.source / "build").mkdir()
    (in_git.source / "build/out").write_text("out\n")
    git("add", "core/tracked", "core/.gitignore")
    (in_git.source / ".env").write_text("TOKEN=1\n")
    (in_git.source / "nested").mkdir()
    git("init", "-q", at=in_git.source / "nested")
    (in_git.source / "nested/x").write_text("x\n")
    outcome = in_git.carry()
    assert in_git.changes(outcome) == {"tracked": "added", "new": "added", ".gitignore": "added"}
    assert outcome.notes == (
        ".env is never committed (it is an environment file, which holds secrets): it is not carried over",
        "nested is a repository of its own: it is not carried over",
    )
    assert sorted(path.name for path in in_git.target.iterdir()) == [NAME, ".gitignore", "new", "tracked"]


def test_an_unfinished_merge_carries_nothing(in_git: Any, git: Git) -> None:
    (in_git.source / "a").write_text("one\n")
    git("add", "-A")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "other")
    (in_git.source / "a").write_text("other\n")
    git("commit", "-qam", "other")
    git("checkout", "-q", "dev")
    (in_git.source / "a").write_text("two\n")
    git("commit", "-qam", "two")
    git("merge", "other", check=False)
    outcome = in_git.carry()
    assert (outcome.result, "a merge is unfinished" in outcome.reason) == (Result.CONFLICT, True)
    assert list(in_git.target.iterdir()) == []


def test_what_is_not_checked_out_is_neither_carried_nor_removed(in_git: Any, git: Git) -> None:
    for name in ("a", "b"):
        (in_git.source / name).write_text("one\n")
    git("add", "-A")
    git("commit", "-qm", "one")
    in_git.carry()
    git("update-index", "--skip-worktree", "core/b")
    (in_git.source / "b").unlink()
    assert in_git.carry().result is Result.SAME
    assert (in_git.target / "b").exists()


def test_a_source_that_was_not_pulled_does_not_take_the_target_back(
    make_pair: Any, tmp_path: Path, repo: Path, git: Git
) -> None:
    """Two repositories: a colleague carried over what only the colleague's clone of the source has."""
    for number in ("one", "two"):
        (repo / "a").write_text(f"{number}\n")
        git("commit", "-qam", number)
    pair = make_pair(tmp_path / "pair")
    git("clone", "-q", str(repo), str(pair.source))
    git("init", "-q", at=pair.target)
    assert pair.carry().result is Result.COPIED
    git("reset", "-q", "--hard", "HEAD~1", at=pair.source)
    outcome = pair.carry()
    assert (outcome.result, "is behind what was carried over last" in outcome.reason) == (Result.CONFLICT, True)
    shutil.rmtree(pair.source)
    git("clone", "-q", "--no-local", str(repo), str(pair.source))
    git("commit", "-q", "--allow-empty", "-m", "theirs")
    theirs = git("rev-parse", "HEAD").strip()
    record = (pair.target / NAME).read_text()
    (pair.target / NAME).write_text(re.sub("# from .*", f"# from {theirs}", record))
    assert "the source lacks the commit" in pair.carry().reason
    assert (pair.target / "a").read_text() == "two\n"
    git("pull", "-q", at=pair.source)
    assert pair.carry().result is Result.SAME
    git("commit", "-q", "--allow-empty", "--amend", "-m", "anew", at=pair.source)
    (pair.source / "a").write_text("three\n")
    assert pair.carry().result is Result.COPIED, "what was written anew is no reason to stop"


def test_includes_and_excludes(make_pair: Any, tmp_path: Path) -> None:
    pair = make_pair(tmp_path, include=("src", "*.md"), exclude=("src/own", "**/node_modules", "README.md"))
    for name in ("src/a", "src/own/x", "src/node_modules/m/i", "README.md", "NOTES.md", "other/b", "other/README.md"):
        (pair.source / name).parent.mkdir(parents=True, exist_ok=True)
        (pair.source / name).write_text("x\n")
    assert pair.changes(pair.carry()) == {"src/a": "added", "NOTES.md": "added"}


def test_what_is_excluded_later_is_the_targets_own_from_then_on(make_pair: Any, tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    for name in ("a", "b"):
        (pair.source / name).write_text("one\n")
    pair.carry()
    later = make_pair(tmp_path, exclude=("b",))
    (pair.source / "b").unlink()
    assert later.carry().result is Result.SAME
    assert (pair.target / "b").read_text() == "one\n"
    assert read((pair.target / NAME).read_bytes()).carried.keys() == {"a"}


def test_an_empty_source_does_not_empty_the_target(pair: Any) -> None:
    (pair.source / "a").write_text("one\n")
    pair.carry()
    (pair.source / "a").unlink()
    outcome = pair.carry()
    assert (outcome.result, outcome.reason[:30]) == (Result.CONFLICT, "there is nothing to carry over")
    assert (pair.target / "a").exists()


def test_a_file_becomes_a_folder_and_a_folder_a_file(pair: Any, contents: Contents) -> None:
    (pair.source / "one").write_text("file\n")
    (pair.source / "two/deep").mkdir(parents=True)
    (pair.source / "two/deep/x").write_text("x\n")
    (pair.source / "link").symlink_to("two")
    pair.carry()
    (pair.source / "one").unlink()
    (pair.source / "one").mkdir()
    (pair.source / "one/x").write_text("in a folder\n")
    shutil.rmtree(pair.source / "two")
    (pair.source / "two").write_text("now a file\n")
    (pair.source / "link").unlink()
    (pair.source / "link").mkdir()
    (pair.source / "link/y").write_text("y\n")
    assert pair.carry().result is Result.COPIED
    there = contents(pair.target)
    assert there.pop(NAME)
    assert there == contents(pair.source)


def test_a_folder_that_holds_something_of_the_targets_own_stays(pair: Any) -> None:
    (pair.source / "two").mkdir()
    (pair.source / "two/x").write_text("x\n")
    pair.carry()
    (pair.target / "two/own").write_text("mine\n")
    shutil.rmtree(pair.source / "two")
    (pair.source / "two").write_text("now a file\n")
    outcome = pair.carry()
    assert pair.changes(outcome) == {"two": "conflict", "two/x": "removed"}
    assert (pair.target / "two/own").read_text() == "mine\n"


def test_a_folder_somebody_put_in_a_files_place_stays_even_empty(pair: Any) -> None:
    (pair.source / "a").write_text("one\n")
    pair.carry()
    (pair.target / "a").unlink()
    (pair.target / "a").mkdir()
    assert pair.changes(pair.carry()) == {"a": "conflict"}
    assert (pair.target / "a").is_dir()


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_nothing_is_written_or_removed_through_a_link_of_the_target(pair: Any, tmp_path: Path, where: str) -> None:
    (pair.source / "sub").mkdir()
    (pair.source / "sub/a").write_text("one\n")
    (pair.source / "sub/b").write_text("one\n")
    pair.carry()
    elsewhere = tmp_path / "elsewhere" if where == "outside" else pair.target / "elsewhere"
    shutil.move(pair.target / "sub", elsewhere)
    (pair.target / "sub").symlink_to(elsewhere)
    (pair.source / "sub/a").write_text("two\n")
    (pair.source / "sub/b").unlink()
    outcome = pair.carry()
    assert outcome.result is Result.CONFLICT
    assert sorted(each.name for each in elsewhere.iterdir()) == ["a", "b"]
    assert (elsewhere / "a").read_text() == "one\n"
    assert (pair.target / "sub").is_symlink()


def test_links_in_the_source_are_carried_as_links_and_never_followed(pair: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret\n")
    (pair.source / "out").symlink_to(outside)
    (pair.source / "file").symlink_to("../outside/secret")
    assert pair.changes(pair.carry()) == {"out": "added", "file": "added"}
    assert (pair.target / "out").readlink() == outside
    assert not (pair.target / "file").is_file() or (pair.target / "file").is_symlink()


def test_a_folder_of_the_index_that_is_a_link_on_disk_is_not_followed(in_git: Any, git: Git, tmp_path: Path) -> None:
    (in_git.source / "sub").mkdir()
    (in_git.source / "sub/a").write_text("one\n")
    git("add", "-A")
    git("commit", "-qm", "one")
    shutil.rmtree(in_git.source / "sub")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_text("secret\n")
    (in_git.source / "sub").symlink_to(tmp_path / "outside")
    assert in_git.changes(in_git.carry()) == {"sub": "added"}
    assert (in_git.target / "sub").is_symlink()


def test_a_record_leads_nowhere_out_of_the_target(pair: Any, tmp_path: Path) -> None:
    state = "f:" + "0" * 64
    text = (
        f"{state} ../outside\n{state} /etc/passwd\n{state} .git/config\n{state} a/%2e%2e/%2e%2e/outside\n{state} ok\n"
    )
    assert read(text.encode()).carried.keys() == {"ok"}
    odd = Record(carried={"a b%\n\udcff": frozenset({state})}, origins=("0" * 40, "1" * 64))
    assert read(written(odd)) == odd


def test_a_record_left_in_a_merge_conflict_still_tells_what_was_carried(pair: Any) -> None:
    (pair.source / "a").write_text("one\n")
    pair.carry()
    first = (pair.target / NAME).read_bytes().splitlines(keepends=True)
    (pair.source / "a").write_text("two\n")
    pair.carry()
    second = (pair.target / NAME).read_bytes().splitlines(keepends=True)
    (pair.target / NAME).write_bytes(
        b"".join([first[0], b"<<<<<<< HEAD\n", first[1], b"=======\n", second[1], b">>>>>>> x\n"])
    )
    (pair.target / "a").write_text("one\n")
    assert pair.changes(pair.carry()) == {"a": "changed"}


def test_a_record_that_is_a_link_or_a_folder_stops_it(pair: Any, tmp_path: Path) -> None:
    (pair.source / "a").write_text("one\n")
    (pair.target / NAME).symlink_to(tmp_path / "elsewhere")
    assert "is no file that can be read" in pair.carry().reason
    assert not (tmp_path / "elsewhere").exists()


def test_names_that_are_no_text_and_names_like_options(in_git: Any, git: Git, contents: Contents) -> None:
    for name in (b"\xff\xfe", b"-rf", b"new\nline", b"gl*b", b":(top)x", "ü".encode()):
        (in_git.source / os.fsdecode(name)).write_bytes(b"one\n")
        (in_git.target / os.fsdecode(name)).write_bytes(b"one\n")
    git("add", "-A")
    git("commit", "-qm", "odd")
    for path in in_git.source.iterdir():
        path.write_bytes(b"two\n")
    assert set(in_git.changes(in_git.carry()).values()) == {"changed"}
    there = contents(in_git.target)
    assert there.pop(NAME)
    assert there == contents(in_git.source)


def test_a_dry_run_changes_nothing(pair: Any, contents: Contents) -> None:
    (pair.source / "a").write_text("one\n")
    shutil.rmtree(pair.target)
    assert pair.changes(pair.carry(dry=True)) == {"a": "added"}
    assert not pair.target.exists()
    pair.carry()
    (pair.source / "a").write_text("two\n")
    before = contents(pair.target)
    assert pair.changes(pair.carry(dry=True)) == {"a": "changed"}
    assert contents(pair.target) == before


def test_only_one_at_a_time_carries_over(pair: Any) -> None:
    (pair.source / "a").write_text("one\n")
    other = Tree(pair.target)
    try:
        assert other.lock()
        assert "another devctl is carrying over" in pair.carry().reason
    finally:
        other.close()
    assert pair.carry().result is Result.COPIED


def test_folders_within_each_other_are_refused(make_pair: Any, tmp_path: Path) -> None:
    pair = make_pair(tmp_path)
    (pair.source / "a").write_text("one\n")
    pair.target.rmdir()
    pair.target.symlink_to(pair.source)
    assert "one folder lies in the other" in pair.carry().reason


def test_a_change_between_the_look_and_the_write_is_left_alone(pair: Any) -> None:
    for name in ("edited", "new", "gone"):
        (pair.source / name).write_text("one\n")
    (pair.source / "new").unlink()
    pair.carry()
    (pair.source / "edited").write_text("two\n")
    (pair.source / "new").write_text("one\n")
    (pair.source / "gone").unlink()

    def meddle(step: str) -> None:
        for name in ("edited", "new", "gone"):
            if step in {"put", "remove"}:
                (pair.target / name).write_text("just now\n")

    outcome = pair.carry(before=meddle)
    assert set(pair.changes(outcome).values()) == {"conflict"}
    assert {(pair.target / name).read_text() for name in ("edited", "new", "gone")} == {"just now\n"}
    assert pair.carry().result is Result.CONFLICT


def test_a_file_that_appears_at_the_last_moment_is_not_replaced(pair: Any) -> None:
    (pair.source / "a").write_text("one\n")

    def meddle(step: str) -> None:
        if step == "move":
            (pair.target / "a").write_text("just now\n")

    assert pair.changes(pair.carry(before=meddle)) == {"a": "conflict"}
    assert (pair.target / "a").read_text() == "just now\n"
    assert pair.carry().result is Result.CONFLICT


def test_a_source_that_changes_while_it_is_read_is_not_carried_half(pair: Any) -> None:
    (pair.source / "a").write_text("one\n")
    (pair.source / "b").write_text("one\n")

    def meddle(step: str) -> None:
        if step == "make":
            (pair.source / "b").write_text("two\n")

    assert pair.changes(pair.carry(before=meddle)) == {"a": "added", "b": "conflict"}
    assert not (pair.target / "b").exists()
    assert pair.changes(pair.carry()) == {"b": "added"}
    assert not (pair.target / WORKSHOP).exists()
