"""The socket's own manners, with a supervisor made of nothing behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from devctl.api.protocol import Follow, Request, Snapshot, encode
from devctl.core.state import ServiceState
from devctl.supervisor import server as module
from devctl.supervisor.server import Server


@pytest.mark.parametrize(("services", "pause"), [(2, module.PACE), (2000, 0.05)])
def test_the_more_services_there_are_the_less_often_news_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, services: int, pause: float
) -> None:
    """And what happens in a pause is told at one stroke."""
    states = {f"s{number}": ServiceState(name=f"s{number}") for number in range(services)}
    whole = Snapshot(version="1", pid=1, started=0.0, clock=(0.0, 0.0), states=states, whole=True)
    pauses: list[float] = []

    async def nothing(_: Request) -> None:
        raise AssertionError("to listen changes nothing")

    async def test() -> None:
        server = Server(nothing, lambda: whole, lambda snapshot: snapshot)
        paused, go_on = asyncio.Event(), asyncio.Event()

        async def pausing(seconds: float) -> None:
            pauses.append(seconds)
            paused.set()
            await go_on.wait()
            go_on.clear()

        monkeypatch.setattr(module.asyncio, "sleep", pausing)
        path = tmp_path / "socket"
        await server.open(path)
        reader, writer = await asyncio.open_unix_connection(path, limit=module.MAX_LINE)
        writer.write(encode(Follow()) + b"\n")
        assert b'"whole":true' in await reader.readline()
        await paused.wait()
        for number in (2, 3):
            server.publish(Snapshot(version="1", pid=number, started=0.0, clock=(0.0, 0.0)))
        paused.clear()
        go_on.set()
        assert b'"pid":2' in await reader.readline()
        assert b'"pid":3' in await reader.readline()
        await paused.wait()
        go_on.set()
        writer.close()
        await server.close(path)

    asyncio.run(test())
    assert pauses == [pytest.approx(pause)] * 2
