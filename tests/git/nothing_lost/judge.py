"""What must hold after a sync, wherever it was interrupted. Looks with git alone and knows nothing of devctl's code."""

# ruff: noqa: PTH113, PTH114, PTH115, PTH118, PTH123 - names are bytes here: some are no text, which Path cannot hold

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from worlds import SECRET, World

MARKER = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "rebase-merge/orig-head")
FORBIDDEN = re.compile(rb"(?:^|/)\.env(?:\.local)?$|\.log$|(?:^|/)ignored")


class Before:
    """A world before the sync: its files, objects and refs, and those of its remotes."""

    def __init__(self, world: World) -> None:
        self.files = dict(files(world.path))
        self.clean = _clean_files(world)
        self.refs = refs(world, world.path)
        self.branch = world.git("symbolic-ref", "-q", "HEAD", check=False)
        self.unfinished = unfinished(world)
        self.index = world.git("ls-files", "-s", "-z")
        self.objects = _reachable(world) | _worktree_blobs(world) | _index_blobs(world)
        self.remotes = {name: refs(world, world.root / f"{name}.git") for name in world.states}


def violations(world: World, before: Before, *, may_be_torn: bool) -> Iterator[str]:
    """Everything that does not hold. ``may_be_torn``: git itself was killed, so a clean file may be half written."""
    yield from _objects(world, before)
    yield from _files(world, before, may_be_torn)
    yield from _refs("here", before.refs, refs(world, world.path), world.path, world)
    if before.unfinished != unfinished(world):
        yield "an unfinished operation is no longer what it was"
    if before.unfinished and before.branch != world.git("symbolic-ref", "-q", "HEAD", check=False):
        yield "HEAD is on another branch"
    yield from _new_commits(world, before)
    for name, known in before.remotes.items():
        yield from _remote(world, name, known)


def _objects(world: World, before: Before) -> Iterator[str]:
    """Before the first change, a ref holds everything. A sync that was killed before it changed anything needs none."""
    if not _touched(world, before):
        return
    lost = before.objects - _reachable(world)
    for each in sorted(lost)[:5]:
        yield f"object {each.decode()} can be reached from no ref any more"


def _touched(world: World, before: Before) -> bool:
    heads = [{ref: at for ref, at in found.items() if ref.startswith(b"refs/heads/")}
             for found in (before.refs, refs(world, world.path))]  # fmt: skip
    index = world.git("ls-files", "-s", "-z")
    return heads[0] != heads[1] or index != before.index or dict(files(world.path)) != before.files


def _files(world: World, before: Before, may_be_torn: bool) -> Iterator[str]:
    after = dict(files(world.path))
    for path in sorted(before.files.keys() | after.keys()):
        was, now = before.files.get(path), after.get(path)
        if was == now or (world.hook == "rewrites" and path.endswith(b".fmt")):
            continue
        # A fast-forward may bring a file or change one that was as HEAD had it. Nothing else may.
        if (was is None or path in before.clean) and (_brought(world, path, now) or may_be_torn):
            continue
        yield f"file {path!r} is not as it was"


def _brought(world: World, path: bytes, now: tuple[int, bytes] | None) -> bool:
    """Whether it is as HEAD now has it."""
    listed = world.git("ls-tree", "-z", "HEAD", "--", b":(literal)" + path, check=False)
    if now is None:
        return not listed
    return bool(listed) and not world.git("diff", "--no-ext-diff", "HEAD", "--", b":(literal)" + path, check=False)


def _refs(where: str, before: dict[bytes, bytes], after: dict[bytes, bytes], at: Path, world: World) -> Iterator[str]:
    for ref, commit in before.items():
        if ref not in after:
            yield f"{where}: ref {ref.decode()} is gone"
        elif after[ref] != commit and subprocess.run(
            ["git", "-C", at, "merge-base", "--is-ancestor", commit, after[ref]], env=world.environment,
            capture_output=True, check=False,
        ).returncode:  # fmt: skip
            yield f"{where}: ref {ref.decode()} was moved to what does not hold it"


