"""The manifest's ``seed``, run with the service's own python first on the PATH, on the database that is meant.

``main`` takes what ``programs.migrations`` takes of the address, and ``command``; it returns the seed's last lines.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from devctl.safety.programs.migrations import IDENTITY, OtherDatabase, address


class SeedFailed(Exception):
    """The seed ended with another code than 0; its text are the code and the last lines."""


def main(given: dict[str, Any]) -> list[str]:
    """Run the seed. Raises OtherDatabase, SeedFailed, and what programs.connect raises."""
    url = address(given)
    usual = ["DATABASE_URL"] if os.environ.get("DATABASE_URL") else []  # whatever it leads to, it is not what is meant
    for variable in given["variables"] or usual:
        os.environ[variable] = url
    _must_lead(url, given)
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    done = subprocess.run(
        ["/bin/sh", "-c", given["command"]],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    lines = done.stdout.decode(errors="replace").splitlines()[-15:]
    if done.returncode:
        raise SeedFailed("\n".join([f"exit code {done.returncode}", *lines]))
    return lines


def _must_lead(url: str, given: dict[str, Any]) -> None:
    if url.startswith("sqlite"):
        return
    from devctl.safety.programs.connect import Session

    session = Session(url, 10.0)
    try:
        found = [session.value(query) for query in IDENTITY]
    finally:
        session.close()
    if found != given["identity"]:
        raise OtherDatabase(f"the service's address leads to another database than {given['identity'][0]}")
