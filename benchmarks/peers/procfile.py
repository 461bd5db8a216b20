"""The tools that read a Procfile: honcho and overmind."""

from __future__ import annotations

from rig.install import PINNED
from rig.stage import Stage

from peers.base import Argv, Peer, Wanted, numbered, shell_of


def procfile(at: Stage, wanted: Wanted) -> None:
    """Write it; neither knows an order."""
    lines = [f"{spec.name}: {shell_of(at, spec, port)}" for spec, port in numbered(at, wanted.work)]
    (at.folder / "Procfile").write_text("\n".join(lines) + "\n")


class Honcho(Peer):
    """In the foreground."""

    name = package = "honcho"
    foreground = True
    cannot = {
        "ready": "no dependencies and no readiness",
        "crash": "when one ends, it ends all",
        "hang": "no health checks",
        "list": "no command that lists",
        "tail": "keeps no logs: prints everything to its own output",
        "probes": "no health checks",
    }

    def version(self) -> str:
        return PINNED[self.package].version

    def write(self, at: Stage, wanted: Wanted) -> None:
        procfile(at, wanted)

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [[self.main(), "start", "-f", "Procfile"]]


class Overmind(Peer):
    """Daemonized; every process has a window of a tmux."""

    name = package = "overmind"
    cannot = {
        "ready": "no dependencies and no readiness",
        "hang": "no health checks",
        "tail": "keeps no logs: prints everything to its own output",
        "probes": "no health checks",
    }

    def version(self) -> str:
        return PINNED[self.package].version

    def write(self, at: Stage, wanted: Wanted) -> None:
        procfile(at, wanted)

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        restart = ["-r", "all"] if wanted.restart else ["--any-can-die"]
        return [[self.main(), "start", "-D", "-N", "-f", "Procfile", "-s", at.folder / "overmind.sock", *restart]]

    def stop(self, at: Stage) -> Argv:
        return [self.main(), "quit", "-s", at.folder / "overmind.sock"]

    def listing(self, at: Stage) -> Argv:
        return [self.main(), "status", "-s", at.folder / "overmind.sock"]
