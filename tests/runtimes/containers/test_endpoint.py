"""Where the engine is looked for: recorded homes of Docker Desktop, Colima, OrbStack, Podman and TLS contexts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devctl.errors import DevctlError
from devctl.runtimes.endpoint import DEFAULT, Endpoint, Tls, at, locate, ping

NOBODY: Callable[[str], bool] = lambda host: False  # noqa: E731


def context(home: Path, name: str, host: str, *, skip: bool = False, certificates: bool = False) -> None:
    """A context as the docker command keeps it (docker 28)."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker/contexts/meta" / digest
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, "SkipTLSVerify": skip}}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
    if certificates:
        folder = home / ".docker/contexts/tls" / digest / "docker"
        folder.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (folder / file).write_text("x")


def current(home: Path, name: str) -> None:
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker/config.json").write_text(json.dumps({"auths": {}, "currentContext": name}))


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("desktop-linux", "unix:///Users/ada/.docker/run/docker.sock"),
        ("colima", "unix:///Users/ada/.colima/default/docker.sock"),
        ("orbstack", "unix:///Users/ada/.orbstack/run/docker.sock"),
        ("far", "ssh://ada@build.example"),
    ],
)
def test_the_current_context_is_followed(tmp_path: Path, name: str, host: str) -> None:
    context(tmp_path, name, host)
    current(tmp_path, name)
    found = locate({"HOME": str(tmp_path)}, NOBODY)
    assert (found.host, found.source, found.address) == (host, f"context {name}", host)
    assert at(found.address, {"HOME": str(tmp_path)}).host == host


def test_docker_host_wins_over_everything(tmp_path: Path) -> None:
    context(tmp_path, "colima", "unix:///colima.sock")
    current(tmp_path, "colima")
    podman = "unix:///run/user/1000/podman/podman.sock"
    found = locate({"HOME": str(tmp_path), "DOCKER_HOST": podman, "DOCKER_CONTEXT": "colima"}, NOBODY)
    assert (found.host, found.source) == (podman, "DOCKER_HOST")
    assert found.environment() == {"DOCKER_HOST": podman}


def test_docker_context_wins_over_the_current_one(tmp_path: Path) -> None:
    for name in ("colima", "orbstack"):
        context(tmp_path, name, f"unix:///{name}.sock")
    current(tmp_path, "colima")
    assert locate({"HOME": str(tmp_path), "DOCKER_CONTEXT": "orbstack"}, NOBODY).host == "unix:///orbstack.sock"
    assert locate({"HOME": str(tmp_path), "DOCKER_CONTEXT": "default"}, NOBODY).host == DEFAULT


def test_docker_config_says_where_contexts_live(tmp_path: Path) -> None:
    context(tmp_path, "colima", "unix:///colima.sock")
    current(tmp_path, "colima")
    assert (
        locate({"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path / ".docker")}, NOBODY).host == "unix:///colima.sock"
    )


@pytest.mark.parametrize(
    "path",
    [
        ".docker/run/docker.sock",
        ".docker/desktop/docker.sock",
        ".colima/default/docker.sock",
        ".orbstack/run/docker.sock",
    ],
)
def test_without_a_context_the_sockets_of_the_others_are_tried(tmp_path: Path, path: str) -> None:
    there = f"unix://{tmp_path / path}"
    assert locate({"HOME": str(tmp_path)}, lambda host: host == there).host == there
    assert locate({"HOME": str(tmp_path)}, lambda host: host in {DEFAULT, there}).host == DEFAULT


def test_a_rootless_engine_is_found(tmp_path: Path) -> None:
    there = f"unix://{tmp_path}/run/docker.sock"
    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": f"{tmp_path}/run"}
    assert locate(environment, lambda host: host == there).host == there


def test_where_nothing_answers_it_is_the_default(tmp_path: Path) -> None:
    assert locate({"HOME": str(tmp_path)}, NOBODY) == Endpoint(DEFAULT)


def test_a_tls_context_keeps_its_certificates_and_travels_by_name(tmp_path: Path) -> None:
    context(tmp_path, "lab", "tcp://lab.example:2376", skip=True, certificates=True)
    current(tmp_path, "lab")
    found = locate({"HOME": str(tmp_path)}, NOBODY)
    assert found.tls is not None
    assert (Path(found.tls.key).name, found.tls.verify, found.address) == ("key.pem", False, "context:lab")
    assert found.environment() == {"DOCKER_CONTEXT": "lab"}
    assert at(found.address, {"HOME": str(tmp_path), "DOCKER_HOST": "unix:///other.sock"}) == found


def test_docker_host_with_tls_uses_the_certificates_of_docker_cert_path(tmp_path: Path) -> None:
    for file in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / file).write_text("x")
    environment = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    assert locate(environment).tls == Tls(*(str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem")))


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    current(tmp_path, "colma")
    with pytest.raises(DevctlError, match="the Docker context 'colma' cannot be read"):
        locate({"HOME": str(tmp_path)}, NOBODY)


def test_a_broken_config_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text("{")
    assert locate({"HOME": str(tmp_path)}, NOBODY).host == DEFAULT


@contextlib.contextmanager
def engine(path: Path, answer: bytes) -> Iterator[str]:
    """Something on a socket that answers one request with these bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"unix://{path}"
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(str(path))
        thread.join()


def test_an_engine_that_answers(tmp_path: Path) -> None:
    with engine(tmp_path / "s", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK") as host:
        assert ping(Endpoint(host)) == ""


def test_something_else_on_the_socket(tmp_path: Path) -> None:
    with engine(tmp_path / "s", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n") as host:
        assert ping(Endpoint(host)) == f"no Docker engine answers at {host} (HTTP status 503 to a ping)"
    with engine(tmp_path / "t", b"SSH-2.0-OpenSSH\r\n") as host:
        assert ping(Endpoint(host)).startswith(f"no Docker engine answers at {host} (")


def test_nobody_on_the_socket_or_a_silent_one(tmp_path: Path) -> None:
    gone = f"unix://{tmp_path}/gone"
    assert ping(Endpoint(gone)) == f"no Docker engine answers at {gone} (no such file or directory)"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        host = f"unix://{tmp_path}/s"
        assert ping(Endpoint(host)) == f"no Docker engine answers at {host} (connection refused)"
        listener.listen()
        assert ping(Endpoint(host), 0.05) == f"no Docker engine answers at {host} (no answer in time)"


def test_an_address_of_another_kind_is_said_so() -> None:
    assert "an address of the kind 'npipe' is not known" in ping(Endpoint("npipe:////./pipe/docker"))
