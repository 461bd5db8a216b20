"""Compose creates, the engine starts: whole lives of containers, on a real engine."""

from __future__ import annotations

from typing import Any

import pytest

from devctl.core.state import Adopted, ContainerIdentity, Exited, SetupDone, SetupStarted, Stopped
from devctl.runtimes.endpoint import Endpoint

SLEEPER = """
services:
  web:
    image: devctl-test/busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; echo hello; while :; do sleep 0.1; done"]
    stop_grace_period: 20s
"""


def test_a_service_is_created_started_stopped_and_kept(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        assert [type(event) for event in await project.prepare(web)] == [SetupStarted, SetupDone]
        identity = await project.start(web)
        state = project.docker.container("web")["State"]
        assert (state["Status"], state["StartedAt"]) == ("running", identity.started)
        assert await project.stop(web, identity) == Stopped(service="web", run=1, code=0)
        assert project.docker.container("web")["State"]["Status"] == "exited"

    project.run(test)
    assert not [event for event in project.events if isinstance(event, Exited)]


def test_what_is_up_to_date_is_left_running(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        assert await project.changed(web, identity) == ""
        assert await project.start(web, run=2) == identity

    project.run(test)


def test_a_second_supervisor_takes_over_the_very_run(project: Any) -> None:
    project.write(SLEEPER)
    web, kept = project.service(), []

    async def first() -> None:
        kept.append(await project.up(web))

    async def second() -> None:
        await project.runtime.adopt(web, 1, kept[0], project.events.append)
        assert project.events == [Adopted(service="web", run=1, identity=kept[0])]
        project.docker.api.kill(kept[0].id)
        exited = await project.event(Exited)
        assert (exited.run, exited.code, exited.note) == (1, 137, "killed: SIGKILL")

    project.run(first)
    project.run(second)


def test_a_run_that_ended_unwatched_is_told_with_its_code_and_last_words(project: Any) -> None:
    project.write(SLEEPER)
    web, kept = project.service(), []

    async def first() -> None:
        kept.append(await project.up(web))

    async def second() -> None:
        await project.runtime.adopt(web, 1, kept[0], project.events.append)
        (exited,) = project.events
        assert isinstance(exited, Exited)
        assert (exited.code, exited.words, exited.note) == (0, ("hello",), "ended while no supervisor was watching")

    project.run(first)
    project.docker.api.stop(kept[0].id)
    project.run(second)


def test_another_run_of_the_same_service_is_adopted_as_what_it_is(project: Any) -> None:
    project.write(SLEEPER)
    web, kept = project.service(), []

    async def first() -> None:
        kept.append(await project.up(web))

    async def second() -> None:
        await project.runtime.adopt(web, 1, kept[0], project.events.append)
        (adopted,) = project.events
        state = project.docker.container("web")["State"]
        assert adopted == Adopted(service="web", run=1, identity=ContainerIdentity(kept[0].id, state["StartedAt"]))
        assert state["StartedAt"] != kept[0].started

    project.run(first)
    project.docker.api.restart(kept[0].id)
    project.run(second)


@pytest.mark.parametrize("code", [0, 3])
def test_an_end_is_noticed_at_once_even_one_right_after_the_start(project: Any, code: int) -> None:
    project.write(f"""
        services:
          web: {{image: devctl-test/busybox, command: ["sh", "-c", "echo one; echo two >&2; exit {code}"]}}
        """)
    web = project.service()

    async def test() -> None:
        await project.changed(web)
        for run in (1, 2, 3):
            await project.runtime.start(web, run, project.environment, project.events.append)
            exited = await project.event(Exited)
            assert (exited.run, exited.code, sorted(exited.words)) == (run, code, ["one", "two"])
            project.events.clear()

    project.run(test)


def test_an_end_that_comes_later_is_told_once(project: Any, apoll: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        project.docker.api.kill(identity.id, "TERM")
        exited = await project.event(Exited)
        assert (exited.code, exited.words) == (0, ("hello",))
        again = await project.start(web, run=2)
        assert again.started > identity.started
        await project.stop(web, again, run=2)
        await project.stop(web, await project.start(web, run=3), run=3)

    project.run(test)
    assert len([event for event in project.events if isinstance(event, Exited)]) == 1


def test_a_container_somebody_removed_is_created_again_by_the_start(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        await project.changed(web)
        project.docker.api.remove_container(project.docker.container("web")["Id"])
        await project.start(web)

    project.run(test)


def test_compose_by_hand_sees_and_ends_what_devctl_started(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        await project.up(web)
        assert project.compose("ps", "--format", "{{.Service}} {{.State}}").split() == ["web", "running"]
        project.compose("down")
        assert (await project.event(Exited)).code == 0

    project.run(test)


def test_two_projects_do_not_disturb_each_other(project: Any) -> None:
    project.write(SLEEPER)
    web, other = project.service(), project.docker.new_project()

    async def test() -> None:
        identity = await project.up(web)
        project.compose("up", "-d", project=other)
        project.compose("down", project=other)
        assert await project.changed(web, identity) == ""
        assert project.docker.container("web")["State"]["StartedAt"] == identity.started

    project.run(test)
    assert not [event for event in project.events if isinstance(event, Exited)]


def test_without_an_engine_a_start_says_where_it_looked(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        await project.runtime.start(web, 1, project.environment, project.events.append)
        assert "no Docker engine answers at unix:///nowhere.sock" in project.events[-1].reason

    project.run(test, endpoint=Endpoint("unix:///nowhere.sock"))
