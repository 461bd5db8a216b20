"""Remotes: what they have, and taking work there. Every call ends within its time, and none of them ever forces."""

from __future__ import annotations

import re
import time

from devctl.core.model import Value
from devctl.git.repository import Repository
from devctl.git.urls import scrubbed

HEADS = "refs/heads/"
REWRITTEN = re.compile(r"^ ! \[rejected\] +(\S+) +-> .*\(non-fast-forward\)", re.MULTILINE)
LISTED = re.compile(r"^ [ +*=!t-] (?:\[[^\]]+\]|[0-9a-f]+\.{2,3}[0-9a-f]+) +(\S+) +-> +\S", re.MULTILINE)
_SUMMARY = re.compile(r"^([ +\-*!=])\t([^\t]*)\t(.*)$")


_NOISE = ("Please make sure", "and the repository exists", "error: failed to push some refs", "hint:", "To ")
"""What git says of every failure."""


class Reached(Value):
    """A remote that was asked. ``detail`` is "" when it answered; ``took`` are seconds. ``heads`` are its branches with
    their commits, where the tracking refs do not say it; otherwise ``names`` are those it has: nothing is pruned here,
    so there may be tracking refs of branches that are gone there."""

    remote: str
    detail: str = ""
    took: float = 0.0
    heads: dict[str, str] | None = None
    names: tuple[str, ...] = ()


class Outcome(Value):
    """A push. ``detail`` is "" when all was taken; ``branches`` maps each refused one to why; ``reached``: it
    answered."""

    remote: str
    detail: str = ""
    branches: dict[str, str] = {}
    reached: bool = True
    took: float = 0.0


async def fetch(repository: Repository, remote: str, timeout: float) -> Reached:
    """Bring the tracking refs up to date. Nothing is pruned, and a branch that was rewritten there keeps its old ref,
    so that nothing that could be reached no longer can."""
    began = time.monotonic()
    words = ("--verbose", "--no-prune", "--no-recurse-submodules", "--no-write-fetch-head", "--refmap=")
    done = await repository.talk(
        "-c", "fetch.output=full", "fetch", *words, remote, f"{HEADS}*:refs/remotes/{remote}/*", timeout=timeout
    )
    took = time.monotonic() - began
    if done is None:
        return Reached(remote, f"no answer within {timeout:g} s", took)
    names = tuple(match[1] for match in LISTED.finditer(done.err))
    if done.code == 0 and names:
        return Reached(remote, took=took, names=names)
    if done.code == 0 or REWRITTEN.search(done.err):
        heads = await ask(repository, remote, max(1.0, timeout - took))
        return Reached(remote, heads.detail, time.monotonic() - began, heads.heads)
    return Reached(remote, reason(done.err), took)


async def peek(repository: Repository, remote: str, timeout: float) -> Reached:
    """The branches it has, with their commits brought here, and no ref changed: what a dry run needs to know."""
    began = time.monotonic()
    found = await ask(repository, remote, timeout)
    if found.detail or not found.heads:
        return found
    words = ("--no-write-fetch-head", "--refmap=", "--no-tags", "--no-recurse-submodules", "--quiet")
    left = max(1.0, timeout - found.took)
    done = await repository.talk("fetch", *words, remote, *(HEADS + name for name in found.heads), timeout=left)
    detail = f"no answer within {timeout:g} s" if done is None else reason(done.err) if done.code else ""
    return Reached(remote, detail, time.monotonic() - began, found.heads)


async def ask(repository: Repository, remote: str, timeout: float) -> Reached:
    """The branches it has, nothing brought here."""
    began = time.monotonic()
    done = await repository.talk("ls-remote", "--heads", "--quiet", remote, timeout=timeout)
    took = time.monotonic() - began
    if done is None:
        return Reached(remote, f"no answer within {timeout:g} s", took)
    if done.code:
        return Reached(remote, reason(done.err), took)
    lines = (line.split("\t") for line in done.out.splitlines())
    heads = {line[1].removeprefix(HEADS): line[0] for line in lines if len(line) == 2}
    return Reached(remote, "", took, heads)


async def push(
    repository: Repository, remote: str, heads: dict[str, str], timeout: float, *, atomic: bool = True
) -> Outcome:
    """Take these commits (branch at the remote → commit) there: all or none, where the remote can do that. Hooks run;
    nothing is forced."""
    began = time.monotonic()
    specs = [f"{commit}:{HEADS}{branch}" for branch, commit in heads.items()]
    done = await repository.talk(
        "-c", f"remote.{remote}.mirror=false",  # would be a forced push of everything
        "push", *(["--atomic"] if atomic else []), "--porcelain", "--no-follow-tags", "--recurse-submodules=no",
        remote, *specs,
        timeout=timeout,
    )  # fmt: skip
    took = time.monotonic() - began
    if done is None:
        return Outcome(remote, f"no answer within {timeout:g} s", reached=False, took=took)
    if done.code == 0:
        return Outcome(remote, took=took)
    if atomic and "does not support --atomic" in done.err:
        return await push(repository, remote, heads, max(1.0, timeout - took), atomic=False)
    refused = _refused(done.out)
    said = _hook_words(done.err)
    if not refused:
        return Outcome(remote, reason(done.err), reached=not _unreachable(done.err), took=took)
    branches = {branch: f"{why}: {said}" if said and "hook" in why else why for branch, why in refused.items()}
    return Outcome(remote, next(iter(branches.values())), branches, took=took)


def _refused(porcelain: str) -> dict[str, str]:
    """The branches that the remote itself refused → why. Those that only went down with them aren't among them."""
    found: dict[str, str] = {}
    for line in porcelain.splitlines():
        match = _SUMMARY.match(line)
        if match and match[1] == "!":
            branch = match[2].rpartition(":")[2].removeprefix(HEADS)
            why = match[3].partition("(")[2].rstrip(")") or match[3]
            found[branch] = why
    own = {branch: why for branch, why in found.items() if "atomic" not in why}
    return own or found


def _hook_words(err: str) -> str:
    """What a hook of the remote said, in one line."""
    lines = [line.removeprefix("remote:").strip() for line in err.splitlines() if line.startswith("remote:")]
    return " ".join(line for line in lines if line and not line.startswith("error:"))[:200]


def reason(err: str) -> str:
    """Why git could not talk to a remote, in one line."""
    lines = [line.strip() for line in err.splitlines() if line.strip() and not line.strip().startswith(_NOISE)]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:", "remote:"))]
    first = next(iter(told or lines[-1:]), "git gives no reason")
    return scrubbed(re.sub(r"^(?:fatal|error|remote): *", "", first))[:300]


def _unreachable(err: str) -> bool:
    return any(
        word in err
        for word in ("Could not read from remote", "unable to access", "Could not resolve", "unable to connect")
    )
