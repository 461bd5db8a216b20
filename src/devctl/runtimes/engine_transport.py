"""The SDK's connection to the engine, with two faults of its transport (docker 7.2) mended.

It keeps a pool, and so a connection, for every URL, and closes the one used longest ago when there are 25, in use or
not; and a socket that couldn't be connected is left open.
"""

from __future__ import annotations

import socket
from typing import Any

from docker import APIClient
from docker.tls import TLSConfig
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from devctl.runtimes.endpoint import Endpoint, api_version

CONNECTIONS = 32


class _Connection(HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
            made.connect(self._path)
        except BaseException:
            made.close()
            raise
        self.sock = made


class _Pool(HTTPConnectionPool):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout, maxsize=CONNECTIONS)
        self._path, self._timeout = path, timeout

    def _new_conn(self) -> _Connection:
        return _Connection(self._path, self._timeout)


class _Adapter(HTTPAdapter):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._pool = _Pool(path, timeout)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> _Pool:
        return self._pool

    def get_connection(self, *_: Any, **__: Any) -> _Pool:
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> str:  # noqa: ARG002 - the signature of requests
        return str(request.path_url)

    def close(self) -> None:
        super().close()
        self._pool.close()


def connect(endpoint: Endpoint, timeout: float, version: str = "") -> APIClient:
    """A client of the SDK; without ``version`` it speaks the engine's own. Raises OSError and the SDK's errors."""
    if endpoint.host.startswith("ssh:"):
        return APIClient(
            base_url=endpoint.host, version=version or "auto", timeout=_seconds(timeout), use_ssh_client=True
        )
    version = version or api_version(endpoint, timeout) or "auto"
    client = APIClient(base_url=endpoint.host, version=version, timeout=_seconds(timeout), tls=_tls(endpoint))
    if endpoint.host.startswith("unix:"):
        client.mount("http+docker://", _Adapter(endpoint.host.removeprefix("unix://"), timeout))
    return client


def _seconds(timeout: float) -> Any:
    """The SDK's types say int; what it hands the value to takes fractions."""
    return timeout


def _tls(endpoint: Endpoint) -> TLSConfig | bool:
    given = endpoint.tls
    if given is None:
        return False
    pair = (given.cert, given.key) if given.cert else None
    return TLSConfig(client_cert=pair, ca_cert=given.ca or None, verify=given.verify)
