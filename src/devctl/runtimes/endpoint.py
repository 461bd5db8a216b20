"""Where the Docker engine is, and whether it answers. Standard library only: quick commands ask it too."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from devctl.errors import DevctlError, Exit

DEFAULT = "unix:///var/run/docker.sock"
HOME_SOCKETS = (
    ".docker/run/docker.sock",
    ".docker/desktop/docker.sock",
    ".colima/default/docker.sock",
    ".config/colima/default/docker.sock",
    ".orbstack/run/docker.sock",
    ".rd/docker.sock",
)
"""Docker Desktop (macOS, Linux), Colima (old and XDG folder), OrbStack, Rancher Desktop."""


@dataclass(frozen=True)
class Tls:
    """Client certificates, as paths. ``verify``: whether the engine's certificate is checked."""

    ca: str
    cert: str
    key: str
    verify: bool = True


@dataclass(frozen=True)
class Endpoint:
    """An engine's address (unix://, tcp://, ssh://) and where it was read (``DOCKER_HOST``, ``context colima``, …)."""

    host: str
    source: str = "default"
    context: str = ""
    tls: Tls | None = None

    @property
    def address(self) -> str:
        """One word that ``at`` turns into this endpoint again."""
        return f"context:{self.context}" if self.context and self.tls else self.host

    def environment(self) -> dict[str, str]:
        """What the docker command needs in its environment to speak to this very engine."""
        return {"DOCKER_CONTEXT": self.context} if self.context and self.tls else {"DOCKER_HOST": self.host}


def at(address: str, environment: Mapping[str, str]) -> Endpoint:
    """The endpoint of an ``Endpoint.address``."""
    others = {key: value for key, value in environment.items() if key not in {"DOCKER_HOST", "DOCKER_CONTEXT"}}
    kind, _, name = address.partition(":")
    return locate({**others, "DOCKER_CONTEXT": name} if kind == "context" else {**others, "DOCKER_HOST": address})


def locate(environment: Mapping[str, str], answers: Callable[[str], bool] | None = None) -> Endpoint:
    """The engine the docker command would speak to, or, where it would find none, one that is known to live elsewhere.

    In this order: DOCKER_HOST, DOCKER_CONTEXT, the current context, the default socket, the sockets of HOME_SOCKETS and
    of a rootless engine. Raises DevctlError for a context that doesn't exist or can't be read.
    """
    if host := environment.get("DOCKER_HOST"):
        return Endpoint(host, "DOCKER_HOST", tls=_environment_tls(host, environment))
    folder = Path(environment.get("DOCKER_CONFIG") or _home(environment) / ".docker")
    name = environment.get("DOCKER_CONTEXT") or _current_context(folder)
    if name and name != "default":
        return _context(folder, name)
    return _first(_candidates(environment), answers or _accepts)


def ping(endpoint: Endpoint, timeout: float = 1.5) -> str:
    """ "" when the engine answers, else one sentence saying why not. ``timeout`` in seconds."""
    try:
        status = _ping_ssh(endpoint, timeout) if endpoint.host.startswith("ssh:") else _ping_http(endpoint, timeout)
    except (OSError, HTTPException, ValueError) as error:
        return f"no Docker engine answers at {endpoint.host} ({_plain(error)})"
    return "" if status == 200 else f"no Docker engine answers at {endpoint.host} (HTTP status {status} to a ping)"


class UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def api_version(endpoint: Endpoint, timeout: float) -> str:
    """The API version the engine at a unix:// or tcp:// address speaks. Raises OSError."""
    return _answer(endpoint, timeout)[1]


def _ping_http(endpoint: Endpoint, timeout: float) -> int:
    return _answer(endpoint, timeout)[0]


def _answer(endpoint: Endpoint, timeout: float) -> tuple[int, str]:
    connection = _connection(endpoint, timeout)
    try:
        connection.request("GET", "/_ping")
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Api-Version", "")
    finally:
        connection.close()


def _connection(endpoint: Endpoint, timeout: float) -> HTTPConnection:
    parts = urlsplit(endpoint.host)
    if parts.scheme == "unix":
        return UnixConnection(parts.path or parts.netloc, timeout)
    if parts.scheme not in {"tcp", "http", "https"}:
        raise ValueError(f"an address of the kind {parts.scheme or endpoint.host!r} is not known")
    host, port = parts.hostname or "localhost", parts.port or (2376 if endpoint.tls else 2375)
    if endpoint.tls is None and parts.scheme != "https":
        return HTTPConnection(host, port, timeout=timeout)
    return HTTPSConnection(host, port, timeout=timeout, context=_ssl_context(endpoint.tls))


def _ssl_context(tls: Tls | None) -> ssl.SSLContext:
    if tls is None:
        return ssl.create_default_context()
    context = ssl.create_default_context(cafile=tls.ca or None)
    if not tls.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if tls.cert:
        context.load_cert_chain(tls.cert, tls.key)
    return context


def _ping_ssh(endpoint: Endpoint, timeout: float) -> int:
    from docker import APIClient
    from docker.errors import DockerException

    try:
        client = APIClient(base_url=endpoint.host, version="auto", timeout=max(10, int(timeout)), use_ssh_client=True)
    except DockerException as error:
        raise OSError(str(error)) from error
    client.close()
    return 200


def _plain(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or Path.home())


def _candidates(environment: Mapping[str, str]) -> list[str]:
    home = _home(environment)
    found = [DEFAULT, *(f"unix://{home / socket_}" for socket_ in HOME_SOCKETS)]
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        found.append(f"unix://{runtime}/docker.sock")
    return found


def _first(candidates: list[str], answers: Callable[[str], bool]) -> Endpoint:
    for host in candidates:
        if answers(host):
            return Endpoint(host, "default" if host == DEFAULT else "found")
    return Endpoint(DEFAULT)


def _accepts(host: str) -> bool:
    path = host.removeprefix("unix://")
    if not Path(path).exists():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except PermissionError:
            return True
        except OSError:
            return False
    return True


def _current_context(folder: Path) -> str:
    try:
        settings = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return ""
    return str(settings.get("currentContext") or "") if isinstance(settings, dict) else ""


def _context(folder: Path, name: str) -> Endpoint:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / digest / "meta.json"
    try:
        docker = json.loads(meta.read_text())["Endpoints"]["docker"]
        host = str(docker["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DevctlError(
            f"the Docker context {name!r} cannot be read",
            where=str(meta),
            why=_plain(error),
            hint="docker context ls shows those there are; docker context use NAME chooses one",
            code=Exit.PRECONDITION,
        ) from error
    tls = _folder_tls(folder / "contexts" / "tls" / digest / "docker", not docker.get("SkipTLSVerify", False))
    return Endpoint(host, f"context {name}", context=name, tls=tls)


def _environment_tls(host: str, environment: Mapping[str, str]) -> Tls | None:
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if not host.startswith("tcp:") or not (verify or environment.get("DOCKER_TLS")):
        return None
    return _folder_tls(Path(environment.get("DOCKER_CERT_PATH") or _home(environment) / ".docker"), verify)


def _folder_tls(folder: Path, verify: bool) -> Tls | None:
    ca, cert, key = (
        str(path) if (path := folder / name).is_file() else "" for name in ("ca.pem", "cert.pem", "key.pem")
    )
    return Tls(ca, cert, key, verify) if ca or cert else None
