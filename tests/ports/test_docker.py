"""A published port of a real container: the engine's proxy listens, the container is the holder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from devctl.errors import DevctlError, Exit
from devctl.ports.free import is_free
from devctl.ports.holders import free, holders
from devctl.ports.policy import Container

Lookup = Callable[[int], tuple[str, str, str] | None]


def published(docker: Any, port: int) -> str:
    """A container of this test's project that publishes ``port``; its name."""
    labels = {"com.docker.compose.project": docker.project, "com.docker.compose.service": "web"}
    host = docker.api.create_host_config(port_bindings={8000: port})
    name = f"{docker.project}-web-1"
    docker.api.create_container(
        docker.images["busybox"], ["sleep", "1000"], name=name, labels=labels, ports=[8000], host_config=host
    )
    docker.api.start(name)
    return name


def asking(docker: Any) -> Lookup:
    def lookup(port: int) -> tuple[str, str, str] | None:
        for found in docker.api.containers(filters={"publish": str(port)}):
            labels = found["Labels"]
            project, service = (labels.get(f"com.docker.compose.{word}", "") for word in ("project", "service"))
            return found["Names"][0].lstrip("/"), project, service
        return None

    return lookup


def test_a_published_port_is_the_containers_and_is_freed_by_stopping_it(docker: Any, free_port: Any) -> None:
    port = free_port()
    name = published(docker, port)
    assert not is_free(port)
    held = holders([port], engine_lookup=asking(docker))[port]
    assert held == Container(name=name, project=docker.project, service="web")
    with pytest.raises(DevctlError) as caught:
        free(holders([port])[port], port)  # type: ignore[arg-type]  # the proxy itself: never to be killed
    assert caught.value.code == Exit.PRECONDITION
    assert str(port) in caught.value.hint
    told = free(held, port, engine_lookup=asking(docker), stop_container=lambda name: docker.api.stop(name, timeout=0))
    assert told.endswith("was stopped")
    assert is_free(port)
    assert docker.container("web")["State"]["Status"] == "exited"
