"""Whether a database is a developer's own, so that it may be changed, dropped or written over. Pure: facts come in.

It must be so by address *and* by name, and nothing turns that off. By address: a file of this machine, or a server on
it, seen there; what merely answers on localhost may be a tunnel to somewhere else, so the one who listens is looked at.
By name: no word in it says that anybody depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from devctl.safety.url import DatabaseUrl, Dialect, Server

DROP_SWITCH = "CC_DROP_TABLES"
"""An old switch of Control Core's: it made a start drop all tables."""
_SERIOUS = frozenset({"prd", "live", "livedb", "stage", "stg", "uat"})
_SERIOUS_PART = re.compile(r"prod(?!uct(?!ion)|ukt(?!ion)|uce|ig)|staging|(?<!\bo)(?<!\ba)(?<!\bre)live$")
"""Prod and production in any word (preprod, ccprod, proddb), but not in product, produce, prodigy."""
_HARMLESS = frozenset(
    {
        "dev", "devel", "develop", "development", "test", "tests", "testing", "local", "localhost", "sandbox",
        "scratch", "ci", "demo", "example", "tmp", "temp", "playground", "devctl",
    }
)  # fmt: skip
_TUNNELS = frozenset(
    {
        "ssh", "sshd", "autossh", "sshuttle", "mosh-client", "plink", "kubectl", "oc", "kubefwd", "telepresence",
        "cloud-sql-proxy", "cloud_sql_proxy", "alloydb-auth-proxy", "session-manager-plugin", "aws", "gcloud", "az",
        "tsh", "teleport", "boundary", "flyctl", "fly", "heroku", "cloudflared", "tailscaled", "ngrok", "frpc",
        "chisel", "gost", "socat", "ncat", "nc", "haproxy", "nginx", "envoy", "traefik", "pgbouncer", "pgcat",
        "odyssey", "pgpool", "rinetd", "stunnel", "stunnel4", "wstunnel", "pscale", "supabase", "neonctl", "railway",
        "doctl", "wireproxy",
    }
)  # fmt: skip
_SERVERS = frozenset({"postgres", "postmaster", "postgresql"})
_FORWARDERS = frozenset(
    {"proxy", "tunnel", "bastion", "bouncer", "pgbouncer", "pgpool", "forward", "forwarder", "jump"}
)
"""Words in the name of a container that is no server itself."""


class Kind(StrEnum):
    """Who listens where a server is said to be."""

    NOBODY = "nobody"
    OURS = "ours"
    CONTAINER = "container"
    PROCESS = "process"
    HIDDEN = "hidden"


@dataclass(frozen=True)
class Listener:
    """Who listens at the address. ``name``: the container, the program (of a service of ours too, "" when it runs in a
    container), or, of one that can't be seen, the user it belongs to. ``said`` are the words for people, ``image`` is
    a container's."""

    kind: Kind
    name: str = ""
    said: str = ""
    image: str = ""


@dataclass(frozen=True)
class Standing:
    """``local``: it may be changed and dropped. Else ``reason`` says in a sentence why not, and ``hint`` what to do."""

    local: bool
    reason: str = ""
    hint: str = ""


def judge(url: DatabaseUrl, listener: Listener | None = None, *, root: str = "") -> Standing:
    """Whether a database is a developer's own. ``listener`` is who listens at its port or socket (None: nobody looked,
    which proves nothing); ``root`` is the workspace's folder: those above it say nothing about a file in it."""
    return _by_name(url, root) or _by_address(url, listener) or Standing(local=True)


def _by_name(url: DatabaseUrl, root: str) -> Standing | None:
    for what, text in _names(url, root):
        if word := serious(text):
            reason = f"{what} says “{word}”: that is never a developer's own, wherever it seems to be"
            return Standing(local=False, reason=reason, hint="name a database for development in database.url")
    return None


def _names(url: DatabaseUrl, root: str) -> Iterable[tuple[str, str]]:
    if url.dialect is Dialect.SQLITE:
        inside = root and url.name.startswith(root.rstrip("/") + "/")
        yield "its file", url.name[len(root) :] if inside else url.name
        return
    yield f"its name ({url.name})", url.name
    yield f"its user ({url.user})", url.user
    for server in url.servers:
        yield f"its host ({server.host})", "" if server.host.startswith("/") else server.host


