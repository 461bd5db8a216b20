"""What is known of a stack without starting it: its mistakes, and what it depends on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from devctl.core.model import ComposeStack, Port, Runtime, Service
from devctl.runtimes.compose_cli import ComposeCli
from devctl.runtimes.compose_config import ConfigCache, StackConfig, parse
from devctl.runtimes.compose_inputs import inputs_of
from devctl.runtimes.foresight import foresee
from devctl.runtimes.validation import validate

FILE = """
services:
  web:
    image: "busybox:${TAG:-1}"
    ports: ["8000:80", "9000-9001:90-91", "53:53/udp"]
    env_file: [web.env]
    environment: [PASSED]
    extends: {file: base.yml, service: base}
  host: {image: busybox, network_mode: host}
include: [more.yml]
"""


def service(name: str, *ports: int) -> Service:
    return Service(
        name=name, runtime=Runtime.CONTAINER, compose=name, ports=tuple(Port(number=number) for number in ports)
    )


@pytest.fixture
def stack(tmp_path: Path) -> ComposeStack:
    (tmp_path / "compose.yml").write_text(FILE)
    (tmp_path / "base.yml").write_text("services: {base: {labels: {level: '${LEVEL:-1}'}}}")
    (tmp_path / "more.yml").write_text("services: {more: {image: busybox}}")
    (tmp_path / "web.env").write_text("ONE=${TWO}\nBARE\n")
    return ComposeStack(files=(str(tmp_path / "compose.yml"),), project="p")


def test_everything_it_depends_on_is_known(stack: ComposeStack, tmp_path: Path) -> None:
    found = inputs_of(stack, {"TAG": "1"})
    assert found is not None
    there = {Path(path).name for path, digest in found.files.items() if digest}
    assert there == {"compose.yml", "base.yml", "more.yml", "web.env"}
    assert {"TAG", "LEVEL", "TWO", "PASSED", "BARE"} <= set(found.variables)
    assert found.current({"TAG": "1"})


@pytest.mark.parametrize("name", ["compose.yml", "base.yml", "more.yml", "web.env", ".env"])
def test_a_changed_file_is_noticed_a_new_one_too(stack: ComposeStack, tmp_path: Path, name: str) -> None:
    found = inputs_of(stack, {})
    with (tmp_path / name).open("a") as file:
        file.write("\n")
    assert found is not None
    assert not found.current({})


@pytest.mark.parametrize("name", ["TAG", "LEVEL", "TWO", "PASSED", "BARE", "DOCKER_DEFAULT_PLATFORM"])
def test_a_changed_variable_is_noticed_an_empty_one_too(stack: ComposeStack, name: str) -> None:
    found = inputs_of(stack, {})
    assert found is not None
    assert not found.current({name: "2"})
    assert not found.current({name: ""})
    assert found.current({"UNRELATED": "2"})


def test_what_cannot_be_followed_is_never_remembered(stack: ComposeStack, tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("include: ['oci://example/stack:1']\nservices: {}\n")
    assert inputs_of(stack, {}) is None
    (tmp_path / "compose.yml").write_text("services: {web: {env_file: '${FOLDER:?}/x.env'}}\n")
    assert inputs_of(stack, {}) is None


def test_tags_merges_and_paths_with_variables_are_followed(stack: ComposeStack, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/x.env").write_text("A=1")
    (tmp_path / ".env").write_text("FOLDER='deep'\n")
    text = "x-base: &base {env_file: ['${FOLDER}/x.env']}\nservices: {web: {<<: *base, ports: !reset []}}\n"
    (tmp_path / "compose.yml").write_text(text)
    found = inputs_of(stack, {})
    assert found is not None
    assert found.files[str(tmp_path / "deep/x.env")]


def test_the_cache_is_only_for_its_own_stack(stack: ComposeStack, tmp_path: Path) -> None:
    class Fake(ComposeCli):
        def __init__(self) -> None:
            pass

        async def config(self) -> tuple[str, str]:
            return '{"services": {"web": {"image": "busybox"}}}', "web " + "a" * 64

    cache = ConfigCache(tmp_path / ".devctl", stack)
    asked = asyncio.run(cache.ask(Fake(), {"TAG": "1"}))
    assert cache.remembered({"TAG": "1"}) == asked
    assert cache.remembered({"TAG": "2"}) is None
    other = ComposeStack(files=stack.files, project="q")
    assert ConfigCache(tmp_path / ".devctl", other).remembered({"TAG": "1"}) is None
    (tmp_path / ".devctl/compose.json").write_text("{")
    assert cache.remembered({"TAG": "1"}) is None


def test_composes_warnings_before_its_answer_do_no_harm() -> None:
    warning = 'time="2026-01-01T00:00:00Z" level=warning msg="The \\"X\\" variable is not set: {}"\n'
    config = parse(warning + '{\n "services": {"a": {"build": {"context": "/c"}}}}', warning + f"a {'b' * 64}\n", "p")
    assert (config.services["a"].hash, config.services["a"].image) == ("b" * 64, "p-a")


def test_volumes_of_others_are_not_ours() -> None:
    tree = '{"volumes": {"data": {"name": "p_data"}, "theirs": {"name": "x", "external": true}, "bare": null}}'
    assert parse(tree, "", "p") == StackConfig(volumes={"data": "p_data", "bare": "p_bare"})


@pytest.mark.docker
def test_mistakes_are_told_all_at_once(docker: Any, stack: ComposeStack) -> None:
    wanted = [service("web", 8000, 9001, 8001, 53), service("wbe"), service("host", 7000), service("more")]
    said = [(error.what, error.hint) for error in validate(stack, wanted, {})]
    assert said == [
        ("wbe: the compose file has no service 'wbe'", "did you mean 'web'?"),
        (
            "web: the compose file doesn't publish port 8001 of web",
            'add "8001:…" to its ports, or correct ports: in services.yaml',
        ),
        (
            "web: the compose file doesn't publish port 53 of web",
            'add "53:…" to its ports, or correct ports: in services.yaml',
        ),
    ]


@pytest.mark.docker
def test_a_compose_file_with_a_mistake_or_none(docker: Any, stack: ComposeStack, tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text("services: {more: {imag: busybox}}")
    (error,) = validate(stack, [service("web")], {})
    assert "dditional propert" in error.what
    assert error.where == stack.files[0]
    gone = ComposeStack(files=("/nowhere/compose.yml",), project="p")
    assert [error.what for error in validate(gone, [], {})] == ["there is no such compose file"]


def test_a_rehearsal_says_what_would_be_done_and_does_nothing(project: Any) -> None:
    project.write(
        """
        services:
          built: {build: .}
          plain: {image: devctl-test/busybox}
        """,
        Dockerfile="FROM devctl-test/busybox\n",
    )
    services = [project.service("built"), project.service("plain"), project.service("other")]
    from devctl.runtimes.endpoint import Endpoint

    endpoint = Endpoint(project.docker.host)
    changes = foresee(project.stack, services, project.environment, endpoint, project.root / ".devctl")
    assert [str(change) for change in changes.values()] == [
        "built: build (its image does not exist yet)",
        "plain: create (it has no container yet)",
    ]
    assert project.docker.containers() == []
