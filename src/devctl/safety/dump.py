"""PostgreSQL's own pg_dump and pg_restore: those of the server's version, wherever they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devctl.command import CommandError, output, raw, which
from devctl.errors import DevctlError, Exit
from devctl.safety.redaction import redacted
from devctl.safety.url import DatabaseUrl

LONGEST = 6 * 3600.0
"""Seconds a dump may take."""
_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/opt/libpq/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True)
class Tools:
    """``words`` stand before the tool's arguments, its name put where ``{}`` is; ``url`` is the database's address as
    the tools see it; ``major`` is their version (0: the server's own). ``where`` says it for people."""

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    url: DatabaseUrl
    major: int
    where: str

    def argv(self, tool: str, *arguments: str) -> list[str]:
        """The command line. No password is in it."""
        return [*(word.replace("{}", tool) for word in self.words), *arguments]


def choose(found: Iterable[tuple[int, str]], server: int) -> tuple[int, str] | None:
    """Of (major version, folder), the one of the server's version, else the next newer: an older pg_dump refuses."""
    fitting = sorted((major, folder) for major, folder in found if major >= server)
    return fitting[0] if fitting else None


def on_this_machine(server: int, url: DatabaseUrl, environment: Mapping[str, str], beside: str = "") -> Tools | None:
    """The tools for a server of this major version: those in its own folder ``beside``, else those installed."""
    folders = [beside] if beside else []
    if path := which("pg_dump"):
        folders.append(str(Path(path).parent))
    folders += [str(folder) for place in _PLACES for folder in Path("/").glob(place[1:])]
    found = [(major, folder) for folder in dict.fromkeys(folders) if (major := _major(folder))]
    chosen = choose(found, server)
    if chosen is None:
        return None
    major, folder = chosen
    from devctl.safety.url import libpq_environment

    return Tools((f"{folder}/{{}}",), libpq_environment(url, environment), url, major, folder)


def _major(folder: str) -> int:
    program = Path(folder) / "pg_dump"
    if not (os.access(program, os.X_OK) and os.access(program.with_name("pg_restore"), os.X_OK)):
        return 0
    try:
        said = output([str(program), "--version"], timeout=10).out
    except CommandError:
        return 0
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


def in_container(container: str, docker: Sequence[str], url: DatabaseUrl, environment: Mapping[str, str]) -> Tools:
    """The tools in the server's own container; ``url`` is the database's address in there, ``environment`` that of the
    docker command."""
    from devctl.safety.url import libpq_environment

    own = libpq_environment(url, {})
    names = [word for name in own for word in ("--env", name)]  # by name: values would be seen in the list of processes
    words = (*docker, "exec", "-i", *names, container, "{}")
    return Tools(words, {**environment, **own}, url, 0, "the server's container")


def missing(server: int) -> DevctlError:
    """There is no pg_dump that could read this server."""
    return DevctlError(
        f"there is no pg_dump for PostgreSQL {server} on this machine",
        why="an older one refuses to read a newer server",
        hint=f"apt install postgresql-client-{server}, or: brew install postgresql@{server}",
        code=Exit.PRECONDITION,
    )


def dump(tools: Tools, file: Path, snapshot: str) -> None:
    """Write the database into ``file``, as it is in an exported snapshot. Raises DevctlError."""
    options = ["--format=custom", "--no-password", f"--snapshot={snapshot}", "--lock-wait-timeout=30s"]
    if tools.major:  # on this machine; to its standard output it would write the table of contents twice
        argv = tools.argv("pg_dump", *options, f"--file={file}")
        done = raw(argv, env=tools.environment, timeout=LONGEST, check=False)
    else:
        with file.open("wb") as target:
            argv = tools.argv("pg_dump", *options)
            done = raw(argv, env=tools.environment, timeout=LONGEST, check=False, target=target)
    if done.code:
        raise _failed("the backup could not be made", tools, done.err)


def entries(tools: Tools, file: Path) -> list[str]:
    """The dump's table of contents: it is whole when this can be read. Raises DevctlError."""
    with file.open("rb") as source:
        done = raw(tools.argv("pg_restore", "--list"), env=tools.environment, timeout=600, check=False, source=source)
    if done.code:
        raise _failed("the backup cannot be read", tools, done.err, str(file))
    return [line for line in done.out.decode(errors="replace").splitlines() if line and not line.startswith(";")]


def restore(tools: Tools, file: Path, database: str, server: int) -> list[str]:
    """Fill the empty ``database``; what had to be left out, in words. Raises DevctlError, the database then is to be
    thrown away. All of it is one transaction: half a restore is never seen."""
    code, said = _restored(tools, file, database, "--exit-on-error", "--single-transaction")
    if not code:
        return []
    if tools.major > server and "unrecognized configuration parameter" in said:
        code, said = _restored(tools, file, database)
        errors = [line for line in said.splitlines() if "error:" in line]
        if all("unrecognized configuration parameter" in line for line in errors):
            return []
    raise _failed("the backup could not be restored", tools, said.encode(), str(file))


def without_owners(tools: Tools, file: Path, database: str) -> list[str]:
    """As restore(), for roles that this server doesn't have: everything belongs to who restores."""
    code, said = _restored(
        tools, file, database, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"
    )
    if code:
        raise _failed("the backup could not be restored", tools, said.encode(), str(file))
    return ["owners and rights, since this server doesn't have the roles"]


def _restored(tools: Tools, file: Path, database: str, *options: str) -> tuple[int, str]:
    quoted = database.replace("\\", "\\\\").replace("'", "\\'")
    argv = tools.argv("pg_restore", "--no-password", f"--dbname=dbname='{quoted}'", *options)
    with file.open("rb") as source:
        done = raw(argv, env=tools.environment, timeout=LONGEST, check=False, source=source)
    return done.code, done.err.decode(errors="replace")


def _failed(what: str, tools: Tools, said: bytes, where: str = "") -> DevctlError:
    lines = [line for line in redacted(said.decode(errors="replace"), tools.url).splitlines() if line.strip()]
    return DevctlError(what, where or tools.url.shown, lines[0] if lines else "", details=tuple(lines[1:10]))
