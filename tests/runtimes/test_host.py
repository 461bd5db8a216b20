"""The facts about processes: Linux's own, and macOS's as they were written down."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from devctl.core.state import ProcessIdentity
from devctl.runtimes import exits, host, signals
from devctl.runtimes.host import Linux, Macos, Process, mark_in
from devctl.runtimes.tree import Scanner


def test_a_command_name_with_parentheses_and_spaces(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    fields = "S 5 6 4 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 987654 1000 33 18446744073709551615"
    (tmp_path / "7" / "stat").write_text(f"7 (a ) R 1 (b) {fields}\n")
    found = Linux(str(tmp_path)).process(7)
    assert found == Process(7, 5, 6, 4, 987654, "S", 300 / os.sysconf("SC_CLK_TCK"), 33 * os.sysconf("SC_PAGE_SIZE"))


def test_this_process(alive: Any) -> None:
    me = host.here().process(os.getpid())
    assert me is not None
    assert (me.parent, me.group, me.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    assert me.rss > 1_000_000
    assert host.alive(host.identity(os.getpid()))
    assert me.pid in {entry.pid for entry in host.here().processes()}


def test_nobody() -> None:
    assert host.here().process(2**22 + 1) is None
    with pytest.raises(ProcessLookupError):
        host.identity(2**22 + 1)
    assert not host.alive(ProcessIdentity(pid=2**22 + 1, start=1, boot=host.boot_id()))


@pytest.mark.parametrize("how", [{"start": 5}, {"boot": "other"}, {"pid": 1}, {"pid": 0}, {"pid": -1}])
def test_not_the_same(how: dict[str, Any]) -> None:
    me = host.identity(os.getpid())
    assert not host.alive(ProcessIdentity(**{"pid": me.pid, "start": me.start, "boot": me.boot, **how}))


def test_a_zombie_is_dead(poll: Any) -> None:
    child = subprocess.Popen(["true"])
    who = host.identity(child.pid)
    poll(lambda: not host.alive(who))
    assert host.identity(child.pid) == who
    assert not signals.send((who.pid, who.start), signal.SIGKILL)
    assert child.wait() == 0


@pytest.mark.parametrize(
    ("block", "mark"),
    [
        (b"", None),
        (b"A=1\0", ""),
        (b"DEVCTL_SERVICE=w/s/1\0A=1\0", "w/s/1"),
        (b"A=1\0DEVCTL_SERVICE=w/s/2\0", "w/s/2"),
        (b"A=1\0DEVCTL_SERVICE=w/s/2", "w/s/2"),
        (b"A=DEVCTL_SERVICE=no\0", ""),
        (b"XDEVCTL_SERVICE=no\0", ""),
        (b"DEVCTL_SERVICES=no\0", ""),
        (b"A=\xff\0DEVCTL_SERVICE=w/s\xff/1\0", "w/s\ufffd/1"),
    ],
)
def test_marks(block: bytes, mark: str | None) -> None:
    assert mark_in(block) == mark


def test_what_cannot_be_known_is_no_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of descriptors, a process must not look as if it were gone."""

    def full(*_: Any, **__: Any) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="Too many"):
        host.here().process(os.getpid())


class FakeProcess:
    """One process as psutil 7 on macOS 14 describes it."""

    def __init__(self, pid: int) -> None:
        if pid not in (501, 502, 1, 503):
            raise FakePsutil.NoSuchProcess
        self.pid = pid

    def status(self) -> str:
        return {502: "zombie", 503: "stopped"}.get(self.pid, "running")

    def ppid(self) -> int:
        return 1

    def create_time(self) -> float:
        return 1732269600.123456

    def cpu_times(self) -> Any:
        if self.pid == 1:
            raise FakePsutil.AccessDenied
        return types.SimpleNamespace(user=1.5, system=0.5)

    def memory_info(self) -> Any:
        return types.SimpleNamespace(rss=4096)

    def environ(self) -> dict[str, str]:
        if self.pid == 1:
            raise FakePsutil.AccessDenied
        return {"DEVCTL_SERVICE": "w/s/1"}

    def cmdline(self) -> list[str]:
        return ["node", "server.js"]


class FakePsutil(types.ModuleType):
    class Error(Exception):
        pass

    class NoSuchProcess(Error):
        pass

    class AccessDenied(Error):
        pass

    STATUS_ZOMBIE, STATUS_STOPPED = "zombie", "stopped"
    Process = FakeProcess

    @staticmethod
    def process_iter() -> list[FakeProcess]:
        return [FakeProcess(pid) for pid in (1, 501, 502, 503)]


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> Macos:
    monkeypatch.setitem(sys.modules, "psutil", FakePsutil("psutil"))
    monkeypatch.setattr(os, "getpgid", lambda pid: 501 if pid else 0)
    monkeypatch.setattr(os, "getsid", lambda pid: 501 if pid else 0)
    monkeypatch.setattr(host, "here", Macos)
    return Macos()


