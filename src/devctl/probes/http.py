"""HTTP: this machine's plain URLs are asked as barely as can be, others through one shared client.

No client before a bare connection has said that somebody listens.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from devctl.core.model import HttpProbe
from devctl.probes.connect import Addresses, connect, is_local, refusal
from devctl.probes.plain import NoHttp, is_plain, status_of

if TYPE_CHECKING:
    import httpx


_parts = functools.lru_cache(4096)(urlsplit)


class _Unheard(Exception):
    """Nobody accepted there; says why."""


class HttpCheck:
    """Asks URLs. Connections are not kept: a server that waits for idle ones to end could not stop quickly."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._httpx: Any = None

    async def check(self, probe: HttpProbe, was_up: bool, timeout: float) -> str:
        """ "" or why not. ``was_up``: the last check passed, so that the request comes first."""
        url = _parts(probe.url)
        host = url.hostname or ""
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = self._addresses.of(host, port)
        plain = bool(addresses) and is_local(host) and is_plain(url)
        tried = addresses[:1] if was_up else addresses
        if not plain and not was_up:
            tried = [each for each in addresses if await _listens(each, port, timeout)]
        if addresses and not tried:
            return f"connection refused on {host}:{port}"
        client = None if plain else await self._client(local=is_local(host))
        reason = refused = ""
        for address in tried or [host]:
            try:
                reason = await self._timed(client, url, address, probe, timeout)
            except _Unheard as error:
                refused = refused or str(error)
                continue
            if not reason:
                self._addresses.prefer(host, port, address)
                return ""
        return reason or refused

    async def _timed(
        self, client: httpx.AsyncClient | None, url: SplitResult, address: str, probe: HttpProbe, timeout: float
    ) -> str:
        """ "" or why not. Raises _Unheard for a plain URL."""
        try:
            async with asyncio.timeout(timeout):
                if client is None:
                    return await _plainly(url, address, probe, timeout)
                return await self._get(client, url, address, probe)
        except TimeoutError:
            return f"no answer within {timeout:g} s from {url.path or '/'}"

    async def _get(self, client: httpx.AsyncClient, url: SplitResult, address: str, probe: HttpProbe) -> str:
        target = self._httpx.URL(probe.url).copy_with(host=address)
        extensions = {"sni_hostname": url.hostname} if url.scheme == "https" else {}
        headers = {"Host": url.netloc.rpartition("@")[2]}
        try:
            async with client.stream("GET", target, headers=headers, extensions=extensions) as answer:
                status = answer.status_code
        except self._httpx.ConnectError as error:
            return await self._refused(url, address, error)
        except (self._httpx.RemoteProtocolError, self._httpx.ReadError):
            return _no_http(url)
        except (self._httpx.HTTPError, self._httpx.InvalidURL, OSError) as error:
            return f"no answer from {url.netloc}: {str(error) or type(error).__name__}"
        return _judged(status, url, probe)

    async def _refused(self, url: SplitResult, address: str, error: Exception) -> str:
        """Why a connection failed; httpx itself does not tell a refusal from a TLS error clearly."""
        port = url.port or (443 if url.scheme == "https" else 80)
        if ":" in address or address.replace(".", "").isdigit():
            try:
                (await connect(address, port, 1.0)).close()
            except OSError as cause:
                return refusal(cause, url.hostname or "", port)
        return f"no connection to {url.netloc}: {error}"

    async def _client(self, local: bool) -> httpx.AsyncClient:
        """The client for this machine trusts self-signed certificates and knows no proxies; the other one is strict."""
        if self._httpx is None:
            self._httpx = await asyncio.to_thread(importlib.import_module, "httpx")
        if local not in self._clients:
            limits = self._httpx.Limits(max_connections=None, max_keepalive_connections=0)
            self._clients[local] = self._httpx.AsyncClient(
                trust_env=not local, verify=not local, follow_redirects=False, timeout=None, limits=limits,
                headers={"User-Agent": "devctl", "Accept": "*/*", "Connection": "close"},
            )  # fmt: skip
        return self._clients[local]

    async def close(self) -> None:
        """Give the clients back."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


async def _plainly(url: SplitResult, address: str, probe: HttpProbe, timeout: float) -> str:
    try:
        return _judged(await status_of(url, address, timeout), url, probe)
    except NoHttp:
        return _no_http(url)
    except TimeoutError:
        raise
    except OSError as error:
        raise _Unheard(refusal(error, url.hostname or "", url.port or 80)) from error


def _judged(status: int, url: SplitResult, probe: HttpProbe) -> str:
    if any(low <= status <= high for low, high in probe.status):
        return ""
    return f"HTTP {status} from {url.path or '/'}"


def _no_http(url: SplitResult) -> str:
    return f"no HTTP answer from {url.netloc}: it closes the connection or speaks something else"


async def _listens(address: str, port: int, timeout: float) -> bool:
    try:
        (await connect(address, port, timeout)).close()
    except TimeoutError:
        raise
    except OSError:
        return False
    return True
