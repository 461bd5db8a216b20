"""Which of the changed files may be committed: looked at as git would store them, before anything is committed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from devctl.core.model import GitRepository, Value
from devctl.git.facts import Change, RepositoryFacts
from devctl.git.objects import content, contents, sizes
from devctl.git.policy import forbidden, forbidden_hint, marker_line, too_large
from devctl.git.report import Refusal, shown
from devctl.git.repository import Repository, decoded
from devctl.git.scratch import GITLINK, Entry, Scratch

PRAGMA = "take it out; when it is no secret, write “pragma: allowlist secret” in a comment beside it"
LFS = b"version https://git-lfs.github.com/spec/"
LARGEST_LFS = 20_000_000
"""Bytes of an LFS file that are searched."""
BASELINE = ".secrets.baseline"
"""detect-secrets' list of what somebody has looked at."""


class Vetted(Value):
    """``entries`` are how the commit would differ from HEAD. ``paths`` are the files that may be committed (of which
    some may turn out to be as HEAD has them); what is in ``refused`` may not, and stays as it is."""

    entries: tuple[Entry, ...] = ()
    paths: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()


def vet(
    repository: Repository, facts: RepositoryFacts, section: GitRepository, scratch: Scratch, only: Iterable[str] | None
) -> Vetted:
    """Build in ``scratch`` the tree that is to be committed; with ``only``, of these paths alone.

    Raises GitFailed, CommandError.
    """
    changes = _wanted(facts, only)
    refused = [*(_nested(path) for path in facts.nested), *(_inside(each) for each in changes if each.inside)]
    by_name = {each.path: found for each in changes if (found := _by_name(repository, each, section))}
    refused += by_name.values()
    kept = [each for each in changes if each.path not in by_name and not each.inside]
    scratch.restore(_paths(each for each in facts.changes if each not in kept))
    for path, why in scratch.stage(_paths(each for each in kept if each.unstaged)).items():
        refused.append(Refusal(f"git does not take it: {why}", shown(path), f"git add {shown(path)}"))
    by_content = _by_content(repository, scratch.changes(), section)
    scratch.restore(by_content)
    refused += by_content.values()
    paths = tuple(path for path in _paths(kept) if path not in by_content)
    return Vetted(tuple(scratch.changes()), paths, tuple(refused))


def _wanted(facts: RepositoryFacts, only: Iterable[str] | None) -> list[Change]:
    if only is None:
        return list(facts.changes)
    names = set(only)
    return [each for each in facts.changes if each.path in names or each.old in names]


def _paths(changes: Iterable[Change]) -> list[str]:
    return [path for each in changes for path in ((each.path, each.old) if each.old else (each.path,))]


def _nested(path: str) -> Refusal:
    hint = f"add {shown(path)}/ to .gitignore and name it under git: in services.yaml, or make it a submodule"
    return Refusal("it is a repository of its own, and committing it would save nothing of it", shown(path), hint)


def _inside(change: Change) -> Refusal:
    name = shown(change.path)
    return Refusal("the submodule has work of its own", name, f"git -C {name} status, and name it under git: too")


def _by_name(repository: Repository, change: Change, section: GitRepository) -> Refusal | None:
    """What name and size alone say. A file that goes may always go."""
    there = (repository.root / change.path).is_symlink() or (repository.root / change.path).is_file()
    if not there or not (change.unstaged or change.staged):
        return None
    if change.staged and not change.unstaged and change.kind == "deleted":
        return None
    why = forbidden(change.path)
    if why:
        return Refusal(why, f"{shown(change.path)}:1", forbidden_hint(shown(change.path)))
    why = too_large(change.size, section.max_file_size)
    if why and _filter(repository, change.path) != "lfs":
        return Refusal(why, shown(change.path), _large_hint(shown(change.path)))
    return None


def _large_hint(name: str) -> str:
    return f"git lfs track {name}, add it to .gitignore, or raise git.sync.max_file_size"


def _filter(repository: Repository, path: str) -> str:
    out = decoded(repository.do("check-attr", "-z", "filter", "--", path)).split("\0")
    return out[2] if len(out) > 2 else ""


def _by_content(repository: Repository, entries: Sequence[Entry], section: GitRepository) -> dict[str, Refusal]:
    """What the content says, in the order of the files."""
    blobs = {each.new: each for each in entries if not each.deleted and GITLINK not in {each.mode, each.old_mode}}
    known = sizes(repository, blobs)
    refused: dict[str, Refusal] = _links(repository, entries)
    for entry in entries:
        why = too_large(known.get(entry.new, 0), section.max_file_size)
        if why:
            refused[entry.path] = Refusal(why, shown(entry.path), _large_hint(shown(entry.path)))
    small = {name: size for name, size in known.items() if size <= section.max_file_size}
    paths: dict[str, list[Entry]] = {}
    for entry in entries:
        paths.setdefault(entry.new, []).append(entry)
    listed = reviewed(repository) if small else frozenset()
    for name, found in contents(repository, small):
        for entry in paths[name]:
            refusal = _judge(repository, entry, found, listed)
            if refusal:
                refused[entry.path] = refusal
    return refused


def _links(repository: Repository, entries: Sequence[Entry]) -> dict[str, Refusal]:
    """Links to commits of other repositories that nobody else could ever get."""
    links = [each for each in entries if each.mode == GITLINK]
    if not links:
        return {}
    words = ("config", "-z", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$")
    known = {line.partition("\n")[2] for line in decoded(repository.ask(*words).out).split("\0")}
    refused = {each.path: _nested(each.path) for each in links if each.path not in known}
    for each in links:
        inner = Repository(repository.root / each.path)
        if each.path in known and not inner.line("for-each-ref", "--count=1", f"--contains={each.new}", "refs/remotes"):
            name = shown(each.path)
            why = f"the submodule's commit {each.new[:10]} is on none of its remotes"
            refused[each.path] = Refusal(why, name, f"git -C {name} push")
    return refused


def _judge(repository: Repository, entry: Entry, found: bytes, listed: frozenset[str]) -> Refusal | None:
    name = shown(entry.path)
    if found.startswith(LFS):  # what LFS takes to its own server is in the worktree
        found = _whole(repository, entry.path)
    before = content(repository, entry.old) if entry.old.strip("0") and entry.old_mode != GITLINK else b""
    line = marker_line(found, before)
    if line:
        return Refusal("it has a conflict marker", f"{name}:{line}", f"resolve the conflict in {name}")
    return secret(entry.path, found, before, listed)


def _whole(repository: Repository, path: str) -> bytes:
    try:
        with (repository.root / path).open("rb") as file:
            return file.read(LARGEST_LFS)
    except OSError:
        return b""


def secret(path: str, found: bytes, before: bytes, listed: frozenset[str]) -> Refusal | None:
    """A secret in a content that wasn't in ``before`` and that nobody has looked at."""
    from devctl.git.secrets import digests, find

    first = find(path, found, listed)
    if first and before:
        first = find(path, found, listed | digests(path, before))
    return Refusal(f"it holds a secret ({first.what})", f"{shown(path)}:{first.line}", PRAGMA) if first else None


def reviewed(repository: Repository) -> frozenset[str]:
    """The hashes of what somebody has looked at and found to be no secret."""
    from devctl.git.secrets import baseline

    try:
        return baseline((repository.root / BASELINE).read_bytes())
    except OSError:
        return frozenset()