def test_macos_processes(macos: Macos) -> None:
    found = {entry.pid: entry for entry in macos.processes()}
    assert found[501] == Process(501, 1, 501, 501, 1732269600123456, "S", 2.0, 4096)
    assert found[502].dead
    assert found[503].state == "T"
    assert (found[1].cpu, found[1].rss) == (0.0, 0)
    assert macos.process(7) is None
    assert macos.command(501) == "node server.js"


def test_macos_marks_are_found_where_they_may_be_read(macos: Macos) -> None:
    assert (macos.mark(501), macos.mark(1)) == ("w/s/1", None)
    assert macos.environment(1) == {}
    scan = Scanner().scan()
    assert {entry.pid for entry in scan.find("owner", "w/s/")} == {501, 503}


def watch_until_ended(how: str) -> None:
    child = subprocess.Popen(["sleep", "1000"])

    async def test() -> None:
        who, ended = host.identity(child.pid), asyncio.Event()
        watcher = exits.Exits()
        watcher.watch((who.pid, who.start), ended.set)
        never = watcher.watch((who.pid, who.start), lambda: pytest.fail(how))
        never()
        await asyncio.sleep(0.05)
        assert not ended.is_set()
        child.kill()
        async with asyncio.timeout(60):
            await ended.wait()
        child.wait()
        ended.clear()
        watcher.watch((who.pid, who.start), ended.set)
        async with asyncio.timeout(60):
            await ended.wait()
        watcher.close()

    asyncio.run(test())


@pytest.mark.parametrize("make", [host.endless, host._endless_fifo])
def test_an_endless_pipe(make: Any) -> None:
    handle, other = make(), make()
    try:
        assert select.select([handle], [handle], [], 0) == ([], [handle], [])
        os.write(other, b"x")
        assert select.select([handle], [], [], 0)[0] == []
        assert os.read(other, 2) == b"x"
        assert not os.get_inheritable(handle)
    finally:
        os.close(handle)
        os.close(other)


def test_exits_by_pidfd() -> None:
    watch_until_ended("pidfd")


def test_exits_by_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refused)
    watch_until_ended("polling")


class FakeQueue:
    """kqueue as far as it is used, on top of a pipe that says when to look."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        self.pids: list[int] = []

    def fileno(self) -> int:
        return self.read

    def control(self, changes: Any, limit: int, timeout: float) -> list[Any]:
        for event in changes or ():
            if not host.alive(host.identity(event.ident)):
                raise ProcessLookupError
            self.pids.append(event.ident)
            asyncio.get_running_loop().call_later(0.01, self.look)
        if changes:
            return []
        os.read(self.read, 100)
        over = [pid for pid in self.pids if not host.alive(host.identity(pid))]
        self.pids = [pid for pid in self.pids if pid not in over]
        return [types.SimpleNamespace(ident=pid) for pid in over]

    def look(self) -> None:
        if any(not host.alive(host.identity(pid)) for pid in self.pids):
            os.write(self.write, b"x")
        elif self.pids:
            asyncio.get_running_loop().call_later(0.01, self.look)

    def close(self) -> None:
        os.close(self.read)
        os.close(self.write)


def test_exits_by_kqueue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.setattr(select, "kqueue", FakeQueue, raising=False)
    monkeypatch.setattr(select, "kevent", lambda pid, *_: types.SimpleNamespace(ident=pid), raising=False)
    for number, name in enumerate(("KQ_FILTER_PROC", "KQ_EV_ADD", "KQ_EV_ONESHOT", "KQ_NOTE_EXIT")):
        monkeypatch.setattr(select, name, 1 << number, raising=False)

    child = subprocess.Popen(["sleep", "1000"])

    async def test() -> None:
        who, ended = host.identity(child.pid), asyncio.Event()
        watcher = exits.Exits()
        watcher.watch((who.pid, who.start), ended.set)
        never = watcher.watch((who.pid, who.start), lambda: pytest.fail("called off"))
        never()
        child.kill()
        async with asyncio.timeout(60):
            await ended.wait()
        ended.clear()
        watcher.watch((who.pid, who.start), ended.set)  # it is over
        async with asyncio.timeout(60):
            await ended.wait()
        watcher.close()
        child.wait()

    asyncio.run(test())


def test_a_watch_of_a_reused_pid_ends_at_once() -> None:
    async def test() -> None:
        ended = asyncio.Event()
        exits.Exits().watch((os.getppid(), 1), ended.set)
        async with asyncio.timeout(60):
            await ended.wait()

    asyncio.run(test())
