"""Setup steps run when they are stale, and only then. Real commands in real folders."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from devctl.core.model import ProcessSpec, Runtime, Service, SetupStep
from devctl.errors import DevctlError
from devctl.setup.policy import Facts, Fingerprint, staleness
from devctl.setup.run import run, stale
from devctl.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "test")
    made.prepare()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "web"
    made.mkdir()
    (made / "lock.json").write_text("1")
    return made


INSTALL = "mkdir -p modules && echo ran >> count"


def service(folder: Path, *steps: SetupStep, name: str = "web") -> Service:
    return Service(
        name=name, runtime=Runtime.PROCESS, process=ProcessSpec(command="true", path=str(folder), setup=steps)
    )


def install(folder: Path, command: str = INSTALL) -> SetupStep:
    return SetupStep(command=command, path=str(folder), inputs=("lock.json",), outputs=("modules",))


def runs(folder: Path) -> int:
    count = folder / "count"
    return len(count.read_text().splitlines()) if count.exists() else 0


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def prepare(subject: Service, workspace: Workspace) -> str:
    return asyncio.run(run(subject, workspace, dict(os.environ)))


@pytest.mark.parametrize(
    ("recorded", "present", "missing", "because"),
    [
        (None, Fingerprint(command="a"), (), "it never ran here"),
        (Fingerprint(command="a"), Fingerprint(command="a"), (), ""),
        (Fingerprint(command="a"), Fingerprint(command="b"), (), "the command changed"),
        (Fingerprint(command="a"), Fingerprint(command="a"), ("node_modules",), "node_modules is missing"),
        (Fingerprint(command="a", inputs={"x": "1"}), Fingerprint(command="a", inputs={"x": "2"}), (), "x changed"),
        (Fingerprint(command="a", inputs={"x": "1"}), Fingerprint(command="a"), (), "x changed"),
        (Fingerprint(command="a"), Fingerprint(command="a", inputs={"x": "1", "y": "1"}), (), "x and 1 more changed"),
    ],
)
def test_policy(recorded: Fingerprint | None, present: Fingerprint, missing: tuple[str, ...], because: str) -> None:
    assert staleness(Facts(recorded=recorded, present=present, missing_outputs=missing)) == because


def test_it_runs_once_then_only_for_a_cause(workspace: Workspace, folder: Path) -> None:
    web = service(folder, install(folder))
    assert prepare(web, workspace) == f"{INSTALL}: it never ran here"
    assert prepare(web, workspace) == ""
    assert runs(folder) == 1
    (folder / "lock.json").write_text("2")
    assert [str(step) for step in stale(web, workspace)] == [f"{INSTALL}: lock.json changed"]
    assert prepare(web, workspace) == f"{INSTALL}: lock.json changed"
    (folder / "modules").rmdir()
    assert prepare(web, workspace) == f"{INSTALL}: modules is missing"
    assert runs(folder) == 3


def test_a_touched_input_with_the_same_contents_is_no_cause(workspace: Workspace, folder: Path) -> None:
    web = service(folder, install(folder))
    prepare(web, workspace)
    os.utime(folder / "lock.json", (1, 1))
    assert prepare(web, workspace) == ""


def test_a_failure_shows_its_last_lines_and_is_tried_again(workspace: Workspace, folder: Path) -> None:
    web = service(folder, install(folder, "echo resolving; echo no such package >&2; exit 7"))
    for _ in range(2):
        with pytest.raises(DevctlError) as caught:
            prepare(web, workspace)
        assert "exit code 7" in caught.value.what
        assert caught.value.details == ("resolving", "no such package")
    assert "no such package" in (workspace.logs / "web.setup.log").read_text()


def test_a_failure_after_a_success_makes_it_stale_again(workspace: Workspace, folder: Path) -> None:
    command = f"{INSTALL}; test $(cat lock.json) != 2"
    web = service(folder, install(folder, command))
    prepare(web, workspace)
    (folder / "lock.json").write_text("2")
    with pytest.raises(DevctlError):
        prepare(web, workspace)
    (folder / "lock.json").write_text("1")
    assert prepare(web, workspace) == f"{command}: it never ran here"


def test_interrupted_is_not_done_and_leaves_no_process(workspace: Workspace, folder: Path) -> None:
    web = service(folder, install(folder, "mkdir modules; echo $$ > pid; sleep 60 & wait"))

    async def interrupt() -> None:
        task = asyncio.create_task(run(web, workspace, dict(os.environ)))
        while not (folder / "pid").exists() or not (folder / "pid").read_text().strip():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(interrupt(), 30))
    group = int((folder / "pid").read_text())
    alive = [each for each in psutil.process_iter(["status"]) if each.info["status"] != psutil.STATUS_ZOMBIE]
    assert not [each for each in alive if psutil.pid_exists(each.pid) and _group(each.pid) == group]
    assert [step.because for step in stale(web, workspace)] == ["it never ran here"]


def test_two_services_with_the_same_step_run_it_once(workspace: Workspace, folder: Path) -> None:
    one, two = (service(folder, install(folder), name=name) for name in ("one", "two"))

    async def both() -> None:
        await asyncio.gather(*(run(each, workspace, dict(os.environ)) for each in (one, two)))

    asyncio.run(both())
    assert runs(folder) == 1


def test_a_later_step_runs_when_an_earlier_one_did(workspace: Workspace, folder: Path) -> None:
    after = SetupStep(command="echo built >> built", path=str(folder), inputs=("lock.json",))
    web = service(folder, install(folder), after)
    prepare(web, workspace)
    (folder / "modules").rmdir()
    assert [step.because for step in stale(web, workspace)] == ["modules is missing", f"{INSTALL} runs before it"]
    prepare(web, workspace)
    assert (folder / "built").read_text() == "built\nbuilt\n"


def test_bad_input_is_said_plainly(workspace: Workspace, folder: Path) -> None:
    (folder / "lock.json").unlink()
    with pytest.raises(DevctlError, match=r"lock\.json is not there"):
        prepare(service(folder, install(folder)), workspace)
    with pytest.raises(DevctlError, match="does not exist"):
        prepare(service(folder, SetupStep(command="true", path=str(folder / "nowhere"))), workspace)
    (workspace.folder / "setup.json").write_text("{broken")
    (folder / "lock.json").write_text("1")
    assert prepare(service(folder, install(folder)), workspace) == f"{INSTALL}: it never ran here"


def test_a_changed_command_is_the_cause(workspace: Workspace, folder: Path) -> None:
    prepare(service(folder, install(folder)), workspace)
    other = f"{INSTALL} # now another"
    assert prepare(service(folder, install(folder, other)), workspace) == f"{other}: the command changed"


def test_a_command_that_writes_its_own_input_is_run_once_more_and_is_then_done(
    workspace: Workspace, folder: Path
) -> None:
    """npm install writes package-lock.json when it differs from package.json."""
    web = service(folder, install(folder, f"{INSTALL}; echo written > lock.json"))
    prepare(web, workspace)
    assert runs(folder) == 2
    assert stale(web, workspace) == []


def test_one_that_writes_something_else_each_time_is_not_run_for_ever(workspace: Workspace, folder: Path) -> None:
    web = service(folder, install(folder, f"{INSTALL}; wc -l count > lock.json"))
    prepare(web, workspace)
    assert runs(folder) == 2
    assert stale(web, workspace) == []


def test_an_input_edited_while_it_runs_is_not_missed(workspace: Workspace, folder: Path) -> None:
    """It runs once more, with the edit; an edit during that too leaves it stale."""
    for name in ("a.json", "b.json"):
        (folder / name).write_text("1")
    step = SetupStep(command=f"{INSTALL}; cat a.json >> used; echo done", path=str(folder), inputs=("*.json",))
    web, edits = service(folder, step), ["a.json", "b.json"]

    def edit(line: str) -> None:
        if edits:
            (folder / edits.pop(0)).write_text("2")

    asyncio.run(run(web, workspace, dict(os.environ), edit))
    assert (folder / "used").read_text() == "12"
    assert [each.because for each in stale(web, workspace)] == ["it never ran here"]
    prepare(web, workspace)
    assert stale(web, workspace) == []


def test_an_edit_of_the_same_size_in_the_same_instant_is_seen(workspace: Workspace, folder: Path) -> None:
    lock = folder / "lock.json"
    instant = lock.stat().st_mtime_ns
    web = service(folder, install(folder))
    prepare(web, workspace)
    lock.write_text("2")
    os.utime(lock, ns=(instant, instant))
    assert [each.because for each in stale(web, workspace)] == ["lock.json changed"]


def test_nothing_changed_reads_no_file(workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(folder / "lock.json", (1, 1))
    web = service(folder, install(folder))
    prepare(web, workspace)
    os.utime(folder / "lock.json", (2, 2))
    assert prepare(web, workspace) == ""
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("it was read"))
    assert prepare(web, workspace) == ""
    assert stale(web, workspace) == []


def test_a_change_for_two_services_is_installed_once(workspace: Workspace, folder: Path) -> None:
    one, two = (service(folder, install(folder), name=name) for name in ("one", "two"))
    assert prepare(one, workspace)
    assert prepare(two, workspace) == ""
    (folder / "lock.json").write_text("2")
    assert prepare(one, workspace) == f"{INSTALL}: lock.json changed"
    assert prepare(two, workspace) == ""
    assert runs(folder) == 2


def test_interrupted_for_one_service_is_done_for_none(workspace: Workspace, folder: Path) -> None:
    one, two = (
        service(folder, install(folder, "test ! -e broken && mkdir -p modules"), name=n) for n in ("one", "two")
    )
    prepare(one, workspace)
    prepare(two, workspace)
    (folder / "modules").rmdir()
    (folder / "broken").touch()
    with pytest.raises(DevctlError):
        prepare(one, workspace)
    (folder / "modules").mkdir()
    assert stale(one, workspace)
    assert stale(two, workspace)


def test_globs_folders_hidden_files_and_other_folders_are_inputs(workspace: Workspace, folder: Path) -> None:
    (folder / "src/deep").mkdir(parents=True)
    (folder / "src/deep/.hidden").write_text("1")
    (folder / "[slug].tsx").write_text("1")
    (folder.parent / "shared.json").write_text("1")
    inputs = ("src", "[slug].tsx", "../shared.json", "none/*.x")
    web = service(folder, SetupStep(command=INSTALL, path=str(folder), inputs=inputs))
    prepare(web, workspace)
    for name in ("src/deep/.hidden", "[slug].tsx", "../shared.json", "src/new"):
        (folder / name).write_text("22")
        assert [each.because for each in stale(web, workspace)] == [f"{name} changed"]
        prepare(web, workspace)
    (folder / "src/new").unlink()
    assert [each.because for each in stale(web, workspace)] == ["src/new changed"]


def test_lines_are_handed_on_and_the_log_says_what_ran_and_why(workspace: Workspace, folder: Path) -> None:
    lines: list[str] = []
    web = service(folder, install(folder, "echo one; echo two >&2"))
    asyncio.run(run(web, workspace, {}, lines.append))
    assert lines == ["one", "two"]
    log = (workspace.logs / "web.setup.log").read_text()
    assert log == "$ echo one; echo two >&2  # it never ran here\none\ntwo\n"


def test_the_hint_can_be_pasted_and_a_missing_command_is_named(workspace: Workspace, tmp_path: Path) -> None:
    odd = tmp_path / "a b"
    odd.mkdir()
    for command, hint in ((("sh", "-c", "exit 3"), f"cd '{odd}' && sh -c 'exit 3'"), (("no-such-tool",), "install")):
        with pytest.raises(DevctlError) as caught:
            prepare(service(odd, SetupStep(command=command, path=str(odd))), workspace)
        assert hint in caught.value.hint


def test_a_step_that_fails_says_nothing_about_another_of_the_same_folder(workspace: Workspace, folder: Path) -> None:
    build = SetupStep(command="test ! -e broken", path=str(folder), inputs=("lock.json",))
    one, two = service(folder, install(folder), name="one"), service(folder, build, name="two")
    prepare(one, workspace)
    prepare(two, workspace)
    (folder / "lock.json").write_text("2")
    prepare(one, workspace)
    (folder / "broken").touch()
    with pytest.raises(DevctlError):
        prepare(two, workspace)
    assert stale(one, workspace) == []
