"""Random trees, random edits on both sides, a run killed at any step: nothing of the target's own is ever lost.

A kill is an exception before a step, after which no further step is let through: what a killed process leaves.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devctl.git.mirror.policy import ABSENT
from devctl.git.mirror.record import NAME, WORKSHOP, read

CASES = 200
NAMES = ("a", "b", "c", "d/a", "d/b", "d/e/f", "d/e", "g", "g/h", "a/b/c")

Tree = dict[str, object]
Contents = Callable[[Path], Tree]


class Killed(BaseException):
    """As kill -9: nothing runs after it."""


class Kill:
    """Lets ``steps`` steps happen."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self, step: str) -> None:
        if self.left == 0:
            raise Killed(step)
        self.left -= 1


class Side:
    """One folder that somebody works in. Every content is written once in the whole test."""

    written = 0

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self.rng = root, rng

    def paths(self) -> list[Path]:
        found = [path for path in self.root.rglob("*") if path.is_symlink() or not path.is_dir()]
        return sorted(path for path in found if path.name != NAME and WORKSHOP not in path.parts)

    def edit(self) -> None:
        """Something a person does."""
        present = self.paths()
        kind = self.rng.choice(["write", "write", "write", "remove", "rename", "mode", "link", "remove folder"])
        if kind in {"write", "link"} or not present:
            self.make(self.rng.choice(NAMES), link=kind == "link")
        elif kind == "remove":
            self.rng.choice(present).unlink()
        elif kind == "rename":
            self.rename(self.rng.choice(present), self.rng.choice(NAMES))
        elif kind == "mode":
            path = self.rng.choice(present)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode ^ 0o111)
        elif (folder := self.root / self.rng.choice(["d", "g", "a", "d/e"])).is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)

    def make(self, name: str, *, link: bool) -> None:
        path = self.free(name)
        Side.written += 1
        if link:
            path.symlink_to(f"nowhere-{Side.written}")
        else:
            path.write_text(f"content {Side.written}\n" * self.rng.choice([1, 1, 2000]))
            path.chmod(self.rng.choice([0o644, 0o755]))

    def rename(self, path: Path, name: str) -> None:
        aside = self.root / "aside"
        path.rename(aside)
        aside.rename(self.free(name))

    def free(self, name: str) -> Path:
        """Make room for a file of this name, as somebody would who wants it there."""
        path = self.root / name
        for above in reversed(path.relative_to(self.root).parents[:-1]):
            if (self.root / above).is_symlink() or (self.root / above).is_file():
                (self.root / above).unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        return path


def files(tree: Tree) -> Tree:
    return {path: value for path, value in tree.items() if value != "folder" and path != NAME and WORKSHOP not in path}


def touched(before: Tree, after: Tree) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.mark.parametrize("part", range(5))
def test_nothing_of_the_targets_own_is_ever_lost(make_pair: Any, contents: Contents, tmp_path: Path, part: int) -> None:
    for seed in range(part * CASES // 5, (part + 1) * CASES // 5):
        root = tmp_path / str(seed)
        history(make_pair(root), contents, random.Random(seed))
        shutil.rmtree(root)


def history(pair: Any, contents: Contents, rng: random.Random) -> None:
    source, target = Side(pair.source, rng), Side(pair.target, rng)
    ever: set[object] = set()
    own: set[str] = set()
    meddled: set[str] = set()
    agreed: set[tuple[str, object]] = set()
    for name in rng.sample(NAMES, rng.randint(1, 6)):
        source.make(name, link=rng.random() < 0.2)
    for _ in range(rng.randint(2, 5)):
        for _ in range(rng.randint(0, 3)):
            source.edit()
        before = files(contents(pair.target))
        for _ in range(rng.randint(0, 2)):
            target.edit()
        if not source.paths():
            source.make("a", link=False)
        wanted, present = files(contents(pair.source)), files(contents(pair.target))
        own = {path for path in own | touched(before, present) if present.get(path) != wanted.get(path)}
        own -= {path for path in own if path not in present and path not in carried(pair)}
        own -= {path for path in own if (path, present.get(path)) in agreed}  # put back as it was
        meddled |= touched(before, present)
        ever |= set(wanted.values()) | set(present.values())
        for steps in rng.sample(range(40), rng.choice([0, 0, 1, 2])):
            killed(pair, steps)
            there = files(contents(pair.target))
            assert set(there.values()) <= ever, "a file is neither the old nor the new one"
            assert {path: there.get(path) for path in own} == {path: present.get(path) for path in own}
            for path in there.keys() | present.keys() | wanted.keys():
                assert there.get(path) in {present.get(path), wanted.get(path)}
        if rng.random() < 0.7:  # otherwise work goes on before anybody runs it again
            settle(pair, contents, present, wanted, own, meddled)
        agreed |= {(path, value) for path, value in files(contents(pair.target)).items() if wanted.get(path) == value}


def carried(pair: Any) -> set[str]:
    """What devctl remembers having left there: only such a file can be missed when it is gone."""
    record = pair.target / NAME
    known = read(record.read_bytes()).carried if record.exists() else {}
    return {path for path, states in known.items() if ABSENT not in states}


def killed(pair: Any, steps: int) -> None:
    try:
        pair.carry(before=Kill(steps))
    except Killed:
        return


def settle(pair: Any, contents: Contents, present: Tree, wanted: Tree, own: set[str], meddled: set[str]) -> None:
    """A run that nobody kills ends with both sides the same but for the target's own, and the next one does nothing."""
    outcome = pair.carry()
    there, whole = files(contents(pair.target)), contents(pair.target)
    left = {path for path, change in pair.changes(outcome).items() if change == "conflict"}
    assert {path: there.get(path) for path in own} == {path: present.get(path) for path in own}
    for path in wanted.keys() - left:
        assert there[path] == wanted[path]
    for path in (there.keys() - wanted.keys()) - left:
        assert path in own, f"{path} is gone from the source and still there"
    assert all(path in meddled or blocked(path, meddled) for path in left)
    assert os.path.lexists(pair.target / WORKSHOP) is False
    again = pair.carry()
    assert {path for path, change in pair.changes(again).items() if change != "conflict"} == set()
    assert contents(pair.target) == whole


def blocked(path: str, own: set[str]) -> bool:
    """Whether something of the target's own is above or below it."""
    return any(each.startswith(f"{path}/") or path.startswith(f"{each}/") for each in own)
