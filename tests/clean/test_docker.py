"""What goes from a real engine is one project's own, stopped, and nobody's data."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl.clean.artefacts import find, roots
from devctl.clean.docker import FILES, Leftovers, mounts
from devctl.clean.policy import Kind, Running
from devctl.core.model import Manifest
from devctl.errors import DevctlError
from devctl.runtimes.endpoint import Endpoint
from devctl.runtimes.engine import Engine

SERVICE = "com.docker.compose.service"
PROJECT = "com.docker.compose.project"
VOLUME = "com.docker.compose.volume"


class Stage:
    """One project in the engine, made through the API as Compose would."""

    def __init__(self, docker: Any, manifest: Callable[..., Manifest], poll: Callable[..., Any]) -> None:
        self.docker, self.api, self.poll = docker, docker.api, poll
        self.manifest = manifest(compose=docker.project)
        assert self.manifest.compose
        self.stack = self.manifest.compose
        self.engine = Engine(Endpoint(docker.host))
        self.left = Leftovers(self.engine, self.stack)

    def container(self, service: str, state: str = "exited", project: str = "", **more: Any) -> str:
        project = project or self.docker.project
        labels = {PROJECT: project, SERVICE: service, FILES: more.pop("file", self.stack.files[0])}
        mounts = more.pop("volumes", [])
        command = ["sleep", "1000"] if state in {"running", "paused"} else ["true"]
        made: str = self.api.create_container(
            self.docker.images["busybox"],
            command,
            name=f"{project}-{service}",
            labels=labels,
            volumes=[each.rsplit(":", maxsplit=1)[-1] for each in mounts],
            host_config=self.api.create_host_config(binds=[each for each in mounts if ":" in each], init=True),
            networking_config=more.pop("networking_config", None),
        )["Id"]
        if state != "created":
            self.api.start(made)
        if state == "paused":
            self.api.pause(made)
        listed = {"id": made, "status": state}  # the engine's list lags a little behind its events
        self.poll(lambda: self.api.containers(all=True, filters=listed), what=f"{service} is {state}")
        return made

    def judged(self, *kinds: str, now: Running | None = None, volumes: tuple[str, ...] = ()) -> dict[str, str]:
        prefix = f"{self.docker.project}-"
        items = self.left.find(kinds, now or Running(), volumes)
        return {item.name.removeprefix(prefix): item.refusal for item in items}

    def tidy(self, *kinds: str, now: Running | None = None, volumes: tuple[str, ...] = ()) -> None:
        for item in self.left.find(kinds, now or Running(), volumes):
            if not item.refusal:
                self.left.remove(item, now or Running())

    def names(self, project: str = "") -> set[str]:
        prefix = f"{project or self.docker.project}-"
        return {each["Names"][0].removeprefix(f"/{prefix}") for each in self.docker.containers(project)}


@pytest.fixture
def stage(docker: Any, manifest: Callable[..., Manifest], poll: Callable[..., Any]) -> Iterator[Stage]:
    made = Stage(docker, manifest, poll)
    yield made
    made.engine.close()


def test_stopped_containers_of_this_project_go_and_no_others(stage: Stage) -> None:
    other = stage.docker.new_project()
    stage.container("ended")
    stage.container("never-ran", "created")
    stage.container("runs", "running")
    stage.container("paused", "paused")
    stage.container("elsewhere", file="/another/checkout/stack.yml")
    stage.container("ended", project=other)
    assert stage.judged("containers") == {
        "ended": "", "never-ran": "", "elsewhere": "it was made from /another/checkout/stack.yml"
    }  # fmt: skip
    stage.tidy("containers")
    assert stage.names() == {"runs", "paused", "elsewhere"}
    assert stage.names(other) == {"ended"}


def test_what_is_wanted_stays(stage: Stage) -> None:
    stage.container("one-shot")
    stage.container("other")
    now = Running(composed=frozenset({"one-shot"}))
    assert stage.judged("containers", now=now) == {"one-shot": "its service is wanted", "other": ""}


def test_what_is_wanted_again_or_runs_by_now_stays(stage: Stage) -> None:
    stage.container("ended")
    (item,) = stage.left.find(["containers"], Running())
    with pytest.raises(DevctlError, match="wanted again"):
        stage.left.remove(item, Running(composed=frozenset({"ended"})))
    made = stage.container("runs", "created")
    (item,) = [each for each in stage.left.find(["containers"], Running()) if each.key == made]
    stage.api.pause(stage.container("other", "running"))
    assert stage.judged("containers").keys() == {"ended", "runs"}
    assert stage.names() == {"ended", "runs", "other"}


def test_data_in_an_unnamed_volume_keeps_its_container(stage: Stage) -> None:
    name = f"{stage.docker.project}_named"
    stage.api.create_volume(name, labels={PROJECT: stage.docker.project, VOLUME: "named"})
    stage.container("unnamed", volumes=["/data"])
    stage.container("named", volumes=[f"{name}:/data"])
    assert stage.judged("containers") == {"unnamed": "it holds data in an unnamed volume", "named": ""}
    stage.tidy("containers", "networks", "images", "build-cache", "volumes")
    assert stage.names() == {"unnamed"}
    assert stage.api.inspect_volume(name)["Name"] == name


def test_volumes_go_only_by_their_names(stage: Stage) -> None:
    for name in ("kept", "named"):
        stage.api.create_volume(f"{stage.docker.project}_{name}", labels={PROJECT: stage.docker.project, VOLUME: name})
    assert stage.judged("volumes") == dict.fromkeys(["kept", "named"], "volumes go only by their names")
    stage.tidy("volumes", volumes=("named",))
    assert stage.judged("volumes") == {"kept": "volumes go only by their names"}


def test_a_volume_that_a_container_uses_is_refused_by_the_engine(stage: Stage) -> None:
    name = f"{stage.docker.project}_used"
    stage.api.create_volume(name, labels={PROJECT: stage.docker.project, VOLUME: "used"})
    stage.container("runs", "running", volumes=[f"{name}:/data"])
    (item,) = stage.left.find(["volumes"], Running(), ["used"])
    with pytest.raises(DevctlError, match="in use"):
        stage.left.remove(item, Running())
    assert stage.api.inspect_volume(name)["Name"] == name


def test_networks_go_when_no_container_knows_them(stage: Stage) -> None:
    api, project = stage.api, stage.docker.project
    for name in ("free", "used", "stopped"):
        api.create_network(f"{project}-{name}", labels={PROJECT: project})
    for service, state, network in (("runs", "running", "used"), ("waits", "created", "stopped")):
        config = api.create_networking_config({f"{project}-{network}": api.create_endpoint_config()})
        stage.container(service, state, networking_config=config)
    assert stage.judged("networks") == {
        "free": "", "used": f"{project}-runs needs it", "stopped": f"{project}-waits needs it"
    }  # fmt: skip
    assert stage.judged("containers", "networks") == {
        "waits": "", "free": "", "used": f"{project}-runs needs it", "stopped": ""
    }  # fmt: skip
    stage.tidy("containers", "networks")
    assert stage.judged("containers", "networks") == {"used": f"{project}-runs needs it"}


def test_dangling_images_of_this_project_go_and_no_others(stage: Stage) -> None:
    made = {name: image(stage, name) for name in (stage.docker.project, stage.docker.new_project())}
    tagged = image(stage, stage.docker.project)
    stage.api.tag(tagged, stage.docker.project, "kept")
    used = image(stage, stage.docker.project)
    stage.api.create_container(used, ["true"], labels={PROJECT: stage.docker.project})
    own, other = made.values()
    found = {item.key for item in stage.left.find(["images"], Running())}
    assert found >= {own}
    assert not found & {other, tagged}
    for item in stage.left.find(["images"], Running()):
        try:
            stage.left.remove(item, Running())
        except DevctlError:
            assert item.key == used
    present = {each["Id"] for each in stage.api.images(all=True)}
    assert present >= {other, tagged, used}
    assert own not in present


def image(stage: Stage, project: str) -> str:
    """A new image of a project, without a tag."""
    base = stage.api.create_container(stage.docker.images["busybox"], ["true"], labels={PROJECT: project})["Id"]
    changes = [f"LABEL {PROJECT}={project}", f"LABEL mark={uuid.uuid4().hex}"]
    made: str = stage.api.commit(base, changes=changes)["Id"]
    stage.api.remove_container(base)
    return made


def test_the_build_cache_is_weighed_and_never_removed(stage: Stage) -> None:
    for item in stage.left.find(["build-cache"], Running()):
        assert (item.kind, item.hint) == (Kind.BUILD_CACHE, "docker builder prune")
        assert item.refusal
        with pytest.raises(DevctlError, match="not devctl's to remove"):
            stage.left.remove(item, Running())


def test_what_a_running_container_mounts_stays(
    stage: Stage, manifest: Callable[..., Manifest], write: Callable[..., Path], root: Path
) -> None:
    for name in ("web/dist/x", "api/dist/x", "other/dist/x"):
        write(name)
    stage.container("serves", "running", volumes=[f"{root / 'web/dist'}:/site"])
    stage.container("develops", "running", volumes=[f"{root / 'api'}:/api"])
    stage.container("everything", "running", volumes=[f"{root}:/all"])
    stage.container("stopped", volumes=[f"{root / 'other'}:/other"])
    found = mounts(stage.engine, roots(manifest()))
    prefix = stage.docker.project
    assert found == {f"{prefix}-serves": (str(root / "web/dist"),), f"{prefix}-develops": (str(root / "api"),)}
    judged = {item.name: item.refusal for item in find(manifest(), Running(mounts=found))}
    assert judged == {
        "web/dist": f"it is mounted in the running container {prefix}-serves",
        "api/dist": f"it is mounted in the running container {prefix}-develops",
        "other/dist": "",
    }


def test_what_went_meanwhile_is_no_error(stage: Stage) -> None:
    stage.container("ended")
    (item,) = stage.left.find(["containers"], Running())
    stage.left.remove(item, Running())
    assert stage.left.remove(item, Running()) == 0
