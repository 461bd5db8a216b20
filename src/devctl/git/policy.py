"""What may be done in a repository, decided from its facts alone: nothing here asks git, a file or the clock."""

from __future__ import annotations

import re

from devctl.core.model import GitRepository, Value
from devctl.git.report import Refusal

SECRET_NAMES = re.compile(
    r"(?:.*\.)?(?:env|kdbx|jks|keystore|p12|pfx|ppk)|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?|.*\.key|\.netrc|\.pypirc|\.pgpass"
    r"|\.git-credentials|\.htpasswd|secring\.gpg",
    re.IGNORECASE,
)
ENVIRONMENT = re.compile(r"#?\.env(?:[^a-z].*)?|.+\.env(?:[~#]|\.(?:bak|old|orig|save|sw[a-z]))?", re.IGNORECASE)
"""With the copies that editors and people make of such a file."""
HARMLESS = re.compile(r".*[._-](?:example|sample|template|dist|defaults?|schema)(?:\.env)?", re.IGNORECASE)
"""Files that show which variables there are, and no values."""
MARKERS = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?: .*)?\r?$", re.MULTILINE)
"""The lines git writes around the two sides of a conflict (``=======`` alone may as well be a heading)."""


class Standing(Value):
    """What is known of a repository when it is decided: the parts of its facts that count. ``conflict`` is the first
    file in conflict, with its line where that is known."""

    problem: str = ""
    is_root: bool = True
    branch: str = ""
    detached: bool = False
    operations: tuple[str, ...] = ()
    unmerged: tuple[str, ...] = ()
    conflict: str = ""
    locked: str = ""


class Go(Value):
    """It may be synced."""


class Skip(Value):
    """There is nothing to do with it, and that is no failure."""

    reason: str


class Refuse(Value):
    """Nothing may be done in it before somebody has looked. Existing commits stay unpushed too."""

    refusal: Refusal


Verdict = Go | Skip | Refuse


def decide(facts: Standing, section: GitRepository) -> Verdict:
    """Whether the repository may be synced."""
    if not facts.is_root:
        return Skip(f"{facts.problem or 'it is not the root of a repository'}: nothing to sync")
    if facts.problem:
        return Refuse(Refusal(facts.problem, section.path, f"git -C {section.path} status"))
    if not (section.sync_branches or section.remotes or section.promote):
        return Skip("the manifest has no git.sync for it")
    if facts.operations:
        return Refuse(_unfinished(facts, section.path))
    if facts.unmerged:
        hint = f"resolve it, then git -C {section.path} add {facts.unmerged[0]}"
        return Refuse(Refusal("it is in conflict", facts.conflict or facts.unmerged[0], hint))
    if facts.detached:
        hint = (
            f"git -C {section.path} switch {section.branch or 'BRANCH'} (or switch -c NAME, to keep what you did here)"
        )
        return Refuse(Refusal("HEAD is at a commit and on no branch, so work would belong to none", section.path, hint))
    if facts.locked:
        why = "another git works here, or one was killed"
        return Refuse(Refusal(why, facts.locked, f"when no git runs here any more: rm {facts.locked}"))
    return Go()


def _unfinished(facts: Standing, path: str) -> Refusal:
    name = facts.operations[0]
    word = name.partition(" ")[0]
    where = facts.conflict or next(iter(facts.unmerged), path)
    if name == "bisect":
        return Refusal("a bisect goes on", where, f"git -C {path} bisect reset")
    return Refusal(
        f"a {name} is unfinished", where, f"git -C {path} {word} --continue (or {word} --abort), then devctl sync"
    )


def forbidden(path: str) -> str:
    """Why a file of this name is never committed, "" when its name says nothing against it."""
    name = path.rpartition("/")[2]
    if HARMLESS.fullmatch(name):
        return ""
    if ENVIRONMENT.fullmatch(name):
        return "it is an environment file, which holds secrets"
    return "it is a file of keys or passwords, by its name" if SECRET_NAMES.fullmatch(name) else ""


def forbidden_hint(path: str) -> str:
    """The way out for such a file."""
    return f"add {path} to .gitignore (git rm --cached {path}, when git knows it already)"


def too_large(size: int, limit: int) -> str:
    """Why a file of ``size`` bytes is not committed, "" when it may."""
    return f"it has {_size(size)}, more than max_file_size ({_size(limit)})" if size > limit else ""


def _size(count: int) -> str:
    value, units = float(count), ["B", "kB", "MB", "GB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}"


def marker_line(content: bytes, before: bytes) -> int:
    """The line of the first conflict marker that is not in ``before`` (the committed version) too; 0: there is none."""
    found = list(MARKERS.finditer(content))
    if len(found) <= len(MARKERS.findall(before)):
        return 0
    known = {match.group() for match in MARKERS.finditer(before)}
    first = next((match for match in found if match.group() not in known), found[0])
    return content.count(b"\n", 0, first.start()) + 1
