"""What every tool is to the measurements: it writes its configuration, is started, asked and stopped."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rig import machine
from rig.marked import SERVICE
from rig.shapes import Spec, Work
from rig.stage import FailedError, Stage

Argv = Sequence[str | Path]


@dataclass(frozen=True)
class Wanted:
    """How a tool is set up.

    ``period``: seconds between probes; 0 the fastest that it allows; None its own default. ``restart``: what crashed
    is started again. ``hang``: so is what answers nothing. ``log``: a service's output is kept.
    """

    work: Work
    period: float | None = 0.0
    restart: bool = False
    hang: bool = False


class Peer:
    """A tool. What it can't do stands in ``cannot``, by ability: "ready", "crash", "hang", "log", "list", "tail"."""

    name: ClassVar[str]
    package: ClassVar[str] = ""
    """Its key in rig.install.PINNED; "" when it is not installed by us."""
    cannot: ClassVar[dict[str, str]] = {}
    fastest: ClassVar[str] = ""
    """Its fastest probe, as the table says it."""
    foreground: ClassVar[bool] = False
    terminal: ClassVar[bool] = False
    containers: ClassVar[bool] = False

    def __init__(self, programs: Path) -> None:
        self.programs = programs

    def version(self) -> str:
        """What it says of itself, or what is pinned."""
        raise NotImplementedError

    def write(self, at: Stage, wanted: Wanted) -> None:
        """Its configuration, into the stage's folder."""
        raise NotImplementedError

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        """The commands that start everything."""
        raise NotImplementedError

    def ready(self, at: Stage, wanted: Wanted) -> Argv | None:
        """A command that returns when all is ready; None when ``start`` returns then, or it can't say."""
        del at, wanted
        return None

    def stop(self, at: Stage) -> Argv | None:
        """The command that stops everything; None: Ctrl-C to the foreground."""
        del at
        return None

    def listing(self, at: Stage) -> Argv | None:
        """The command that lists the services and how they are."""
        del at
        return None

    def tail(self, at: Stage, name: str, lines: int) -> Argv | None:
        """The command that shows a service's last lines."""
        del at, name, lines
        return None

    def follow(self, at: Stage, name: str) -> Argv | None:
        """The command that goes on showing them."""
        del at, name
        return None

    def extra(self, at: Stage) -> dict[str, Argv]:
        """More quick commands, by name."""
        del at
        return {}

    def main(self) -> Path:
        """Its program."""
        return self.programs / self.name

    def helps(self) -> Argv:
        """What `--help` is asked of."""
        return [self.main()]

    def unable(self, *abilities: str) -> str:
        """Why it takes no part where these are measured; "" when it does."""
        return "; ".join(self.cannot[each] for each in abilities if each in self.cannot)


def port_of(at: Stage, work: Work, name: str) -> int:
    """A service's port."""
    return at.first_port + [each.name for each in work.services].index(name)


def argv_of(at: Stage, spec: Spec, port: int) -> list[str]:
    """A service's command."""
    return ["perl", str(SERVICE), *arguments_of(spec, port, str(at.journal.path))]


def arguments_of(spec: Spec, port: int, events: str) -> list[str]:
    """What service.pl is told; ``events`` is the file that it notes down in, where it runs."""
    values = (spec.name, port, spec.delay, spec.stopping, events, spec.bytes, machine.clock_gettime())
    return [str(value) for value in values]


def shell_of(at: Stage, spec: Spec, port: int) -> str:
    """The same for a shell, which becomes the service."""
    return "exec " + shlex.join(argv_of(at, spec, port))


def numbered(at: Stage, work: Work) -> list[tuple[Spec, int]]:
    """Every service with its port."""
    return [(spec, at.first_port + number) for number, spec in enumerate(work.services)]


def no_such(peer: Peer, what: str) -> FailedError:
    """It was asked for what it can't do."""
    return FailedError(f"{peer.name} has no {what}")