def _new_commits(world: World, before: Before) -> Iterator[str]:
    """What was committed on branches: no marker, nothing ignored or secret, nothing over the limit."""
    theirs = {commit for found in before.remotes.values() for commit in found.values()}
    here = set(world.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    known = [b"^" + commit for commit in {*before.refs.values(), *(theirs & here)}]
    heads = [commit for ref, commit in refs(world, world.path).items() if ref.startswith(b"refs/heads/")]
    listed = world.git("rev-list", *heads, *known) if heads else b""
    for commit in listed.split():
        raw = world.git("diff-tree", "-r", "-m", "--root", "--raw", "-z", "--no-commit-id", "--no-abbrev", commit)
        fields = raw.split(b"\0")
        for about, path in zip(fields[0::2], fields[1::2], strict=False):
            _, mode, _, blob, _ = about.split(b" ")
            if mode in {b"000000", b"160000"}:
                continue
            content = world.git("cat-file", "blob", blob)
            if MARKER.search(content):
                yield f"a conflict marker was committed in {path!r}"
            if SECRET in content:
                yield f"a secret was committed in {path!r}"
            if FORBIDDEN.search(path):
                yield f"{path!r} was committed"
            if len(content) > 50_000:
                yield f"{path!r} was committed and is too large"
        if world.hook == "fails":
            yield "a commit was made past a hook that fails"


def _remote(world: World, name: str, before: dict[bytes, bytes]) -> Iterator[str]:
    at = world.root / f"{name}.git"
    after = refs(world, at)
    yield from _refs(name, before, after, at, world)
    for ref in after.keys() - before.keys():
        if not ref.startswith((b"refs/heads/rescue/", b"refs/heads/dev", b"refs/heads/master", b"refs/tags/")):
            yield f"{name}: has got {ref.decode()}"
    if world.hook == "pre-push fails" and after != before:
        yield f"{name}: was pushed to past a hook that fails"
    everything = world.git("cat-file", "--batch-all-objects", "--batch", "--unordered", at=at)
    if SECRET in everything:
        yield f"{name}: a secret left the machine"


def files(root: Path) -> Iterator[tuple[bytes, tuple[int, bytes]]]:
    """Every file, those of nested repositories too: path → mode and content. Not git's own of the repository."""
    top = os.fsencode(root)
    for folder, folders, names in os.walk(top):
        if folder == top and b".git" in folders:
            folders.remove(b".git")
        for name in [*names, *(each for each in folders if os.path.islink(os.path.join(folder, each)))]:
            path = os.path.join(folder, name)
            facts = os.lstat(path)
            content = os.readlink(path) if stat.S_ISLNK(facts.st_mode) else _content(path)
            relative = os.path.relpath(path, top)
            if not relative.endswith((b".git/index", b".git")):  # git status refreshes a submodule's
                yield relative, (facts.st_mode, content)


def refs(world: World, at: Path) -> dict[bytes, bytes]:
    """Every ref with its object. Symbolic ones are left out."""
    out = world.git("for-each-ref", "--format=%(refname) %(objectname) %(symref)", at=at)
    fields = (line.split(b" ") for line in out.splitlines())
    return {ref: commit for ref, commit, symbolic in fields if not symbolic}


def unfinished(world: World) -> dict[str, bytes]:
    """The marks of unfinished operations with their content."""
    found = {}
    for name in UNFINISHED:
        path = world.path / os.fsdecode(world.git("rev-parse", "--git-path", name).strip())
        if path.exists():
            found[name] = path.read_bytes()
    return found


def _reachable(world: World) -> set[bytes]:
    found = world.git("rev-list", "--objects", "--all", "--no-object-names")
    head = world.git("rev-list", "--objects", "--no-object-names", "HEAD", "--", check=False)
    return set(found.split()) | set(head.split())


def _index_blobs(world: World) -> set[bytes]:
    lines = world.git("ls-files", "-s", "-z").split(b"\0")
    fields = [line.split(b"\t")[0].split(b" ") for line in lines if line]
    empty = b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # what git lists for a file that is only intended to be added
    return {each[1] for each in fields if each[0] != b"160000"} - {empty}


def _worktree_blobs(world: World) -> set[bytes]:
    """As git would store each file that it does not ignore."""
    names = {name for name in world.git("ls-files", "-co", "--exclude-standard", "-z").split(b"\0") if name}
    paths = {name: os.path.join(os.fsencode(world.path), name) for name in names}
    links = {name for name, path in paths.items() if os.path.islink(path)}
    plain = {name for name, path in paths.items() if name not in links and os.path.isfile(path)}
    odd = {name for name in plain if b"\n" in name or name.startswith(b'"')}
    found = {_blob(os.readlink(paths[name])) for name in links} | {_blob(_content(paths[name])) for name in odd}
    given = b"".join(name + b"\n" for name in plain - odd)
    words = ["git", "-C", world.path, "hash-object", "--stdin-paths"]
    done = subprocess.run(words, input=given, env=world.environment, capture_output=True, check=True)
    return found | set(done.stdout.split())


def _blob(content: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest().encode()


def _content(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _clean_files(world: World) -> set[bytes]:
    """Tracked files that are as HEAD has them."""
    tracked = set(world.git("ls-files", "-z").split(b"\0"))
    changed = set(world.git("diff", "--name-only", "--no-renames", "-z", "HEAD", check=False).split(b"\0"))
    return tracked - changed - {b""}
