"""The user's workspaces: which folders were ever supervised on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from devctl.workspace import Workspace, locked, write_atomic

PATIENCE = 3.0
"""Seconds to wait for another workspace that registers, which takes a millisecond."""


class _Known(msgspec.Struct, frozen=True):
    name: str
    root: str


def register(workspace: Workspace) -> None:
    """Let the user's other workspaces know of this one. Without a home that can be written to, or with a registry that
    somebody keeps locked, they never learn."""
    try:
        with _registry() as file:
            known = _read_registry(file)
            kept = {key: each for key, each in known.items() if (Path(each.root) / ".devctl").is_dir()}
            fresh = kept | {workspace.id: _Known(name=workspace.name, root=str(workspace.root))}
            if fresh != known:
                write_atomic(file, msgspec.json.encode(fresh))
    except (OSError, UnicodeEncodeError):  # the latter for a folder whose name is no text
        return


def known_workspaces() -> dict[str, Workspace]:
    """All workspaces of this user that were ever supervised and still stand, by id."""
    known = _read_registry(_registry_file())
    found = [Workspace(Path(each.root), each.name) for each in known.values() if Path(each.root).is_dir()]
    return {each.id: each for each in found}


def others() -> dict[str, tuple[str, str]]:
    """Every workspace of this user that was ever supervised and still stands: id → its name and folder."""
    return {key: (each.name, str(each.root)) for key, each in known_workspaces().items()}


def _registry_file() -> Path:
    """``$XDG_STATE_HOME/devctl/workspaces.json`` (XDG Base Directory Specification: a relative value is ignored)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    home = os.path.expanduser("~")  # noqa: PTH111 - unlike Path.home it never raises
    return (Path(state) if state.startswith("/") else Path(home) / ".local/state") / "devctl/workspaces.json"


@contextmanager
def _registry() -> Iterator[Path]:
    """The registry's file, for one writer at a time. Raises OSError."""
    file = _registry_file()
    if not file.is_absolute():
        raise FileNotFoundError(file)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file.parent / "workspaces.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not locked(descriptor, PATIENCE):
            raise TimeoutError(file)
        yield file
    finally:
        os.close(descriptor)


def _read_registry(file: Path) -> dict[str, _Known]:
    """A broken file counts as none: each workspace registers again with its next ``up``."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, _Known])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
