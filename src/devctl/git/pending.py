"""What could not be pushed yet, remembered beside the manifest: read by ``status`` without asking git anything."""

from __future__ import annotations

import msgspec

from devctl.core.model import Value
from devctl.workspace import Workspace, write_atomic


class Waiting(Value):
    """Work that a remote lacks. ``commits`` is how many; ``reason`` why; ``since`` wall-clock seconds."""

    repository: str
    remote: str
    branches: tuple[str, ...]
    commits: int = 0
    reason: str = ""
    since: float = 0.0

    def __str__(self) -> str:
        """As ``status`` says it."""
        counted = f"{self.commits} commit{'' if self.commits == 1 else 's'}" if self.commits else "work"
        return (
            f"{counted} not yet on {self.remote}: {self.reason}"
            if self.reason
            else f"{counted} not yet on {self.remote}"
        )


def read(workspace: Workspace) -> tuple[Waiting, ...]:
    """What waits, () when nothing does or nothing is known."""
    try:
        return msgspec.json.decode((workspace.folder / "git-pending.json").read_bytes(), type=tuple[Waiting, ...])
    except (OSError, msgspec.DecodeError):
        return ()


def write(workspace: Workspace, waiting: tuple[Waiting, ...]) -> None:
    """Remember exactly this. Raises OSError."""
    file = workspace.folder / "git-pending.json"
    if waiting or file.exists():
        workspace.prepare()
        write_atomic(file, msgspec.json.encode(waiting))
