"""supervisord."""

from __future__ import annotations

import shlex

from rig.install import PINNED
from rig.stage import Stage

from peers.base import Argv, Peer, Wanted, argv_of, numbered

HEAD = """[unix_http_server]
file={folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[supervisord]
pidfile={folder}/supervisord.pid
logfile={folder}/supervisord.log
childlogdir={folder}
minfds={descriptors}
"""


class Supervisord(Peer):
    """Detached, on a Unix socket."""

    name = package = "supervisord"
    cannot = {
        "ready": "an order of starts (priority), but no dependencies and no readiness",
        "hang": "no health checks of its own",
        "probes": "no health checks",
    }

    def version(self) -> str:
        return PINNED[self.package].version

    def write(self, at: Stage, wanted: Wanted) -> None:
        text = HEAD.format(folder=at.folder, descriptors=1024 + 8 * len(wanted.work.services))
        for spec, port in numbered(at, wanted.work):
            command = shlex.join(argv_of(at, spec, port)).replace("%", "%%")
            restart = "true" if wanted.restart else "false"
            text += f"[program:{spec.name}]\ncommand={command}\nautorestart={restart}\n"
            text += f"stdout_logfile={at.folder}/{spec.name}.log\n"
        (at.folder / "supervisord.conf").write_text(text)

    def start(self, at: Stage, wanted: Wanted) -> list[Argv]:
        return [[self.main(), "-c", at.folder / "supervisord.conf"]]

    def _control(self, at: Stage, *words: str) -> Argv:
        return [self.programs / "supervisorctl", "-c", at.folder / "supervisord.conf", *words]

    def stop(self, at: Stage) -> Argv:
        return self._control(at, "shutdown")

    def listing(self, at: Stage) -> Argv:
        return self._control(at, "status")

    def tail(self, at: Stage, name: str, lines: int) -> Argv:
        return self._control(at, "tail", f"-{lines * 113}", name)

    def follow(self, at: Stage, name: str) -> Argv:
        return self._control(at, "tail", "-f", name)
