"""The address of a service's database: filled in, taken apart, put together again, and never shown with its password.

Pure. Taken apart as SQLAlchemy does it, since that is what connects in the end: whatever could be read in two ways, or
holds more than one server, is an error or is kept apart for the judgement in ``policy``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from devctl.core.model import ProcessSpec, Service
from devctl.errors import DevctlError, Exit
from devctl.manifest.interpolate import TemplateError, fill, variables

PORT = 5432
HIDDEN = "…"
_FORM = re.compile(
    r"""(?P<scheme>[\w+]+)://
        (?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?
        (?:\[(?P<six>[^/?\]]+)\]|(?P<host>[^/:?]+))?
        (?::(?P<port>[^/?]*))?
        (?:/(?P<name>[^?]*))?
        (?:\?(?P<query>.*))?""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
SECRET_OPTIONS = frozenset({"password", "sslpassword"})
"""Of the query, those that hold a password."""


class Dialect(StrEnum):
    """The kinds of database there is care for."""

    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


class UrlError(ValueError):
    """An address that isn't understood. Its text never holds the address."""


@dataclass(frozen=True)
class Server:
    """Where a PostgreSQL server listens: a host, a folder of Unix sockets, or "" for the driver's default socket.

    ``address`` is libpq's hostaddr: it wins over ``host``.
    """

    host: str = ""
    port: int = PORT
    address: str = ""

    def __str__(self) -> str:
        host = self.address or self.host or "the local socket"
        shown = f"[{host}]" if ":" in host else host
        return shown if self.port == PORT or self.is_socket else f"{shown}:{self.port}"

    @property
    def is_socket(self) -> bool:
        """Whether it is reached by a Unix socket."""
        return not self.address and (not self.host or self.host.startswith(("/", "@")))


@dataclass(frozen=True)
class DatabaseUrl:
    """An address in parts. ``name`` is the database, or SQLite's file as written ("" in memory). ``options`` are the
    query's pairs that are not parts already; ``service`` is libpq's, which may lead anywhere."""

    dialect: Dialect
    driver: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    servers: tuple[Server, ...] = ()
    name: str = ""
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    service: str = ""

    @property
    def server(self) -> Server:
        """The one server there is."""
        return self.servers[0] if self.servers else Server()

    @property
    def shown(self) -> str:
        """``host/name``, or SQLite's file. Never a password."""
        if self.dialect is Dialect.SQLITE:
            return self.name or "memory"
        return f"{', '.join(str(server) for server in self.servers)}/{self.name}"

    def named(self, name: str) -> DatabaseUrl:
        """Another database of the same server, or another file."""
        return replace(self, name=name)

    def text(self, *, hide: bool = False) -> str:
        """The address again, with its password or, with ``hide``, with … instead."""
        scheme = f"{self.dialect}+{self.driver}" if self.driver else str(self.dialect)
        if self.dialect is Dialect.SQLITE:
            return f"{scheme}:///{self.name}" if self.name else f"{scheme}://"
        known = self.password and (HIDDEN if hide else quoted(self.password))
        secret = f":{known}" if known else ""
        who = f"{quoted(self.user)}{secret}@" if self.user or secret else ""
        return f"{scheme}://{who}{self._place()}/{self.name}{self._query(hide)}"

    def _place(self) -> str:
        server = self.server
        if len(self.servers) > 1 or server.is_socket or server.address:
            return ""
        host = f"[{server.host}]" if ":" in server.host else server.host
        return host if server.port == PORT else f"{host}:{server.port}"

    def _query(self, hide: bool) -> str:
        pairs = [(key, HIDDEN if hide and key in SECRET_OPTIONS else value) for key, value in self.options]
        if not self._place():
            pairs += [("host", f"{server.host}:{server.port}") for server in self.servers if len(self.servers) > 1]
            pairs += [] if len(self.servers) > 1 else _placed(self.server)
        pairs += [("service", self.service)] if self.service else []
        text = "&".join(f"{quoted(key)}={value if value == HIDDEN else quoted(value)}" for key, value in pairs)
        return f"?{text}" if text else ""


