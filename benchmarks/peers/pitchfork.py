"""pitchfork."""

from __future__ import annotations

import json

from rig.install import PINNED
from rig.stage import Stage

from peers.base import Argv, Peer, Wanted, numbered, shell_of

FASTEST = "10ms"


class Pitchfork(Peer):
    """A supervisor of its own for each round; `start` returns when all are ready."""

    name = package = "pitchfork"
    fastest = "10 ms (500 ms by default)"
    cannot = {"hang": "no liveness checks: a daemon that hangs stays so"}

    def version(self) -> str:
        return PINNED[self.package].version

    def write(self, at: Stage, wanted: Wanted) -> None:
        lines = []
        for spec, port in numbered(at, wanted.work):
            lines += [
                f"[daemons.{spec.name}]",
                f"run = {json.dumps(shell_of(at, spec, port))}",
                f'ready_http = "http://127.0.0.1:{port}/"',
                *([f"depends = [{json.dumps(spec.needs)}]"] if spec.needs else []),
                *(["retry = true"] if wanted.restart else []),
            ]
        (at.folder / "pitchfork.toml").write_text("\n".join(lines) + "\n")
        if wanted.period is not None:
            at.env["PITCHFORK_READY_CHECK_INTERVAL"] = f"{wanted.period:g}s" if wanted.period else FASTEST
            at.env["PITCHFORK_INTERVAL"] = f"{wanted.period:g}s" if wanted.period else "100ms"

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [[self.main(), "start", "--local"]]

    def stop(self, at: Stage) -> Argv:
        return ["sh", "-c", f"{self.main()} stop --all; {self.main()} supervisor stop"]

    def listing(self, at: Stage) -> Argv:
        return [self.main(), "list"]

    def tail(self, at: Stage, name: str, lines: int) -> Argv:
        return [self.main(), "logs", name, "-n", str(lines), "--raw", "--no-pager"]

    def follow(self, at: Stage, name: str) -> Argv:
        return [self.main(), "logs", name, "--tail", "-n", "1", "--raw"]
