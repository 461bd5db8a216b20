"""A bug in devctl itself: its traceback goes to a file, the screen gets a sentence."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path

from devctl import __version__
from devctl.errors import DevctlError, Exit

KEPT = "crash.log"


def told(error: Exception, arguments: list[str]) -> DevctlError:
    """The sentence for the screen. The traceback is saved below ``.devctl/`` where there is one."""
    trace = "".join(traceback.format_exception(error))
    head = (
        f"{time.strftime('%Y-%m-%d %H:%M:%S')} devctl {__version__}, Python {platform.python_version()}, {sys.platform}"
    )
    place = _saved(f"{head}\ndevctl {' '.join(arguments)}\n\n{trace}")
    return DevctlError(
        what=f"this is a bug in devctl: {type(error).__name__}: {error}",
        where=place,
        why="the file holds what a developer of devctl needs to know",
        hint="DEVCTL_DEBUG=1 devctl … prints it",
        code=Exit.FAILED,
    )


def _saved(text: str) -> str:
    for folder in (*(parent / ".devctl" for parent in (Path.cwd(), *Path.cwd().parents)), Path(tempfile.gettempdir())):
        if folder.is_dir():
            try:
                (folder / KEPT).write_text(text)
            except OSError:
                continue
            return str(folder / KEPT)
    return ""
