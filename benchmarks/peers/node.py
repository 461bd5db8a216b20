"""What npm brings: concurrently with wait-on, pm2, mprocs."""

from __future__ import annotations

import json
import shutil

from rig.install import PINNED
from rig.stage import Stage

from peers.base import Argv, Peer, Wanted, argv_of, no_such, numbered, port_of, shell_of

INTERVAL = "50"
"""Milliseconds between wait-on's tries (250 by default): with fifty of them waiting at once, faster ones are slower."""


class Concurrently(Peer):
    """Each command that needs another one waits for it with a wait-on of its own."""

    name = package = "concurrently"
    fastest = "50 ms (wait-on; 250 ms by default)"
    foreground = True
    cannot = {
        "hang": "no health checks after the start",
        "list": "no command that lists",
        "tail": "keeps no logs: prints everything to its own output",
        "probes": "probes nothing after the start",
    }

    def version(self) -> str:
        return PINNED[self.package].version

    def write(self, at: Stage, wanted: Wanted) -> None:
        """Everything is in the arguments."""

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        commands = []
        for spec, port in numbered(at, wanted.work):
            waiting = ""
            if spec.needs:
                address = f"http-get://127.0.0.1:{port_of(at, wanted.work, spec.needs)}/"
                waiting = f"{self.programs / 'wait-on'} -i {INTERVAL} {address} && "
            commands.append(waiting + shell_of(at, spec, port))
        restart = ["--restart-tries", "-1", "--restart-after", "0"] if wanted.restart else []
        return [[self.main(), *restart, *commands]]

    def ready(self, at: Stage, wanted: Wanted) -> Argv:
        ports = [port_of(at, wanted.work, name) for name in wanted.work.leaves]
        return [self.programs / "wait-on", "-i", INTERVAL, *(f"http-get://127.0.0.1:{port}/" for port in ports)]


class Pm2(Peer):
    """A daemon of its own for each round."""

    name = package = "pm2"
    cannot = {
        "ready": "no dependencies and no readiness of a command's own",
        "hang": "no health checks",
        "probes": "no health checks",
    }

    def version(self) -> str:
        return PINNED[self.package].version

    def write(self, at: Stage, wanted: Wanted) -> None:
        apps = []
        for spec, port in numbered(at, wanted.work):
            program, *arguments = argv_of(at, spec, port)
            apps.append(
                {
                    "name": spec.name, "script": shutil.which(program), "args": arguments, "interpreter": "none",
                    "cwd": str(at.folder), "autorestart": wanted.restart, "kill_timeout": 10000,
                }
            )  # fmt: skip
        (at.folder / "ecosystem.json").write_text(json.dumps({"apps": apps}))

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [[self.main(), "start", "ecosystem.json", "--silent"]]

    def stop(self, at: Stage) -> Argv:
        return [self.main(), "kill"]

    def listing(self, at: Stage) -> Argv:
        return [self.main(), "ls"]

    def tail(self, at: Stage, name: str, lines: int) -> Argv:
        return [self.main(), "logs", name, "--nostream", "--raw", "--lines", str(lines)]

    def follow(self, at: Stage, name: str) -> Argv:
        return [self.main(), "logs", name, "--raw", "--lines", "1"]


class Mprocs(Peer):
    """A terminal program: it runs in a terminal that is read dry."""

    name = package = "mprocs"
    foreground = terminal = True
    cannot = {
        "ready": "no dependencies and no readiness",
        "hang": "no health checks",
        "list": "no command that lists: it is a screen",
        "tail": "keeps no logs: it is a screen",
        "probes": "no health checks",
    }

    def version(self) -> str:
        return PINNED[self.package].version

    def write(self, at: Stage, wanted: Wanted) -> None:
        procs = {
            spec.name: {"cmd": argv_of(at, spec, port), "autorestart": wanted.restart}
            for spec, port in numbered(at, wanted.work)
        }
        server = f"127.0.0.1:{at.first_port + len(wanted.work.services)}"
        (at.folder / "mprocs.yaml").write_text(json.dumps({"server": server, "procs": procs}))
        self.server = server

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [[self.main()]]

    def stop(self, at: Stage) -> Argv:
        if not self.server:
            raise no_such(self, "server")
        return [self.main(), "--server", self.server, "--ctl", "{c: quit}"]
