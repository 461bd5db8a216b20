"""The environment that is judged before a deployment: where its values come from, and what is secret in them.

With a file ``.env.NAME`` beside the manifest only that file counts: a value that happens to be set in this shell, or
stands in the ``.env`` of development, will not be there in production. Without one it is this process's own
environment, as in CI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from devctl.manifest import envfile
from devctl.safety.environment import Address
from devctl.safety.secrets import Kind, Secret, kind_of, user_of

_DEFAULT = re.compile(r"\$\{([A-Za-z_]\w*):?-([^{}$]+)\}")
_LARGEST = 1_000_000
_IN_QUERY = re.compile(r"(?:^|&)password=([^&]*)")
_UNREADABLE = re.compile(r"^(?:postgres|mysql|mariadb|redis|valkey|mongodb|amqp)[\w+]*://[^/:@\s]*:(.+)@", re.DOTALL)
"""An address whose password is written so that it can't be told where it ends: all up to the last @ is hidden."""


class Target(msgspec.Struct, frozen=True):
    """What would be deployed with: ``name`` such as production, ``file`` the path read or "", ``values`` the variables
    (every one of the file, or this whole process's environment)."""

    name: str
    file: str
    values: Mapping[str, str]

    @property
    def source(self) -> str:
        """Where the values come from, in words."""
        return Path(self.file).name if self.file else "the environment devctl runs in"

    def of(self, names: Iterable[str]) -> dict[str, str]:
        """The variables that are looked at: all of the file, or of the process's environment only those named."""
        wanted = set(names)
        return {name: value for name, value in self.values.items() if self.file or name in wanted}


def read(root: Path, name: str, environment: Mapping[str, str]) -> Target:
    """The environment called ``name``. Raises DevctlError for a file that can't be read."""
    file = root / f".env.{name}"
    if file.is_file():
        return Target(name, str(file), envfile.read(file, environment))
    return Target(name, "", dict(environment))


def development(root: Path, files: Iterable[Path], environment: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The values that variables have on developers' machines: those of ``.env``, and the defaults
    ``${VAR:-default}`` that stand in ``files`` (the manifest, Compose files). A file that can't be read says
    nothing."""
    found = {name: set(values) for name, values in defaults(files).items()}
    own = root / ".env"
    if own.is_file():
        for name, value in envfile.read(own, environment).items():
            found.setdefault(name, set()).add(value)
    return {name: frozenset(values) for name, values in found.items()}


def defaults(files: Iterable[Path]) -> dict[str, frozenset[str]]:
    """The defaults of variables, ``${VAR:-default}``, that stand in ``files``. One that can't be read says nothing."""
    found: dict[str, set[str]] = {}
    for file in files:
        for name, value in _DEFAULT.findall(_text(file)):
            found.setdefault(name, set()).add(value)
    return {name: frozenset(values) for name, values in found.items()}


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_LARGEST)
    except OSError:
        return ""


def secrets_in(values: Mapping[str, str]) -> list[Secret]:
    """Every secret: variables whose name says so, and the passwords in URLs. Unset ones are not among them."""
    found = []
    for name, value in values.items():
        if (parts := _split(value)) is not None:
            if (password := _password(parts)) is not None:
                user = unquote(parts.username or "")
                found.append(Secret(f"the password in {name}", password, Kind.PASSWORD, user))
        elif value and (kind := kind_of(name)):
            user = user_of(name, values) if kind is Kind.PASSWORD else ""
            found.append(Secret(name, value, kind, user))
    return found


def hidden(values: Mapping[str, str]) -> frozenset[str]:
    """What must never be printed: every secret, as it is and as it stands in an address, and whole addresses with
    one."""
    found: set[str] = set()
    for name, value in values.items():
        if match := _UNREADABLE.search(value):
            found |= {match[1], value}
        parts = _split(value)
        if parts is not None and (password := _password(parts)):
            found |= {parts.password or "", password, value, *_IN_QUERY.findall(parts.query)}
        elif parts is None and kind_of(name):
            found.add(value)
    return frozenset(each for each in found if each)


def addresses_in(values: Mapping[str, str]) -> list[Address]:
    """Where the URLs among the values lead. One that can't be read is no address; its form is judged elsewhere."""
    found = []
    for name, value in values.items():
        parts = _split(value)
        host = _host(parts) if parts is not None else None
        if parts is not None and host is not None:
            options = {key.lower(): each for key, each in parse_qsl(parts.query, keep_blank_values=True)}
            found.append(
                Address(name, parts.scheme.lower(), host, is_local(host), options, bool(_password(parts)),
                        unquote(parts.username or ""))
            )  # fmt: skip
    return found


def _split(value: str) -> SplitResult | None:
    if "://" not in value:
        return None
    try:
        parts = urlsplit(value.strip())
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme else None


def _base(parts: SplitResult) -> str:
    return parts.scheme.lower().partition("+")[0]


def _asked(parts: SplitResult, *names: str) -> list[str]:
    """What the query of a PostgreSQL address says: there it wins over what stands before it."""
    if _base(parts) not in {"postgresql", "postgres"}:
        return []
    return [value for key, value in parse_qsl(parts.query, keep_blank_values=True) if key in names]


def _password(parts: SplitResult) -> str | None:
    """As it is meant, None for none."""
    plain = None if parts.password is None else unquote(parts.password)
    return next(reversed(_asked(parts, "password")), plain)


def _host(parts: SplitResult) -> str | None:
    """The host, "" for a Unix socket; of several one that is elsewhere."""
    if _base(parts) in {"sqlite", "file", "unix"}:
        return None
    asked = _asked(parts, "host", "hostaddr") or [parts.hostname or ""]
    hosts = ["" if each.startswith("/") else each for each in asked]
    return next((each for each in hosts if not is_local(each)), hosts[0])


def is_local(host: str) -> bool:
    """Whether a host is this machine by its form alone; "" is a Unix socket."""
    name = host.lower().rstrip(".")
    return (
        name in {"", "localhost", "::1", "0:0:0:0:0:0:0:1"}
        or name.endswith(".localhost")
        or re.fullmatch(r"127(\.\d{1,3}){3}", name) is not None
    )
