"""Starts that fail say why, with the next command to type; what a running container is asked; foreign restarts."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from devctl.core.state import Exited, StartFailed
from devctl.errors import DevctlError

SLEEPER = """
services:
  web:
    image: devctl-test/busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; echo hello; while :; do sleep 0.1; done"]
    stop_grace_period: 20s
"""


async def failed(project: Any, run: int = 1) -> StartFailed:
    web = project.service()
    await project.changed(web)
    await project.runtime.start(web, run, project.environment, project.events.append)
    event = project.events[-1]
    assert isinstance(event, StartFailed), event
    return event


def test_a_port_another_container_holds_names_it(project: Any, free_port: Any) -> None:
    port, other = free_port(), project.docker.new_project()
    project.write(f"{SLEEPER}    ports: ['{port}:80']\n")
    project.compose("up", "-d", project=other)

    async def test() -> None:
        event = await failed(project)
        held = f"port {port} is already in use by container {other}-web-1 of the Compose project {other}"
        assert (event.reason, event.hint, event.final) == (held, f"devctl ports --free {port}", True)
        assert project.runtime.engine.holder_of_port(port) == (f"{other}-web-1", other, "web")
        project.compose("stop", project=other)
        await project.start(project.service(), run=2)

    project.run(test)
    assert not [event for event in project.events if isinstance(event, Exited)]


def test_a_port_a_process_holds_says_so(project: Any) -> None:
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        project.write(f"{SLEEPER}    ports: ['{port}:80']\n")

        async def test() -> None:
            event = await failed(project)
            assert event.reason == f"port {port} is already in use by another program"
            assert event.final
            assert project.runtime.engine.holder_of_port(port) is None

        project.run(test)


def test_a_command_the_image_lacks_is_final(project: Any) -> None:
    project.write("services: {web: {image: devctl-test/busybox, command: [nope]}}")

    async def test() -> None:
        event = await failed(project)
        assert event.final
        assert '"nope": executable file not found' in event.reason

    project.run(test)


def test_a_container_that_ran_out_of_grace_is_killed(project: Any) -> None:
    project.write(SLEEPER.replace("'exit 0'", "''").replace("20s", "1s"))
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        stopped = await project.stop(web, identity)
        assert stopped.code == 137

    project.run(test)


def test_a_stop_of_what_is_gone_or_was_made_anew_by_hand(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        project.compose("up", "-d", "--force-recreate")
        await project.stop(web, identity)
        assert project.docker.container("web")["State"]["Status"] == "exited"
        project.compose("down")
        stopped = await project.stop(web, identity)
        assert stopped.code is None

    project.run(test)


def test_what_the_engine_restarts_by_itself_ends_and_can_be_started_again(project: Any) -> None:
    project.write("""
        services:
          web:
            image: devctl-test/busybox
            command: ["sh", "-c", "echo once; exit 7"]
            restart: always
        """)
    web = project.service()

    async def test() -> None:
        await project.changed(web)
        for run in (1, 2):
            await project.runtime.start(web, run, project.environment, project.events.append)
            exited = await project.event(Exited)
            assert (exited.run, exited.code) == (run, 7)
            project.events.clear()
        await project.stop(web, None, run=2)
        assert project.docker.container("web")["State"]["Running"] is False

    project.run(test)


def test_a_start_does_not_wait_for_the_engines_own_next_restart(project: Any, apoll: Any) -> None:
    project.write("""
        services:
          web: {image: devctl-test/busybox, command: ["sh", "-c", "exit 7"], restart: always}
        """)
    web = project.service()

    def resting() -> bool:
        found = project.docker.container("web")
        return found["State"]["Status"] == "restarting" and found["RestartCount"] >= 4

    async def test() -> None:
        await project.changed(web)
        project.docker.api.start(project.docker.container("web")["Id"])
        await apoll(resting)
        before = project.docker.container("web")["RestartCount"]
        identity = await project.start(web)
        assert identity.started
        assert project.docker.container("web")["RestartCount"] < before

    project.run(test)


def test_a_restart_by_hand_ends_the_run_and_the_next_start_takes_over_what_runs(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        project.docker.api.restart(identity.id)
        assert (await project.event(Exited)).code == 0
        again = await project.start(web, run=2)
        assert again.started == project.docker.container("web")["State"]["StartedAt"]

    project.run(test)


def test_a_removed_container_is_an_end_too(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        project.docker.api.remove_container(identity.id, force=True)
        assert (await project.event(Exited)).code == 137

    project.run(test)


def test_commands_inside_a_container(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        with pytest.raises(DevctlError, match="web has no container"):
            await project.runtime.run_exec(web, "true", 30)
        await project.up(web)
        assert await project.runtime.run_exec(web, "echo $((6*7)); exit 3", 30) == (3, "42\n")
        assert await project.runtime.run_exec(web, ("echo", "$HOME"), 30) == (0, "$HOME\n")
        for slow in ("sleep 60", "while :; do echo; sleep 0.1; done"):
            with pytest.raises(DevctlError, match=r"no end after 0.5 s"):
                await project.runtime.run_exec(web, slow, 0.5)

    project.run(test)


def test_usage_comes_from_the_last_sample_and_never_waits(project: Any, apoll: Any) -> None:
    project.write(SLEEPER.replace("sleep 0.1", "true"))
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        assert project.runtime.usage({"web": identity}) == {}
        busy = await apoll(
            lambda: (found := project.runtime.usage({"web": identity}).get("web")) and found[0] and found
        )
        cpu, memory = busy
        assert 1 < cpu < 400
        assert 0 < memory < 500_000_000
        assert project.runtime.usage({}) == {}

    project.run(test)


@pytest.mark.parametrize("tty", [False, True])
def test_logs_come_with_their_times_both_streams_and_whole_lines(project: Any, tty: bool) -> None:
    project.write(f"""
        services:
          web:
            image: devctl-test/busybox
            tty: {str(tty).lower()}
            command: ["sh", "/say"]
            volumes: ["{project.root}/say:/say:ro"]
        """)
    (project.root / "say").write_text(
        "echo out; echo err >&2; printf half; sleep 0.3; echo ' line'; head -c 40000 /dev/zero | tr '\\0' x; echo\n"
    )
    web = project.service()

    async def test() -> None:
        await project.up(web)
        await project.event(Exited)
        lines = list(project.runtime.logs(web))
        assert sorted(text for _, text in lines)[:3] == ["err", "half line", "out"]
        assert [len(text) for _, text in lines][3:] == [40000]
        assert all(1.6e9 < moment < 1e10 for moment, _ in lines)
        assert [moment for moment, _ in lines] == sorted(moment for moment, _ in lines)

    project.run(test)


def test_a_followed_log_goes_on_until_the_container_ends(project: Any) -> None:
    project.write(SLEEPER)
    web = project.service()

    async def test() -> None:
        identity = await project.up(web)
        with contextlib.closing(project.runtime.logs(web, follow=True)) as lines:
            assert next(lines)[1] == "hello"
            project.docker.api.kill(identity.id, "KILL")
            assert list(lines) == []

    project.run(test)
