"""The command: the error boundary around its verbs."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from types import FrameType
from typing import NoReturn

from devctl.cli.simple import simple
from devctl.errors import DevctlError, Exit


def main() -> NoReturn:
    """The console script. Ends without taking Python apart piece by piece: that costs a quick command 12 ms."""
    signal.signal(signal.SIGTERM, _terminated)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal can't show must not end a command
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):  # whoever read our output has gone, which is no error
            stream.flush()
    os._exit(code)


def _terminated(number: int, frame: FrameType | None) -> None:
    """So that what must be tidied up (a terminal's cursor) is."""
    del frame
    sys.exit(128 + number)


def run(arguments: list[str]) -> int:
    """Carry out a command line; the exit code. Whatever goes wrong is told on standard error, in words."""
    try:
        quickly = None if "_DEVCTL_COMPLETE" in os.environ else simple(arguments)
        return quickly() if quickly else _invoke(arguments)
    except DevctlError as error:
        return _tell(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return Exit.DONE
    except Exception as error:
        if os.environ.get("DEVCTL_DEBUG") == "1":
            raise
        from devctl.cli.crash import told

        return _tell(told(error, arguments))


def _invoke(arguments: list[str]) -> int:
    from devctl.cli.whole import invoke

    return invoke(arguments)


def _tell(error: DevctlError) -> int:
    from devctl.ui.errors import drawn
    from devctl.ui.theme import Screen

    screen = Screen(sys.stderr)
    screen.write(drawn(error, screen.glyphs, screen.width))
    return int(error.code)


if __name__ == "__main__":
    main()
