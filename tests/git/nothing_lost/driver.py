"""Runs sync in random worlds, kills it anywhere, and judges: ``python driver.py FIRST CASES`` prints JSON lines.

A process of its own, so that forking is safe, and what a killed sync leaves running comes home to be waited for.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from breakages import BREAKAGES
from judge import Before, violations
from worlds import World

from devctl.core.model import GitRepository, Manifest
from devctl.git import gate, secrets, work  # noqa: F401 - imported once, not by every child
from devctl.git.sync import Sync
from devctl.workspace import Workspace

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER."""


class Kill:
    """When the sync dies: at its ``at``-th process, ``before`` it starts, ``during`` it (``alone``: the process goes
    on), or never."""

    def __init__(self, chance: random.Random, most: int = 34) -> None:
        self.when = chance.choice(["never", "before", "before", "during", "during alone"])
        self.at = chance.randint(1, most)
        self.pause = chance.random() * 0.008

    def exactly(self, when: str, at: int) -> Kill:
        """Not by chance."""
        self.when, self.at = when, at
        return self

    def __str__(self) -> str:
        return "never killed" if self.when == "never" else f"killed {self.when} process {self.at}"

    def install(self) -> None:
        """From now on in this process."""
        count = 0
        kill = self

        class Counting(subprocess.Popen):  # type: ignore[type-arg]
            def __init__(self, *words: Any, **options: Any) -> None:
                nonlocal count
                count += 1
                if count == kill.at and kill.when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                super().__init__(*words, **options)
                if count == kill.at and kill.when.startswith("during"):
                    time.sleep(kill.pause)
                    if kill.when == "during":
                        os.killpg(self.pid, signal.SIGKILL)
                    os.kill(os.getpid(), signal.SIGKILL)

        if self.when != "never":
            subprocess.Popen = Counting  # type: ignore[misc]


def manifest(world: World) -> Manifest:
    """What services.yaml would say."""
    section = GitRepository(
        path=str(world.path), branch="dev", sync_branches=("dev", "master"), promote={"master": "dev"},
        remotes={"origin": "", "org": ""}, commit="always", max_file_size=50_000, timeout=20.0,
    )  # fmt: skip
    return Manifest(name="t", file=str(world.root / "services.yaml"), root=str(world.root), services={}, git=(section,))


def sync(world: World, kill: Kill | None, breakage: str) -> tuple[bool, str]:
    """In a process of its own: (whether it came to its end, what it said)."""
    told = world.root / "told"
    told.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            os.environ.update(world.environment)
            os.environ.pop("GIT_AUTHOR_DATE", None)
            os.environ.pop("GIT_COMMITTER_DATE", None)
            BREAKAGES[breakage]()
            if kill:
                kill.install()
            running = Sync(manifest(world), Workspace(world.root, "t"))
            running.look()
            told.write_text(repr(running.run()), errors="backslashreplace")
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            told.write_text(f"raised {error!r}", errors="backslashreplace")
        finally:
            os._exit(0)
    while True:
        try:
            os.waitpid(-1, 0)  # also what a killed sync left running
        except ChildProcessError:
            break
    said = told.read_text(errors="backslashreplace") if told.exists() else ""
    return bool(said), said


def case(seed: int, folder: Path, breakage: str, must: tuple[str, ...], kill: Kill | None = None) -> dict[str, Any]:
    """One world: a sync that may be killed, then one that isn't."""
    world = World(folder / str(seed), seed, must)
    world.build()
    kill = kill or Kill(random.Random(f"kill {seed}"))
    before = Before(world)
    ended, said = sync(world, kill, breakage)
    killed_git = kill.when == "during" and not ended
    found = list(violations(world, before, may_be_torn=killed_git))
    if said.startswith("raised"):
        found.append(said)
    if not ended:
        locks(world)
        again, said = sync(world, None, breakage)
        found += [f"and the next time: {each}" for each in violations(world, before, may_be_torn=killed_git)]
        if not again or said.startswith("raised"):
            found.append(f"the next sync did not end: {said}")
    shutil.rmtree(world.root)
    return {
        "seed": seed,
        "world": str(world),
        "kill": str(kill),
        "killed": not ended,
        "violations": found,
        "said": said,
    }


def every_step(chosen: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The same world again and again, killed at one process after another, until a sync comes to its end."""
    seed, breakage, must, when = chosen.first, chosen.breakage, tuple(chosen.must), chosen.every
    for number in itertools.count(1, chosen.stride):
        kill = Kill(random.Random(f"kill {seed} {number}")).exactly(when, number)
        result = case(seed, folder, breakage, must, kill)
        yield result
        if not result["killed"]:
            return


def locks(world: World) -> None:
    """What a killed git leaves locked is unlocked, as its user is told to."""
    for file in world.root.rglob("*.lock"):
        if file.name != "git.lock":
            file.unlink()


def quick_folder() -> str | None:
    """A folder in memory where there is one: git waits for the disk a thousand times a world."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 200_000_000
    return str(memory) if usable else None


def main() -> None:
    """All cases, until one fails or the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("cases", type=int)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--at-least", type=int, default=1)
    parser.add_argument("--break", dest="breakage", default="nothing", choices=BREAKAGES)
    parser.add_argument("--must", nargs="*", default=[])
    parser.add_argument("--every", default="", choices=["", "before", "during", "during alone"])
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--go-on", action="store_true")
    chosen = parser.parse_args()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    deadline = time.monotonic() + chosen.seconds
    with tempfile.TemporaryDirectory(prefix="devctl-lost-", dir=quick_folder()) as folder:
        seeds = range(chosen.first, chosen.first + chosen.cases)
        plain = (case(seed, Path(folder), chosen.breakage, tuple(chosen.must)) for seed in seeds)
        every = every_step(chosen, Path(folder))
        for number, result in enumerate(every if chosen.every else plain, 1):
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
            enough = time.monotonic() > deadline and number >= chosen.at_least
            if enough or (result["violations"] and not chosen.go_on):
                break


if __name__ == "__main__":
    main()
