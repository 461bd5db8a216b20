"""Images and containers are made current, nothing else is touched, and every replacement has its cause."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from devctl.core.state import SetupDone, SetupFailed, SetupStarted, StopFor, Stopped, Stopping

COMPOSE = """
services:
  web:
    build: {context: ., args: {COLOUR: "${COLOUR:-red}"}}
    command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    stop_grace_period: 20s
    environment: {LEVEL: "${LEVEL:-info}"}
"""
DOCKERFILE = """
FROM devctl-test/busybox
ARG COLOUR
RUN echo $COLOUR > /colour
COPY . /app
"""
IGNORE = "*.log\n.devctl\n.env\ncompose.yml\n"
PLAIN = """
services:
  web:
    image: devctl-test/busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    volumes: ["data:/data"]
    networks: [inner]
volumes: {data: {}, spare: {}}
networks: {inner: {}}
"""


def edit_source(project: Any) -> str:
    (project.root / "main.txt").write_text("two")
    return "image rebuilt: main.txt changed since its image was built"


def edit_dockerfile(project: Any) -> str:
    (project.root / "Dockerfile").write_text(DOCKERFILE + "RUN touch /more\n")
    return "image rebuilt: Dockerfile changed since its image was built"


def edit_argument(project: Any) -> str:
    project.environment["COLOUR"] = "blue"
    return "image rebuilt: build argument COLOUR changed since its image was built"


def edit_definition(project: Any) -> str:
    project.write(COMPOSE.replace("info", "debug"))
    return "its definition in the compose file changed since it was created"


def edit_variable(project: Any) -> str:
    project.environment["LEVEL"] = "debug"
    return "its definition in the compose file changed since it was created"


def edit_env_file(project: Any) -> str:
    (project.root / ".env").write_text("LEVEL=debug\n")
    return "its definition in the compose file changed since it was created"


@pytest.mark.parametrize(
    "edit", [edit_source, edit_dockerfile, edit_argument, edit_definition, edit_variable, edit_env_file]
)
def test_what_changed_is_replaced_while_it_runs_and_says_why(project: Any, edit: Any) -> None:
    project.write(COMPOSE, Dockerfile=DOCKERFILE, main__txt="one", __dockerignore=IGNORE)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        assert await project.changed(web, identity) == ""
        because = edit(project)
        assert await project.prepare(web, running={"web": (1, identity)}) == [
            SetupStarted(service="web"),
            Stopping(service="web", run=1, why=StopFor.REPLACE, reason=because),
            Stopped(service="web", run=1, code=0),
            SetupDone(service="web", changed=because),
        ]
        again = await project.start(web, run=2)
        assert again.id != identity.id
        assert await project.changed(web, again, run=2) == ""

    project.run(test)


def test_what_the_image_does_not_see_changes_nothing(project: Any) -> None:
    project.write(COMPOSE, Dockerfile=DOCKERFILE, main__txt="one", __dockerignore=IGNORE)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        (project.root / "debug.log").write_text("noise")
        os.utime(project.root / "main.txt")
        assert await project.changed(web, identity) == ""
        assert project.docker.container("web")["State"]["StartedAt"] == identity.started

    project.run(test)


def test_our_own_folder_is_no_source_even_when_nothing_ignores_it(project: Any) -> None:
    project.write(COMPOSE, Dockerfile=DOCKERFILE, main__txt="one")
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        (project.root / ".devctl" / "journal").write_text("x")
        assert await project.changed(web, identity) == ""

    project.run(test)


def test_going_back_to_an_earlier_state_is_a_change_too(project: Any) -> None:
    project.write(COMPOSE, Dockerfile=DOCKERFILE, main__txt="one", __dockerignore=IGNORE)
    web = project.service()

    async def test() -> None:
        assert await project.changed(web) == "container created"
        first = project.docker.container("web")["Image"]
        for text in ("two", "one"):
            (project.root / "main.txt").write_text(text)
            assert await project.changed(web) == "image rebuilt: main.txt changed since its image was built"
        assert project.docker.container("web")["Image"] == first

    project.run(test)


def test_nothing_to_do_starts_no_process(project: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    project.write(COMPOSE, Dockerfile=DOCKERFILE, main__txt="one")
    web, bin_ = project.service(), tmp_path_factory.mktemp("bin")
    calls = bin_ / "calls"
    for name in ("docker", "docker-compose"):
        (bin_ / name).write_text(f'#!/bin/sh\necho "$@" >> {calls}\nPATH=${{PATH#*:}} exec {name} "$@"\n')
        (bin_ / name).chmod(0o755)
    project.environment["PATH"] = f"{bin_}:{os.environ['PATH']}"

    async def first() -> None:
        await project.up(web)
        assert len(calls.read_text().splitlines()) == 4  # config twice, build, create
        calls.unlink()

    async def second() -> None:
        assert await project.changed(web) == ""
        await project.start(web)

    project.run(first)
    project.run(second)
    assert not calls.exists()


def test_a_remembered_hash_is_asked_again_before_it_costs_a_container(project: Any) -> None:
    project.write(PLAIN)
    web = project.service()

    async def first() -> None:
        await project.up(web)

    async def second() -> None:
        identity = await project.start(web, run=2)
        assert await project.changed(web, identity, run=2) == ""

    project.run(first)
    remembered = project.root / ".devctl" / "compose.json"
    text = json.loads(remembered.read_text())
    text["config"]["services"]["web"]["hash"] = "0" * 64  # as another version of Compose would make it
    remembered.write_text(json.dumps(text))
    project.run(second)
    assert not [event for event in project.events if isinstance(event, Stopping)]


def test_an_image_built_by_hand_is_adopted_when_younger_than_its_sources(project: Any) -> None:
    project.write(COMPOSE, Dockerfile=DOCKERFILE, main__txt="one")
    for path in (project.root, *project.root.iterdir()):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    project.compose("build")
    web = project.service()

    async def test() -> None:
        os.utime(project.root, (1_000_000_000, 1_000_000_000))
        assert await project.changed(web) == "container created"
        assert not any("building with" in line for line in project.lines)

    project.run(test)


def test_an_image_older_than_its_sources_is_built(project: Any) -> None:
    project.write(COMPOSE, Dockerfile=DOCKERFILE, main__txt="one")
    project.compose("build")
    (project.root / "main.txt").write_text("two")
    os.utime(project.root / "main.txt", (4_000_000_000, 4_000_000_000))
    web = project.service()

    async def test() -> None:
        await project.changed(web)
        assert any("COPY" in line for line in project.lines)
        identity = await project.start(web)
        assert await project.changed(web, identity) == ""

    project.run(test)


def test_a_tag_that_became_another_image_replaces_the_container(project: Any) -> None:
    tag = f"{project.name}-base"
    project.docker.api.tag("devctl-test/busybox", tag)
    project.write(PLAIN.replace("devctl-test/busybox", tag))
    web = project.service()

    async def test() -> None:
        await project.changed(web)
        project.docker.api.tag("devctl-test/redis:7", tag)
        assert await project.changed(web) == f"{tag} is another image now"

    project.run(test)


def test_a_container_whose_network_is_gone_is_made_anew(project: Any) -> None:
    project.write(PLAIN)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        await project.stop(web, identity)
        project.docker.api.remove_network(f"{project.name}_inner")
        assert await project.changed(web) == "its network is gone"
        await project.start(web, run=2)

    project.run(test)


def test_a_network_removed_between_create_and_start_is_mended_by_the_start(project: Any) -> None:
    project.write(PLAIN)
    web = project.service()

    async def test() -> None:
        await project.changed(web)
        project.docker.api.remove_network(f"{project.name}_inner")
        await project.start(web)

    project.run(test)


def test_several_containers_of_one_service_become_one(project: Any) -> None:
    project.write(PLAIN)
    web = project.service()
    project.compose("up", "-d", "--scale", "web=2")

    async def test() -> None:
        assert await project.changed(web) == "it has 2 containers and must have one"
        assert len(project.docker.containers()) == 1

    project.run(test)


def test_a_service_the_file_scales_has_one_container_and_is_then_current(project: Any) -> None:
    project.write(PLAIN.replace("image:", "scale: 3\n    image:"))
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        assert len(project.docker.containers()) == 1
        assert await project.changed(web, identity) == ""

    project.run(test)


def test_only_the_wanted_are_created_whatever_the_compose_file_makes_them_depend_on(project: Any) -> None:
    project.write("""
        services:
          web: {image: devctl-test/busybox, command: sleep 60, depends_on: [db]}
          db: {image: devctl-test/busybox, command: sleep 60, profiles: [rare]}
        """)

    async def test() -> None:
        await project.changed(project.service("web"))
        assert len(project.docker.containers()) == 1
        await project.changed(project.service("db"))
        assert len(project.docker.containers()) == 2

    project.run(test)


def test_a_broken_build_fails_its_own_service_alone(project: Any) -> None:
    project.write(
        """
        services:
          good: {build: {context: ., dockerfile: Dockerfile}}
          bad: {build: {context: ., dockerfile: Bad}}
          plain: {image: devctl-test/busybox}
        """,
        Dockerfile=DOCKERFILE,
        Bad="FROM devctl-test/busybox\nRUN echo reason; exit 3\n",
    )
    services = [project.service(name) for name in ("good", "bad", "plain")]

    async def test() -> None:
        events = {event.service: event for event in (await project.prepare(*services))[3:]}
        assert isinstance(events["good"], SetupDone)
        assert isinstance(events["plain"], SetupDone)
        failed = events["bad"]
        assert isinstance(failed, SetupFailed)
        assert "exit 3" in failed.reason
        assert any(line.endswith("reason") for line in failed.words)

    project.run(test)


def test_an_image_that_cannot_be_had_says_what_to_check(project: Any) -> None:
    project.write("services: {web: {image: devctl-test/never-made:1}}")

    async def test() -> None:
        (_, failed) = await project.prepare(project.service())
        assert isinstance(failed, SetupFailed)
        assert "the image is not on this machine and could not be pulled" in failed.hint

    project.run(test)


def test_a_service_the_compose_file_lacks_is_met_with_the_one_meant(project: Any) -> None:
    project.write(PLAIN)

    async def test() -> None:
        events = await project.prepare(project.service("api", compose="wbe"), project.service("web"))
        failed, done = events[2:]
        assert isinstance(failed, SetupFailed)
        assert (failed.service, failed.hint) == ("api", "did you mean 'web'?")
        assert failed.reason == "api: the compose file has no service 'wbe'"
        assert done == SetupDone(service="web", changed="container created")

    project.run(test)


@pytest.mark.parametrize(
    ("compose", "said"),
    [
        ("services: {web: {imag: x}}", "dditional propert"),
        ("services: [", "yaml: line 1"),
        ("services: {web: {image: '${TAG:?set a tag}'}}", "set a tag"),
    ],
)
def test_a_compose_file_with_a_mistake_is_told_in_composes_words(project: Any, compose: str, said: str) -> None:
    project.write(compose)

    async def test() -> None:
        (_, failed) = await project.prepare(project.service())
        assert isinstance(failed, SetupFailed)
        assert said in failed.reason

    project.run(test)


def test_without_compose_it_says_how_to_get_it(project: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    project.write(PLAIN)
    bin_ = tmp_path_factory.mktemp("bin")
    (bin_ / "docker").write_text("#!/bin/sh\necho \"docker: 'compose' is not a docker command.\" >&2\nexit 1\n")
    (bin_ / "docker").chmod(0o755)
    project.environment["PATH"] = str(bin_)

    async def test() -> None:
        (_, failed) = await project.prepare(project.service())
        assert isinstance(failed, SetupFailed)
        assert failed.reason == "Docker Compose is not installed"
        assert "docker-compose-plugin" in failed.hint

    project.run(test)


def test_no_value_of_a_variable_is_written_down(project: Any) -> None:
    project.write(COMPOSE, Dockerfile=DOCKERFILE, main__txt="one")
    project.environment |= {"LEVEL": "s3cret-level", "COLOUR": "s3cret-colour"}

    async def test() -> None:
        await project.changed(project.service())

    project.run(test)
    for path in (project.root / ".devctl").iterdir():
        assert "s3cret" not in path.read_text()
        assert path.stat().st_mode & 0o077 == 0


def test_volumes_survive_a_replacement_and_go_only_when_named(project: Any) -> None:
    project.write(PLAIN)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        await project.runtime.run_exec(web, "echo kept > /data/file", 30)
        project.write(PLAIN.replace("sleep 0.1", "sleep 0.2"))
        await project.changed(web, identity)
        identity = await project.start(web, run=2)
        assert await project.runtime.run_exec(web, ["cat", "/data/file"], 30) == (0, "kept\n")
        with pytest.raises(Exception, match="has no volume 'date'") as refused:
            await project.runtime.remove_volumes(["data", "date"])
        assert refused.value.hint == "there are: data"  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="the volume 'data' is in use"):
            await project.runtime.remove_volumes(["data"])
        await project.stop(web, identity, run=2)
        project.docker.api.remove_container(identity.id)
        assert await project.runtime.remove_volumes(["data"]) == (f"{project.name}_data",)

    project.run(test)


def test_containers_of_a_removed_service_are_named_and_left_alone(project: Any) -> None:
    project.write("services: {web: {image: devctl-test/busybox}, old: {image: devctl-test/busybox}}")

    async def test() -> None:
        await project.prepare(project.service("web"), project.service("old"))
        project.write("services: {web: {image: devctl-test/busybox}}")
        await project.changed(project.service("web"))
        assert await project.runtime.orphans(project.environment) == (f"{project.name}-old-1",)

    project.run(test)


def test_the_context_we_hash_is_the_context_the_builder_sees(project: Any) -> None:
    ignore = (
        "**/*.log\nnode_modules\n!node_modules/keep\nsecret*\n!secret.example\n.devctl\n/only/top\ndeep/**\n!deep/x/y\n"
    )
    project.write(
        "services: {web: {build: .}}",
        Dockerfile="FROM devctl-test/busybox\nCOPY . /ctx\nWORKDIR /ctx\nCMD find . -type f\n",
        __dockerignore=ignore + "!deep/x/y\n",
    )
    names = (
        "a.py", "a.log", "b/c.log", "b/c.py", "node_modules/m/i.js", "node_modules/keep/k.js", "secret.env",
        "secret.example", "only/top", "only/other", "x/only/top", "deep/a", "deep/x/y/z", "deep/x/w",
    )  # fmt: skip
    for name in names:
        path = project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    web = project.service()

    async def test() -> None:
        await project.changed(web)
        container = project.docker.container("web")
        project.docker.api.start(container["Id"])
        project.docker.api.wait(container["Id"])
        listed = project.docker.api.logs(container["Id"]).decode().split()
        remembered = json.loads((project.root / ".devctl" / "images.json").read_text())["web"]
        (sources,) = remembered.values()
        files = {path for path in sources["files"] if (project.root / path).is_file()}
        assert files == {str(Path(line)) for line in listed}

    project.run(test)
