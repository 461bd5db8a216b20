"""The command: the error boundary around its verbs.

Nothing is imported before it stands: whoever presses Ctrl-C at once is told nothing strange.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper

TYPE_CHECKING = False  # typing itself, which takes 5 ms, is not needed for a supervisor to be on its way
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn, TextIO

    from devctl.errors import DevctlError


def main() -> NoReturn:
    """The console script. Ends without taking Python apart piece by piece: that costs a quick command 12 ms."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _terminated)
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal can't show must not end a command
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        code = max(code, _flushed(stream))
    os._exit(code)


def _open_streams() -> None:
    """A closed stream is no error: what is said there is said to nobody. (Nor may a file of ours take its number.)"""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _flushed(stream: TextIO | None) -> int:
    try:
        if stream is not None:
            stream.flush()
    except BrokenPipeError:  # whoever read our output has gone, which is no error
        return 0
    except OSError as error:
        return _tell(_unwritten(error))
    return 0


def _terminated(number: int, frame: FrameType | None) -> None:
    """So that what must be tidied up (a terminal's cursor) is."""
    del frame
    sys.exit(128 + number)


def run(arguments: list[str]) -> int:
    """Carry out a command line; the exit code. Whatever goes wrong is told on standard error, in words."""
    try:
        return _carried_out(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 - told in words, whatever it is
        return _failed(error, arguments)


def _carried_out(arguments: list[str]) -> int:
    from devctl.cli.simple import simple

    quickly = None if "_DEVCTL_COMPLETE" in os.environ else simple(arguments)
    if quickly:
        _heed_ctrl_c()
        return quickly()
    from devctl.cli.whole import invoke

    if "--help" not in arguments:
        import_module("msgspec")
    _heed_ctrl_c()
    return invoke(arguments)


def _heed_ctrl_c() -> None:
    """Once the extension modules are loaded: an exception in the middle of that may crash Python. Until then there is
    nothing to tidy up, and Ctrl-C simply ends us."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _failed(error: Exception, arguments: list[str]) -> int:
    from devctl.errors import DevctlError

    if isinstance(error, DevctlError):
        return _tell(error)
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _tell(_unwritten(error))
    if os.environ.get("DEVCTL_DEBUG") == "1":
        raise error
    from devctl.cli.crash import told

    return _tell(told(error, arguments))


def _unwritten(error: OSError) -> DevctlError:
    from devctl.errors import DevctlError

    where = str(error.filename or "standard output")
    return DevctlError("it cannot be written", where, (error.strerror or str(error)).lower(), "df -h")


def _tell(error: DevctlError) -> int:
    from devctl.ui.errors import drawn
    from devctl.ui.theme import Screen

    with suppress(OSError):  # nor can this be written then
        screen = Screen(sys.stderr)
        screen.write(drawn(error, screen.glyphs, screen.width))
    return int(error.code)


if __name__ == "__main__":
    main()
