"""What carrying a file over would do to the target's, as git shows it."""

from __future__ import annotations

import os
from pathlib import Path

from devctl.core.model import Mirror
from devctl.git.repository import Repository, decoded

_PLAIN = ("diff", "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--")
NOWHERE = "/dev/null"


def difference(mirror: Mirror, path: str) -> tuple[str, ...]:
    """The lines of a unified diff from the target's file to the source's; links are compared as links. () for none."""
    source, target = (Path(os.path.realpath(each)) for each in (mirror.source, mirror.target))
    ends = [str(each / path) if _is_file(each, path) else NOWHERE for each in (target, source)]
    if ends == [NOWHERE, NOWHERE]:
        return ()
    done = Repository(source).ask(*_PLAIN, *ends)
    lines = decoded(done.out).splitlines()
    body = next((number for number, line in enumerate(lines) if line.startswith(("@@", "Binary"))), len(lines))
    modes = [line for line in lines[:body] if line.startswith(("old mode", "new mode"))]
    if not lines[body:] and not modes:
        return ()
    shown = [f"{name}/{path}" for name in reversed(mirror.names if all(mirror.names) else (str(source), str(target)))]
    heads = [NOWHERE if end == NOWHERE else name for end, name in zip(ends, shown, strict=True)]
    text = ["binary files differ"] if lines[body:] and lines[body].startswith("Binary") else lines[body:]
    return (f"--- {heads[0]}", f"+++ {heads[1]}", *modes, *text)


def _is_file(folder: Path, path: str) -> bool:
    """Whether there is a file or link, with no link above it: such a path leads out of the folder."""
    full = folder / path
    above = full.parent
    while above != folder:
        if above.is_symlink():
            return False
        above = above.parent
    return full.is_symlink() or full.is_file()