def _placed(server: Server) -> list[tuple[str, str]]:
    found = [("host", server.host)] if server.host else []
    found += [("hostaddr", server.address)] if server.address else []
    return [*found, ("port", str(server.port))] if server.port != PORT else found


def parse(text: str) -> DatabaseUrl:
    """Take an address apart. Raises UrlError, which says what is wrong without the address in it."""
    match = _FORM.fullmatch(text.strip())
    if not match:
        raise UrlError("it is no address of a database: postgresql://USER:PASSWORD@HOST:PORT/NAME, or sqlite:///FILE")
    kind, _, driver = match["scheme"].partition("+")
    if kind in {"postgresql", "postgres"}:
        return _postgresql(match, driver)
    if kind == "sqlite":
        return _sqlite(match, driver)
    raise UrlError(f"databases of the kind {kind} are not known: there is postgresql:// and sqlite:///")


def _sqlite(match: re.Match[str], driver: str) -> DatabaseUrl:
    if match["host"] or match["six"] or match["user"] or match["port"]:
        raise UrlError("SQLite's file follows three slashes: sqlite:///app.db, or four when it begins at the root")
    name = match["name"] or ""
    if name.startswith("file:") or "uri=" in (match["query"] or ""):
        raise UrlError("SQLite's file is named by a path here, not by a file: address")
    return DatabaseUrl(
        Dialect.SQLITE, driver, name="" if name == ":memory:" else name, options=tuple(_pairs(match["query"] or ""))
    )


def _postgresql(match: re.Match[str], driver: str) -> DatabaseUrl:
    name, host = match["name"] or "", match["six"] or match["host"] or ""
    if "@" in name or "@" in host or "/" in name or "," in host:
        raise UrlError("it can be read in two ways: write @ as %40, / as %2F and : as %3A in user and password")
    pairs = _pairs(match["query"] or "")
    said: dict[str, list[str]] = {}
    for key, value in pairs:
        said.setdefault(key, []).append(value)
    last = {key: values[-1] for key, values in said.items()}
    parts = {"user", "password", "host", "hostaddr", "port", "dbname", "service"}
    user = last.get("user", unquoted(match["user"] or ""))
    return DatabaseUrl(
        Dialect.POSTGRESQL,
        driver,
        user,
        last.get("password", unquoted(match["password"] or "")),
        _servers(said, host, match["port"] or ""),
        last.get("dbname", name) or user,
        tuple(pair for pair in pairs if pair[0] not in parts),
        last.get("service", ""),
    )


def _servers(said: Mapping[str, list[str]], host: str, port: str) -> tuple[Server, ...]:
    """Hosts of the query win over the address's own; each may bring its port."""
    hosts = [each for value in said.get("host", [host]) for each in value.split(",")]
    ports = [each for value in said.get("port", [port]) for each in value.split(",")]
    addresses = [each for value in said.get("hostaddr", []) for each in value.split(",")]
    count = max(len(hosts), len(addresses))
    found = []
    for index in range(count):
        name, its_port = _host_and_port(hosts[index] if index < len(hosts) else "")
        its_port = its_port or ports[index if index < len(ports) else -1]
        found.append(Server(name, _port(its_port), addresses[index] if index < len(addresses) else ""))
    return tuple(found)


def _host_and_port(said: str) -> tuple[str, str]:
    """A host of the query with its port, "" for none: ``db:5433``, ``[::1]:5433``; a bare IPv6 address has none."""
    six = re.fullmatch(r"\[([^\]]*)\](?::(\d*))?", said)
    if six:
        return six[1], six[2] or ""
    name, colon, port = said.rpartition(":")
    return (name, port) if colon and ":" not in name and not said.startswith("/") else (said, "")


