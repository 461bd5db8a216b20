"""Which runtime each service has, and which services are meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devctl.core.model import Dependency, Manifest, OnUnhealthy, ProcessSpec, Runtime, Service
from devctl.errors import DevctlError
from devctl.manifest.choose import choose, select

STACK = """
compose: compose.yml
services:
  db:
    compose: db
    native: {command: postgres, path: stores}
  cache: {compose: cache, on_unhealthy: report, native: {command: redis}}
  api: {compose: api, depends_on: [db]}
  web: {command: npm start, depends_on: [api]}
  ui: {command: npm start, profiles: [ui, all], depends_on: [web]}
  tool: {command: x, profiles: [tools]}
  auth: {external: true}
  core: {library: true, path: core}
""".replace("compose: compose.yml", "compose: {file: compose.yml}")


@pytest.fixture
def stack(loaded: Callable[..., Manifest]) -> Manifest:
    """A manifest with every kind of service."""
    return loaded(STACK)


def runtimes(manifest: Manifest) -> dict[str, str]:
    """Runtime and reason by service."""
    return {
        name: f"{each.runtime} {each.runtime_reason}".strip()
        for name, each in manifest.services.items()
        if each.compose or each.runtime is Runtime.PROCESS
    }


def test_with_docker_containers_stay_containers(stack: Manifest) -> None:
    chosen = choose(stack, docker=True, docker_reason="", native=())
    assert chosen == stack
    assert chosen.services["db"].process is None
    assert chosen.services["db"].on_unhealthy is OnUnhealthy.REPORT


def test_native_for_one_service(stack: Manifest) -> None:
    chosen = choose(stack, docker=True, docker_reason="", native=["db"])
    assert runtimes(chosen)["db"] == "process asked for by --native"
    assert runtimes(chosen)["cache"] == "container"
    db = chosen.services["db"]
    assert db.process == db.native == stack.services["db"].native
    assert db.compose == "db"


def test_native_for_all_leaves_those_without_an_alternative_to_docker(stack: Manifest) -> None:
    chosen = choose(stack, docker=True, docker_reason="", native="all")
    assert runtimes(chosen) == {
        "db": "process asked for by --native",
        "cache": "process asked for by --native",
        "api": "container",
        "web": "process",
        "ui": "process",
        "tool": "process",
    }


def test_a_native_process_restarts_when_unhealthy_unless_told_otherwise(stack: Manifest) -> None:
    chosen = choose(stack, docker=True, docker_reason="", native="all")
    assert chosen.services["db"].on_unhealthy is OnUnhealthy.RESTART
    assert chosen.services["cache"].on_unhealthy is OnUnhealthy.REPORT


def test_without_docker_all_run_natively_and_say_why(stack: Manifest) -> None:
    reason = "no Docker engine answers"
    chosen = choose(stack, docker=False, docker_reason=reason, native=["cache"], only=["db", "cache"])
    assert runtimes(chosen)["db"] == f"process {reason}"
    assert runtimes(chosen)["cache"] == "process asked for by --native"
    assert runtimes(chosen)["api"] == f"container {reason}"


def test_without_docker_a_service_without_alternative_is_named(stack: Manifest) -> None:
    with pytest.raises(DevctlError) as caught:
        choose(stack, docker=False, docker_reason="no Docker engine answers", native=())
    assert (caught.value.what, caught.value.why, caught.value.code) == (
        "api needs Docker",
        "no Docker engine answers",
        3,
    )
    with pytest.raises(DevctlError, match="api needs Docker"):
        choose(stack, docker=False, docker_reason="", native="all", only=select(stack, ["web"]))


@pytest.mark.parametrize(
    ("names", "message"),
    [(["api"], "api has no native: to run by"), (["dbb"], "no service is called dbb")],
)
def test_native_for_what_cannot(stack: Manifest, names: list[str], message: str) -> None:
    with pytest.raises(DevctlError, match=message) as caught:
        choose(stack, docker=True, docker_reason="", native=names)
    assert caught.value.code == 2


def test_native_for_a_process_changes_nothing(stack: Manifest) -> None:
    assert choose(stack, docker=True, docker_reason="", native=["web"]) == stack


@pytest.mark.parametrize(
    ("names", "profiles", "selected"),
    [
        ([], [], "db cache api web auth"),
        ([], ["ui"], "db cache api web ui auth"),
        ([], ["ui", "tools"], "db cache api web ui tool auth"),
        ([], ["*"], "db cache api web ui tool auth"),
        (["web"], [], "db api web"),
        (["ui"], [], "db api web ui"),
        (["cache", "db", "cache"], [], "db cache"),
        (["auth"], ["ui"], "auth"),
    ],
)
def test_select(stack: Manifest, names: list[str], profiles: list[str], selected: str) -> None:
    assert " ".join(select(stack, names, profiles)) == selected


@pytest.mark.parametrize(
    ("names", "profiles", "message", "hint"),
    [
        (["wep"], [], "no service is called wep", "did you mean web?"),
        (["x", "y"], [], "no service is called x or y", "services are db, cache, api, web, ui, tool, auth and core"),
        (["core"], [], "core is a library and runs nothing", ""),
        ([], ["tool"], "no profile is called tool", "did you mean tools?"),
        ([], ["zzz"], "no profile is called zzz", "profiles are ui, all and tools"),
    ],
)
def test_select_what_is_not_there(
    stack: Manifest, names: list[str], profiles: list[str], message: str, hint: str
) -> None:
    with pytest.raises(DevctlError) as caught:
        select(stack, names, profiles)
    assert (caught.value.what, caught.value.hint, caught.value.code) == (message, hint, 2)


def test_a_dependency_with_a_profile_comes_along(loaded: Callable[..., Manifest]) -> None:
    manifest = loaded("services: {a: {command: x, depends_on: [b]}, b: {command: x, profiles: [extra]}}")
    assert select(manifest) == ("a", "b")


def test_a_container_follows_what_it_needs_out_of_the_stack() -> None:
    native = ProcessSpec(command="x", path="/")

    def service(name: str, *needs: str, alternative: bool = True) -> Service:
        return Service(
            name=name,
            runtime=Runtime.CONTAINER,
            compose=name,
            native=native if alternative else None,
            depends_on=tuple(Dependency(service=each) for each in needs),
        )

    services = [
        service("bouncer", "api"),
        service("api", "db"),
        service("db"),
        service("only", "api", alternative=False),
    ]
    manifest = Manifest(name="m", file="/f", root="/", services={each.name: each for each in services})
    chosen = choose(manifest, docker=True, native=["api"]).services
    assert {name: each.runtime.value for name, each in chosen.items()} == {
        "bouncer": "process",
        "api": "process",
        "db": "container",
        "only": "container",
    }
    assert chosen["bouncer"].runtime_reason == "needs api, which runs without a container"