def _by_address(url: DatabaseUrl, listener: Listener | None) -> Standing | None:
    hint = "name a database of this machine in database.url"
    if url.dialect is Dialect.SQLITE:
        return None
    if url.service:
        return Standing(
            local=False, reason=f"the service {url.service} of a pg_service.conf may be anywhere", hint=hint
        )
    if len(url.servers) != 1:
        return Standing(local=False, reason="its address names more than one server", hint=hint)
    if not is_loopback(url.server):
        return Standing(local=False, reason=f"{url.server} is not this machine", hint=hint)
    return _by_socket(url.server, listener) if url.server.is_socket else _by_listener(url, listener)


def _by_socket(server: Server, listener: Listener | None) -> Standing | None:
    """A socket is this machine's; who serves it may hand everything on. Cloud SQL's proxy names its sockets' folder
    after the instance, PROJECT:REGION:NAME."""
    hint = "name a database of this machine in database.url"
    if ":" in server.host or "cloudsql" in words(server.host):
        reason = f"the socket {server.host} is that of a proxy, which leads to another machine"
        return Standing(local=False, reason=reason, hint=hint)
    if listener and is_tunnel(listener.name):
        reason = f"the socket in {server.host} is held by {listener.said}, which leads to another machine"
        return Standing(local=False, reason=reason, hint=hint)
    return None


def _by_listener(url: DatabaseUrl, listener: Listener | None) -> Standing | None:
    """What answers on this machine's port is a server of this machine only when it can be seen to be one, or when
    nothing speaks against it and the name says that it is for development."""
    if listener is not None and listener.kind is Kind.NOBODY:
        return None  # there is nothing to harm; connecting will say so
    held = f"{url.server.host}:{url.server.port} is held by {listener.said if listener else 'somebody'}"
    if listener and listener.kind in {Kind.PROCESS, Kind.OURS} and is_tunnel(listener.name):
        hint = "end the tunnel, or name a database of this machine in database.url"
        return Standing(local=False, reason=f"{held}, which leads to another machine", hint=hint)
    if (listener and _is_server(listener)) or (listener and harmless(url.name)):
        return None
    return Standing(
        local=False,
        reason=f"{held}, which may lead anywhere, and the name {url.name} doesn't say that it is for development",
        hint="give it a name like app_dev or app_test, or let a service of this workspace run its server",
    )


def _is_server(listener: Listener) -> bool:
    match listener.kind:
        case Kind.OURS:
            return True
        case Kind.CONTAINER:
            program = listener.image.partition("@")[0].rsplit("/", 1)[-1].partition(":")[0]
            return _FORWARDERS.isdisjoint(words(f"{listener.name} {program}")) and not is_tunnel(program)
    return _program(listener.name) in _SERVERS


def is_tunnel(program: str) -> bool:
    """Whether a program is known to hand connections on to somewhere else."""
    return _program(program) in _TUNNELS


def _program(name: str) -> str:
    return name.rsplit("/", 1)[-1].removesuffix(".exe").lower()


def is_loopback(server: Server) -> bool:
    """Whether an address is this machine by its form alone: nothing is looked up."""
    if server.address:
        return _loopback(server.address)
    return server.is_socket or _loopback(server.host)


def _loopback(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    if re.fullmatch(r"127(?:\.\d{1,3}){3}", name):
        return all(int(part) < 256 for part in name.split("."))
    return name in {"::1", "0:0:0:0:0:0:0:1"}


def words(text: str) -> list[str]:
    """The words of a name: ``myApp_prod2-eu`` → my, app, prod, eu."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    return [word.lower() for word in re.findall(r"[^\W\d_]+", apart)]


def serious(text: str) -> str:
    """The word in a name that says that people depend on it, "" for none."""
    for word in words(text) + words(text.lower()):
        if word in _SERIOUS or _SERIOUS_PART.search(word):
            return word
    return ""


def harmless(text: str) -> str:
    """The word in a name that says that it is for development, "" for none."""
    return next((word for word in words(text) if word in _HARMLESS), "")


def drop_switch(environment: Mapping[str, str]) -> str:
    """``CC_DROP_TABLES=true`` as it stands in the environment, "" when it is off."""
    value = environment.get(DROP_SWITCH, "")
    return f"{DROP_SWITCH}={value}" if value.strip().lower() not in {"", "0", "false", "no", "off"} else ""


def refused(verb: str, url: DatabaseUrl, standing: Standing, switch: str = "") -> tuple[str, str]:
    """(what, why) of the refusal to ``verb`` (such as "reset") a database that isn't a developer's own."""
    what = f"devctl will not {verb} {url.shown}"
    if switch:
        return what, f"{standing.reason}; {switch} changes nothing about that, and is refused here"
    return what, f"{standing.reason}; no option turns this off"
