"""Build artefacts and stray files: found by the manifest's patterns, judged one by one, removed by descriptor.

Nothing is reached through a link. Folders of dependencies, of git and of devctl itself are not looked into, other
projects inside the workspace aren't either.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from devctl.clean.policy import ArtefactFacts, Item, Kind, Running, artefact_refusal
from devctl.command import CommandError
from devctl.core.globs import Globs
from devctl.core.model import Manifest
from devctl.errors import DevctlError
from devctl.git.mirror.tree import Blocked, Tree
from devctl.git.repository import Repository, decoded

NEVER = frozenset({".git", ".hg", ".svn", ".devctl"})
"""Not even when a pattern names them."""
CLOSED = frozenset({
    "node_modules", "bower_components", ".venv", "venv", "site-packages", "__pypackages__", ".tox", ".nox", ".yarn",
    ".pnpm-store", ".direnv",
})  # fmt: skip
"""Whatever of what lies in them looks like an artefact is a dependency's, and needed."""
_LIST = ("--literal-pathspecs", "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--")
BARE = frozenset({"HEAD", "objects", "refs"})
"""What git knows a repository without a worktree by."""
_BATCH = 100
"""Paths one git command is given."""


def roots(manifest: Manifest) -> tuple[Path, ...]:
    """The folders that make the workspace: the manifest's own, and those of services and repositories elsewhere.

    Not a folder that holds the workspace itself or the user's home: too much lies there.
    """
    own = Path(os.path.realpath(manifest.root))
    home = Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111 - unlike Path.home it never raises
    named = [service.path for service in manifest.services.values()] + [each.path for each in manifest.git]
    found = [own]
    for path in dict.fromkeys(Path(os.path.realpath(each)) for each in named if each):
        inside = any(path.is_relative_to(each) for each in found)
        if not inside and path.is_dir() and not own.is_relative_to(path) and not home.is_relative_to(path):
            found.append(path)
    return tuple(found)


def find(manifest: Manifest, now: Running) -> list[Item]:
    """Everything that a pattern matches, as it is now. Costs a look into every folder, and git a command a hundred."""
    globs = Globs(manifest.clean.artefacts)
    projects = _projects(manifest)
    found = [path for root in roots(manifest) for path in _matches(root, root, globs, projects)]
    known = _known_to_git(found)
    mounts = _mounts() if found else ()
    parts = _parts(manifest)
    facts = [replace(_facts(path, *known[path], mounts), holds=_held(path, parts)) for path in found]
    users = _users([each.path for each in facts if not each.problem])
    return [_item(manifest, each, users.get(each.path, ()), now) for each in facts]


def _item(manifest: Manifest, facts: ArtefactFacts, users: tuple[str, ...], now: Running) -> Item:
    refusal, hint = artefact_refusal(replace(facts, users=users), now)
    root = Path(os.path.realpath(manifest.root))
    path = Path(facts.path)
    name = str(path.relative_to(root)) if path.is_relative_to(root) else facts.path
    return Item(
        kind=Kind.ARTEFACT,
        key=facts.path,
        name=name,
        size=None if facts.is_link else facts.size,
        refusal=refusal,
        hint=hint,
    )


def _projects(manifest: Manifest) -> tuple[Path, ...]:
    """Folders that belong to the workspace even where they are repositories of their own."""
    named = [service.path for service in manifest.services.values()] + [each.path for each in manifest.git]
    return tuple(dict.fromkeys(Path(os.path.realpath(each)) for each in named if each))


def _parts(manifest: Manifest) -> dict[Path, str]:
    """What the workspace is made of: path → what it is called."""
    files = [manifest.file, *(manifest.compose.files if manifest.compose else ())]
    found = {Path(os.path.realpath(path)): Path(path).name for path in files}
    ends = [end for mirror in manifest.mirrors for end in (mirror.source, mirror.target)]
    found |= {Path(os.path.realpath(path)): Path(path).name for path in (*ends, *(each.path for each in manifest.git))}
    return found | {Path(os.path.realpath(each.path)): each.name for each in manifest.services.values() if each.path}


def _held(path: Path, parts: Mapping[Path, str]) -> str:
    return next((name for part, name in parts.items() if part.is_relative_to(path)), "")


def _matches(root: Path, folder: Path, globs: Globs, projects: Sequence[Path]) -> Iterator[Path]:
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name in NEVER:
            continue
        if globs.names(path.relative_to(root).as_posix()):
            yield path
        elif entry.is_dir(follow_symlinks=False) and entry.name not in CLOSED and not _foreign(path, projects):
            yield from _matches(root, path, globs, projects)


def _foreign(folder: Path, projects: Sequence[Path]) -> bool:
    """Whether it is a virtual environment, another workspace, or a repository that no service has to do with."""
    if os.path.lexists(folder / "pyvenv.cfg"):
        return True
    if not any(os.path.lexists(folder / mark) for mark in (".devctl", ".git")):
        return False
    return not any(each.is_relative_to(folder) or folder.is_relative_to(each) for each in projects)