def _port(said: str) -> int:
    if not said:
        return PORT
    if not re.fullmatch(r"[0-9]{1,5}", said) or not 0 < int(said) < 65536:
        raise UrlError("its port is no number from 1 to 65535: in a password, / is written %2F and : is written %3A")
    return int(said)


def _pairs(query: str) -> list[tuple[str, str]]:
    found = []
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key:
            found.append((unquoted(key.replace("+", " ")), unquoted(value.replace("+", " "))))
    return found


def unquoted(text: str) -> str:
    """``%40`` as ``@``; what is no escape stays."""

    def decoded(match: re.Match[str]) -> str:
        return bytes.fromhex(match[0].replace("%", "")).decode(errors="replace")

    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", decoded, text)


def quoted(text: str) -> str:
    """Everything but letters, digits and ``-._~`` escaped."""
    return "".join(each if each in _PLAIN else "".join(f"%{byte:02X}" for byte in each.encode()) for each in text)


def database_url(service: Service, environment: Mapping[str, str], files: Mapping[str, str]) -> DatabaseUrl:
    """The address of the service's database, from ``environment`` (the user's, over ``.env``) and ``files`` (the values
    of the service's env_file): as the service itself would see these variables. Raises DevctlError (exit 2)."""
    where = f"services.{service.name}.database.url"
    if service.database is None:
        raise DevctlError(
            f"{service.name} has no database",
            hint=f"add services.{service.name}.database.url to services.yaml",
            code=Exit.USAGE,
        )
    try:
        text = fill(service.database.url, seen_by(service, variables(service.database.url), environment, files))
        url = parse(text)
    except TemplateError as error:
        raise DevctlError(error.message, where, hint=error.hint, code=Exit.USAGE) from None
    except UrlError as error:
        raise DevctlError("the database's address is not understood", where, str(error), code=Exit.USAGE) from None
    return _from_here(url, environment)


def seen_by(
    service: Service, names: tuple[str, ...], environment: Mapping[str, str], files: Mapping[str, str]
) -> dict[str, str]:
    """The variables as the service's own process has them: the manifest's value, else the env_file's, else the user's.
    Raises TemplateError."""
    spec: ProcessSpec | None = service.process or service.native
    own = spec.environment if spec else {}
    wanted = {name: fill(own[name], {**files, **environment}) for name in names if name in own}
    return {**environment, **files, **wanted}


def _from_here(url: DatabaseUrl, environment: Mapping[str, str]) -> DatabaseUrl:
    """What the address leaves open, libpq takes from the environment: so do we, and so it is judged."""
    if url.dialect is not Dialect.POSTGRESQL:
        return url
    service = url.service or environment.get("PGSERVICE", "")
    servers = tuple(
        replace(
            server,
            host=server.host or environment.get("PGHOST", ""),
            address=server.address or environment.get("PGHOSTADDR", ""),
        )
        for server in url.servers
    )
    name = url.name or environment.get("PGDATABASE", "") or environment.get("PGUSER", "")
    return replace(url, servers=servers, service=service, name=name)


def libpq_environment(url: DatabaseUrl, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which PostgreSQL's own tools reach this database, with nothing in their arguments: whatever
    PG… variables there were are gone, since one of them could lead elsewhere."""
    server = url.server
    known = {
        "PGHOST": server.host,
        "PGHOSTADDR": server.address,
        "PGPORT": str(server.port),
        "PGUSER": url.user,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.name,
        "PGSERVICE": url.service,
        **{_OPTIONS[key]: value for key, value in url.options if key in _OPTIONS},
    }
    kept = {key: value for key, value in environment.items() if not key.startswith("PG")}
    return kept | {key: value for key, value in known.items() if value} | {"PGCONNECT_TIMEOUT": "10"}


_OPTIONS = {
    "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "options": "PGOPTIONS",
    "gssencmode": "PGGSSENCMODE",
    "channel_binding": "PGCHANNELBINDING",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
