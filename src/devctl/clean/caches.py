"""Caches of package managers: weighed, and emptied by the tool itself, which knows who else uses them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from devctl.clean.artefacts import Weighed
from devctl.clean.policy import Item, Kind, Running
from devctl.command import CommandError, output, which
from devctl.errors import DevctlError
from devctl.git.repository import Repository

ASK, EMPTY = 60.0, 300.0
"""Seconds a tool may take to say where its cache is, and to empty it."""


class Tool(NamedTuple):
    """``where`` prints the cache's folder, ``empty`` empties it. ``below``: the part of the folder that is emptied."""

    where: tuple[str, ...]
    empty: tuple[str, ...]
    below: str = ""


TOOLS = {
    "npm": Tool(("npm", "config", "get", "cache"), ("npm", "cache", "clean", "--force"), "_cacache"),
    "pnpm": Tool(("pnpm", "store", "path"), ("pnpm", "store", "prune")),
    "yarn": Tool(("yarn", "cache", "dir"), ("yarn", "cache", "clean")),
    "pip": Tool(("python3", "-m", "pip", "cache", "dir"), ("python3", "-m", "pip", "cache", "purge")),
    "uv": Tool(("uv", "cache", "dir"), ("uv", "cache", "clean")),
}


def find(caches: Sequence[str], root: str, now: Running) -> list[Item]:
    """The caches that are there and not empty, each weighed."""
    return [item for name in caches if (item := _look(name, root, now))]


def _look(name: str, root: str, now: Running) -> Item | None:
    tool = TOOLS[name]
    if which(tool.where[0]) is None:
        return None
    try:
        folder = _folder(tool, root)
    except DevctlError as error:
        return Item(kind=Kind.CACHE, key=name, name=name, refusal=f"{error.what}: {error.why}".rstrip(": "))
    if not folder.is_dir():
        return None
    size = weight(folder)
    if not size:
        return None
    return Item(
        kind=Kind.CACHE, key=name, name=name, size=size, detail=f"{folder}, shared by all projects",
        refusal=_refusal(folder, now),
    )  # fmt: skip


def _folder(tool: Tool, root: str) -> Path:
    said = output(tool.where, cwd=root, env=_environment(), timeout=ASK).out.strip().splitlines()
    folder = Path(said[-1]) if said else Path()
    if not folder.is_absolute():
        raise DevctlError(f"{tool.where[0]} does not say where its cache is")
    return folder / tool.below


def _refusal(folder: Path, now: Running) -> str:
    if now.installing:
        return f"the setup of {now.installing[0]} uses it"
    try:
        tracked = Repository(folder).line("ls-files", "--", ".")
    except CommandError as error:
        return f"git does not say whether it has something of it: {error.why}"
    return "git has files of it" if tracked else ""


def _environment() -> dict[str, str]:
    """What keeps the tools from asking, and from looking for a newer version of themselves."""
    quiet = {"CI": "1", "NO_UPDATE_NOTIFIER": "1", "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0", "NO_COLOR": "1"}
    return {**os.environ, **quiet, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "npm_config_update_notifier": "false"}


def weight(folder: Path) -> int:
    """Bytes that what is in a folder takes on the disk; what can't be looked at counts nothing."""
    found = 0
    for path in folder.iterdir():
        try:
            weighed = Weighed()
            weighed.add(str(path), path.lstat())
        except OSError:
            continue
        found += weighed.size
    return found


def empty(item: Item, root: str) -> int:
    """Have the tool empty its cache; bytes given back. Raises DevctlError."""
    tool = TOOLS[item.key]
    folder = _folder(tool, root)
    before = weight(folder)
    output(tool.empty, cwd=root, env=_environment(), timeout=EMPTY)
    return max(0, before - (weight(folder) if folder.is_dir() else 0))
