"""What devctl asks of the Docker engine, over the SDK. Every call blocks for as long as the engine takes: call it from
worker threads. The SDK costs 0.2 s to import, so that happens with the first call."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from devctl.errors import DevctlError, Exit
from devctl.runtimes.containers import (
    ONEOFF,
    PROJECT,
    SERVICE,
    VOLUME,
    Container,
    Publisher,
    Run,
    container_of,
    epoch,
    frames,
    log_lines,
    name_of,
    never_back,
    publisher_of,
    run_of,
    stamped,
)
from devctl.runtimes.endpoint import Endpoint, at, locate, ping

if TYPE_CHECKING:
    from docker import APIClient
    from requests import Response

__all__ = ["Container", "Endpoint", "Engine", "EngineGone", "EngineRefused", "Run", "at", "locate", "ping"]


class EngineGone(DevctlError):
    """The engine doesn't answer."""


class EngineRefused(DevctlError):
    """The engine answered with an error; ``status`` is the HTTP status, 404 for what doesn't exist."""

    status: int = 0


class Engine:
    """An engine at an address. Safe to use from several threads."""

    def __init__(self, endpoint: Endpoint, timeout: float = 60.0) -> None:
        self.endpoint, self.timeout = endpoint, timeout
        self._lock = threading.Lock()
        self._client: APIClient | None = None
        self._closed = False

    def client(self) -> APIClient:
        """The SDK's low-level client; the API version is agreed on with the engine. Raises EngineGone."""
        with self._lock:
            if self._closed:
                raise EngineGone("the connection to the Docker engine is closed")
            if self._client is None:
                with told(self.endpoint):
                    from devctl.runtimes.engine_transport import connect

                    self._client = connect(self.endpoint, self.timeout)
            return self._client

    def close(self) -> None:
        """Close the connections for good."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()
            self._client = None

    def containers(self, project: str, service: str = "") -> list[Container]:
        """All containers of a Compose project, stopped ones too, without those of ``compose run``."""
        labels = [f"{PROJECT}={project}", f"{ONEOFF}=False"] + ([f"{SERVICE}={service}"] if service else [])
        with told(self.endpoint):
            found = self.client().containers(all=True, filters={"label": labels})
        return [container_of(entry) for entry in found]

    def inspect(self, container: str) -> Run:
        """The container's present or last run."""
        with told(self.endpoint):
            return run_of(self.client().inspect_container(container))

    def start(self, container: str) -> None:
        """Start it; one that runs already is left alone."""
        with told(self.endpoint):
            self.client().start(container)

    def stop(self, container: str, grace: int) -> None:
        """Stop it, kill it after ``grace`` seconds; returns when it is gone. One that is stopped is left alone."""
        with told(self.endpoint):
            self.client().stop(container, timeout=grace)

    def image_id(self, name: str) -> str:
        """The id of an image, "" when the engine has none of this name."""
        return str(self._image(name).get("Id", ""))

    def image_created(self, name: str) -> float:
        """When an image was made, in seconds since the epoch."""
        return epoch(str(self._image(name).get("Created", "")))

    def image_label(self, name: str, label: str) -> str:
        """What an image says of itself under this label, "" for nothing."""
        labels = (self._image(name).get("Config") or {}).get("Labels") or {}
        return str(labels.get(label) or "")

    def _image(self, name: str) -> dict[str, Any]:
        try:
            with told(self.endpoint):
                found: dict[str, Any] = self.client().inspect_image(name)  # type: ignore[no-untyped-call]
        except EngineRefused as error:
            if error.status == 404:
                return {}
            raise
        return found

    def networks(self) -> frozenset[str]:
        """The ids of all networks: a project may use external ones."""
        with told(self.endpoint):
            return frozenset(str(network["Id"]) for network in self.client().networks())

    def volumes(self, project: str) -> dict[str, str]:
        """The project's volumes: name in the compose file → name in the engine."""
        with told(self.endpoint):
            found = self.client().volumes(filters={"label": f"{PROJECT}={project}"})["Volumes"] or []
        return {volume["Labels"][VOLUME]: volume["Name"] for volume in found if VOLUME in (volume["Labels"] or {})}

    def remove_volume(self, name: str) -> None:
        """Remove one volume by its name in the engine."""
        with told(self.endpoint):
            self.client().remove_volume(name)

    def logs(
        self, container: str, tail: int | None = None, since: float | None = None, follow: bool = False
    ) -> Iterator[tuple[float, str]]:
        """(seconds since the epoch, line) of standard output and error together, as the engine wrote them."""
        params = {
            "stdout": 1,
            "stderr": 1,
            "timestamps": 1,
            "follow": int(follow),
            "tail": "all" if tail is None else tail,
        }
        if since:
            params["since"] = f"{since:.9f}"
        with (
            told(self.endpoint),
            closing(self._stream("GET", f"containers/{container}/logs", None, params=params)) as answer,
        ):
            framed = "multiplexed" in answer.headers.get("Content-Type", "") or not self.inspect(container).tty
            yield from never_back(stamped(line) for line in log_lines(answer.raw.read, framed))

    def _stream(self, method: str, path: str, patience: float | None, **options: Any) -> Response:
        """An answer that comes bit by bit; ``patience``: seconds of silence after which reading it fails."""
        client = self.client()
        url = f"{client.base_url}/v{client.api_version}/{path}"
        answer = client.request(method, url, stream=True, timeout=(10.0, patience), **options)
        if answer.status_code >= 400:
            with closing(answer):
                raise refused(str(answer.json().get("message", answer.reason)), answer.status_code)
        return answer

    def last_words(self, container: str, since: float | None = None, count: int = 20) -> tuple[str, ...]:
        """The last lines of a container's log, () when they can't be read."""
        try:
            return tuple(line for _, line in self.logs(container, tail=count, since=since))
        except DevctlError:
            return ()

    def stats(self, container: str) -> tuple[int, int]:
        """CPU time used so far in nanoseconds, memory in bytes without the page cache that can be given back."""
        with told(self.endpoint):
            sample = self.client().stats(container, stream=False, one_shot=True)
        memory = sample.get("memory_stats") or {}
        detail = memory.get("stats") or {}
        cache = detail.get("inactive_file", detail.get("total_inactive_file", 0))
        cpu = (sample.get("cpu_stats") or {}).get("cpu_usage") or {}
        return int(cpu.get("total_usage", 0)), max(0, int(memory.get("usage", 0)) - int(cache))

    def holder_of_port(self, port: int) -> tuple[str, str, str] | None:
        """(container, Compose project, service) of the running container that publishes a port of this machine."""
        with told(self.endpoint):
            found = self.client().containers(filters={"publish": [str(port)]})
        for entry in found:
            if any(binding.get("PublicPort") == port for binding in entry.get("Ports") or []):
                labels = entry.get("Labels") or {}
                return name_of(entry), labels.get(PROJECT, ""), labels.get(SERVICE, "")
        return None

    def publisher(self, port: int) -> Publisher | None:
        """The running container that publishes a port of this machine."""
        with told(self.endpoint):
            found = self.client().containers(filters={"publish": [str(port)]})
        return next((made for entry in found if (made := publisher_of(entry, port))), None)

    def addresses(self, project: str) -> tuple[set[str], set[str]]:
        """(the IP addresses of the project's running containers, those of this machine in their networks)."""
        with told(self.endpoint):
            found = self.client().containers(filters={"label": [f"{PROJECT}={project}"]})
        networks = [
            each for entry in found for each in ((entry.get("NetworkSettings") or {}).get("Networks") or {}).values()
        ]
        own = {str(each[key]) for each in networks for key in ("IPAddress", "GlobalIPv6Address") if each.get(key)}
        return own, {str(each[key]) for each in networks for key in ("Gateway", "IPv6Gateway") if each.get(key)}

    def execute(self, container: str, command: str | Sequence[str], timeout: float) -> tuple[int, str]:
        """Run a command in a running container: (exit code, output). Raises EngineRefused when there is no such
        container, DevctlError when it takes longer than ``timeout`` seconds (it then goes on unheeded)."""
        from urllib3.exceptions import ReadTimeoutError

        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        deadline = time.monotonic() + timeout
        with told(self.endpoint):
            made = self.client().exec_create(container, argv)["Id"]
            start = self._stream("POST", f"exec/{made}/start", timeout, json={"Detach": False, "Tty": False})
            output = b""
            with closing(start) as answer:
                try:
                    for _, piece in frames(answer.raw.read):
                        output += piece
                        if time.monotonic() > deadline:
                            raise DevctlError(f"no end after {timeout:g} s")
                except ReadTimeoutError as error:
                    raise DevctlError(f"no end after {timeout:g} s") from error
            return int(self.client().exec_inspect(made)["ExitCode"] or 0), output.decode(errors="replace")

    def events(self, project: str, since: float, patience: float) -> Events:
        """The project's starts and ends of containers from ``since`` on; the engine listens when this returns.

        The stream ends with the connection, or after ``patience`` seconds of silence. Raises EngineGone.
        """
        filters = {"type": ["container"], "event": ["start", "die"], "label": [f"{PROJECT}={project}"]}
        with told(self.endpoint):
            params = {"since": f"{since:.9f}", "filters": json.dumps(filters)}
            return Events(self._stream("GET", "events", patience, params=params))


class Events:
    """A stream of the engine's events. ``close`` may be called from any thread and ends it."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Blocks between events; a broken connection is an end like any other."""
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        try:
            for line in self._answer.iter_lines(chunk_size=None):
                if line:
                    yield json.loads(line)
        except (RequestException, HTTPError, OSError, AttributeError, ValueError):
            return  # the last two: the reader found its connection closed under its hands
        finally:
            self._answer.close()

    def close(self) -> None:
        """End the stream."""
        from docker.types import CancellableStream

        with suppress(OSError, AttributeError):
            CancellableStream(iter(()), self._answer).close()
        self._answer.close()


@contextmanager
def told(endpoint: Endpoint) -> Iterator[None]:
    """The SDK's errors, and those of the libraries below it, as EngineGone and EngineRefused."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        raise refused(str(error.explanation or error), int(error.status_code or 0)) from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        reason = ping(endpoint) or f"the Docker engine at {endpoint.host} did not answer in time"
        raise EngineGone(reason, why=str(error)[:300], hint="docker info", code=Exit.PRECONDITION) from error


def refused(message: str, status: int) -> EngineRefused:
    """An EngineRefused with its status."""
    error = EngineRefused(message.strip())
    error.status = status
    return error
