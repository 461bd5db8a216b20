"""A supervisor that is begun before anything else is known."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devctl import launch
from devctl.api.client import Client
from devctl.api.protocol import Status


@pytest.fixture
def ahead(desk: Any) -> Iterator[Path]:
    """The desk's manifest, with whose folder as the current one ``launch.ahead`` is called."""
    manifest: Path = desk.workspace.root / "services.yaml"
    manifest.write_text(f"name: {desk.workspace.name}\nservices: {{}}\n")
    with contextlib.chdir(manifest.parent):
        yield manifest
    if left := launch.claim(desk.workspace):
        os.close(left.leash)
        os.waitpid(left.pid, 0)


def test_it_serves_the_client_that_comes_after_it(desk: Any, ahead: Path) -> None:
    launch.ahead(None)
    client = Client(desk.workspace)
    with client.early() as nothing_runs:
        assert nothing_runs
        first = client._launched
        client.ensure_running()
        assert desk.pid() == first
        next(iter(client.stream(desk.up(desk.service("a")))))
    assert desk.pid() == first


def test_it_is_gone_when_its_client_asked_for_nothing(desk: Any, ahead: Path) -> None:
    launch.ahead(ahead)
    with Client(desk.workspace).early():
        pass
    assert desk.workspace.holder() is None


def test_where_a_supervisor_is_none_is_begun(desk: Any, ahead: Path) -> None:
    desk.bring_up(desk.service("a"))
    launch.ahead(None)
    assert launch.claim(desk.workspace) is None


@pytest.mark.parametrize("text", ["", "name: a\nname: b\n", 'name: "quoted"\n'])
def test_where_the_name_is_not_plain_none_is_begun(desk: Any, ahead: Path, text: str) -> None:
    ahead.write_text(text)
    launch.ahead(None)
    assert launch.claim(desk.workspace) is None
    assert not (desk.workspace.folder / "supervisor.lock").exists()


def test_what_stands_in_the_way_is_left_to_be_told_later(desk: Any, ahead: Path) -> None:
    launch.ahead(Path("no-such.yaml"))
    ahead.unlink()
    launch.ahead(None)
    assert launch.claim(desk.workspace) is None


def test_a_module_of_the_workspace_is_not_taken_for_pythons(desk: Any) -> None:
    for name in ("asyncio", "logging", "devctl"):
        (desk.workspace.root / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    with contextlib.chdir(desk.workspace.root):
        assert desk.client.ask(desk.up(desk.service("a"))).pid == desk.pid()


def test_it_inherits_no_descriptor_of_the_shell(desk: Any) -> None:
    theirs, ours = os.pipe()
    try:
        os.set_inheritable(ours, True)
        client = Client(desk.workspace)
        with client.early():
            client.ensure_running()
            next(iter(client.stream(desk.up(desk.service("a")))))
        os.close(ours)
        ours = -1
        assert select.select([theirs], [], [], 30)[0], "somebody else holds the other end"
        assert os.read(theirs, 1) == b""
        assert client.ask(Status()).pid == desk.pid()
    finally:
        os.close(theirs)
        if ours >= 0:
            os.close(ours)


def test_it_leads_a_session_of_its_own_in_its_workspace(desk: Any) -> None:
    desk.bring_up(desk.service("a"))
    assert os.getsid(desk.pid()) == desk.pid() != os.getsid(0)
    assert Path(f"/proc/{desk.pid()}/cwd").resolve() == desk.workspace.root
