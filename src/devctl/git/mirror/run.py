"""A mirror from beginning to end: look at both sides, decide, carry over, say how it went."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from devctl.command import CommandError
from devctl.core.model import Manifest, Mirror
from devctl.errors import DevctlError, Exit
from devctl.git.mirror import policy
from devctl.git.mirror.carry import Before, Carrier, RecordUnusable, read_record
from devctl.git.mirror.policy import ABSENT, FOLDER, Carried, Conflict, Facts, Plan
from devctl.git.mirror.record import NAME, Record
from devctl.git.mirror.source import Selection, Source, earlier_versions, origin_of, refuse_to_go_back, source_of
from devctl.git.mirror.tree import Tree
from devctl.git.mirrored import File, Outcome, Result


def carry_all(manifest: Manifest, *, dry: bool = False) -> tuple[Outcome, ...]:
    """Every mirror of the manifest, in its order: what one carries over, a later one may carry on."""
    return tuple(carry(mirror, dry=dry) for mirror in manifest.mirrors)


def _nothing(step: str) -> None:
    """Nobody wants to know."""
    del step


def carry(mirror: Mirror, *, dry: bool = False, before: Before = _nothing) -> Outcome:
    """Carry one over. What can't be is in the outcome; raises nothing a user can cause."""
    try:
        with _opened(mirror, make=not dry) as (source, target):
            return _carried(mirror, source, target, dry=dry, before=before)
    except CommandError as error:
        return _refused(mirror, f"{error.what}: {error.why}", error.hint, dry=dry)
    except DevctlError as error:
        where = f" ({error.where})" if error.where else ""
        why = f": {error.why}" if error.why else ""
        return _refused(mirror, f"{error.what}{where}{why}", error.hint, dry=dry)
    except OSError as error:
        place = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
        return _refused(mirror, f"{error.strerror or error}{place}", "df -h, ls -la", dry=dry)


def _refused(mirror: Mirror, reason: str, hint: str, *, dry: bool) -> Outcome:
    return Outcome(mirror=mirror, result=Result.CONFLICT, reason=reason, hint=hint, dry=dry)


@contextmanager
def _opened(mirror: Mirror, *, make: bool) -> Iterator[tuple[Tree, Tree | None]]:
    """Both folders; None for a target that is not there and isn't to be made. Raises DevctlError, OSError."""
    source_path, target_path = Path(os.path.realpath(mirror.source)), Path(os.path.realpath(mirror.target))
    if not source_path.is_dir():
        raise DevctlError("there is no folder to carry over from", mirror.source, hint="get the sources")
    if source_path.is_relative_to(target_path) or target_path.is_relative_to(source_path):
        raise DevctlError(
            "one folder lies in the other", f"{source_path} and {target_path}", hint="correct services.yaml"
        )
    if not target_path.is_dir():
        if target_path.exists() or not target_path.parent.is_dir():
            raise DevctlError("there is no folder to carry over to", mirror.target, hint=f"mkdir -p {mirror.target}")
        if make:
            target_path.mkdir()
    source = Tree(source_path)
    try:
        target = Tree(target_path) if target_path.is_dir() else None
        try:
            yield source, target
        finally:
            if target:
                target.close()
    finally:
        source.close()


def _carried(mirror: Mirror, source: Tree, target: Tree | None, *, dry: bool, before: Before) -> Outcome:
    if target and not dry and not target.lock():
        raise DevctlError("another devctl is carrying over to it", mirror.target, hint="wait for it", code=Exit.FAILED)
    selection = Selection(mirror)
    record = _record(target)
    origin = origin_of(source, target) if target else ""
    refuse_to_go_back(source, origin, record.origins)
    found = source_of(source, selection)
    if not found.wanted and not found.unknown:
        why = "it is empty, or git would commit nothing of it; deleting everything there can't be meant"
        raise DevctlError("there is nothing to carry over", mirror.source, why, "git status, and include and exclude")
    decided = policy.plan(_facts(source, target, found, record.carried, selection))
    carrier = Carrier(source, target, record, origin, before) if target and not dry else None
    failed = carrier.carry(decided) if carrier else ()
    return _outcome(mirror, decided, failed, found.notes, dry=dry)


def _record(target: Tree | None) -> Record:
    if target is None:
        return Record()
    try:
        return read_record(target)
    except RecordUnusable as error:
        hint = f"look at it; git checkout -- {NAME}, or move it away"
        raise DevctlError(f"its record {NAME} is no file that can be read", str(target.root), hint=hint) from error


def _facts(source: Tree, target: Tree | None, found: Source, carried: Carried, selection: Selection) -> Facts:
    released = frozenset(path for path in carried if path not in selection)
    facts = Facts(
        wanted=found.wanted,
        present=_present(target, found, carried.keys() - released) if target else {},
        carried=carried,
        unknown=found.unknown,
        released=released,
    )
    open_ = policy.unexplained(facts)
    if not open_ or target is None:
        return facts
    proven = earlier_versions(source, target, open_)
    return msgspec.structs.replace(facts, proven=proven)


def _present(target: Tree, found: Source, carried: frozenset[str] | set[str]) -> dict[str, str]:
    present: dict[str, str] = {}
    for path in found.wanted.keys() | carried:
        state, blocker = target.state(path)
        if blocker:
            present[blocker] = target.state(blocker)[0]
        if state == ABSENT:
            continue
        present[path] = state
        if state == FOLDER and path in found.wanted:
            present |= {inside: target.state(inside)[0] for inside in target.below(path)}
    return present


def _outcome(
    mirror: Mirror, decided: Plan, failed: tuple[Conflict, ...], notes: tuple[str, ...], *, dry: bool
) -> Outcome:
    left = {conflict.path: conflict for conflict in (*decided.conflicts, *failed)}
    files = [
        File(path=change.path, change=change.word, old=change.renamed)
        for change in decided.changes
        if change.path not in left and not (change.after == ABSENT and _moved(decided, change.path))
    ]
    files += [File(path=path, change="conflict", reason=each.reason) for path, each in left.items()]
    result = Result.CONFLICT if left else Result.COPIED if files else Result.SAME
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return Outcome(mirror=mirror, result=result, files=ordered, notes=notes, dry=dry)


def _moved(decided: Plan, path: str) -> bool:
    """Whether the removed path is told already, as the old name of another."""
    return any(change.renamed == path for change in decided.changes)