def _known_to_git(paths: Iterable[Path]) -> dict[Path, tuple[int, int, str]]:
    """Path → (files that git has, files it would commit, what kept git from saying so)."""
    found: dict[Path, tuple[int, int, str]] = {}
    for repository, members in _by_repository(paths).items():
        for at in range(0, len(members), _BATCH):
            batch = members[at : at + _BATCH]
            found |= _counted(repository, batch) if repository else dict.fromkeys(batch, (0, 0, ""))
    return found


def _by_repository(paths: Iterable[Path]) -> dict[Path | None, list[Path]]:
    found: dict[Path | None, list[Path]] = {}
    for path in paths:
        root = next((each for each in path.parents if os.path.lexists(each / ".git")), None)
        found.setdefault(root, []).append(path)
    return found


def _counted(repository: Path, paths: Sequence[Path]) -> dict[Path, tuple[int, int, str]]:
    try:
        done = Repository(repository).ask(*_LIST, *(str(path.relative_to(repository)) for path in paths))
    except CommandError as error:
        return dict.fromkeys(paths, (0, 0, f"git does not say what it has of it: {error.why}"))
    if done.code:
        return dict.fromkeys(paths, (0, 0, f"git does not say what it has of it: {decoded(done.err).strip()}"))
    counts = {path: [0, 0] for path in paths}
    for entry in done.out.split(b"\0"):
        full = repository / decoded(entry[2:])
        for path in (full, *full.parents) if entry else ():
            if path in counts:
                counts[path][entry[:1] == b"?"] += 1
    return {path: (tracked, unsaved, "") for path, (tracked, unsaved) in counts.items()}


def _facts(path: Path, tracked: int, unsaved: int, problem: str, mounts: Sequence[str]) -> ArtefactFacts:
    base = ArtefactFacts(path=str(path), tracked=tracked, unsaved=unsaved, problem=problem)
    mounted = next((each for each in mounts if each == str(path) or each.startswith(f"{path}/")), "")
    try:
        facts = path.lstat()
        if stat.S_ISLNK(facts.st_mode):
            return replace(base, is_link=True)
        weighed = Weighed()
        weighed.add(str(path), facts)
    except OSError as error:
        return replace(base, mounted=mounted, problem=f"it cannot be looked at: {error.strerror}")
    return replace(base, size=weighed.size, repository=weighed.repository, mounted=mounted)


def _mounts() -> tuple[str, ...]:
    """Where something is mounted."""
    import psutil

    return tuple(os.path.realpath(each.mountpoint) for each in psutil.disk_partitions(all=True))


class Weighed:
    """What a file or folder takes on the disk, in bytes, and a repository that lies in it."""

    def __init__(self) -> None:
        self._seen = set[tuple[int, int]]()
        self.size, self.repository = 0, ""

    def add(self, path: str, facts: os.stat_result) -> None:
        """Weigh it and all below. Raises OSError for what can't be looked into."""
        if (facts.st_dev, facts.st_ino) not in self._seen:
            self.size += facts.st_blocks * 512
            self._seen.add((facts.st_dev, facts.st_ino))
        if not stat.S_ISDIR(facts.st_mode):
            return
        names = set[str]()
        with os.scandir(path) as entries:
            for entry in entries:
                names.add(entry.name)
                self.add(entry.path, entry.stat(follow_symlinks=False))
        if ".git" in names or names >= BARE:
            self.repository = path


def _users(paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Processes of anybody that work in a path: their folder, program or an open file lies in it."""
    import psutil

    found: dict[str, list[str]] = {}
    if not paths:
        return {}
    for process in psutil.process_iter(["name"]):
        used = _used_by(process)
        for path in paths:
            if any(each == path or each.startswith(f"{path}/") for each in used):
                found.setdefault(path, []).append(f"{process.info['name']} (pid {process.pid})")
    return {path: tuple(words) for path, words in found.items()}


def _used_by(process: object) -> set[str]:
    import psutil

    found: set[str] = set()
    for look in ("cwd", "exe", "open_files"):
        try:
            value = getattr(process, look)()
        except (psutil.Error, OSError):
            continue
        found |= {each.path for each in value} if look == "open_files" else {value or ""}
    return found


def remove(manifest: Manifest, item: Item) -> int:
    """Remove what was just judged; bytes given back. Raises DevctlError when it is another by now, or not whole."""
    path = Path(item.key)
    root = next((each for each in roots(manifest) if path.is_relative_to(each) and path != each), None)
    if root is None:
        raise DevctlError(f"{item.name} is not in the workspace")
    tree = Tree(root)
    try:
        with tree.above(path.relative_to(root).as_posix()) as (folder, name):
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(facts.st_mode):
                shutil.rmtree(name, dir_fd=folder)
            elif stat.S_ISREG(facts.st_mode):
                os.unlink(name, dir_fd=folder)
            else:
                raise DevctlError(f"{item.name} is another thing by now")
    except Blocked as blocked:
        raise DevctlError(f"{item.name} is another thing by now", why=f"{blocked.path} is no folder") from blocked
    except OSError as error:
        raise DevctlError(f"{item.name} could not be removed whole", why=error.strerror or str(error)) from error
    finally:
        tree.close()
    return item.size or 0
