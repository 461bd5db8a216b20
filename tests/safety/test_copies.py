"""Backups on disk: whole or not there, the user's alone, each under a name of its own."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devctl.errors import DevctlError
from devctl.safety.copies import FOLDER, Contents, copies, keep, must_be_whole, one

NOW = 1_795_867_167.5


def wrote(text: str) -> object:
    def save(file: Path) -> Contents:
        assert oct(file.stat().st_mode & 0o777) == "0o600", "from its first byte on"
        file.write_text(text)
        return Contents(("7f3a",), ("users",), {"users": 2}, 15)

    return save


def made(state: Path, text: str = "x", now: float = NOW, service: str = "api") -> Path:
    return keep(state, service, "localhost/shop", "by hand", "dump", now, wrote(text)).path  # type: ignore[arg-type]


def test_a_backup_is_dated_noted_and_the_users_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = made(tmp_path, "content")
    finally:
        os.umask(before)
    assert file.name == "api-20261128T115927Z.dump"
    assert [oct(path.stat().st_mode & 0o777) for path in (file.parent, file)] == ["0o700", "0o600"]
    assert oct(file.with_name(file.name + ".json").stat().st_mode & 0o777) == "0o600"
    (found,) = copies(tmp_path, "api")
    assert (found.path, found.bytes, found.note and found.note.contents.rows) == (file, 7, {"users": 2})
    must_be_whole(found)


def test_in_one_second_each_gets_a_name_of_its_own_and_the_newest_comes_first(tmp_path: Path) -> None:
    names = [made(tmp_path, str(number)).name for number in range(12)]
    later = made(tmp_path, "later", NOW + 60).name
    assert len(set(names)) == 12
    assert [copy.path.name for copy in copies(tmp_path, "api")] == [later, *reversed(names)]
    assert [copy.path.read_text() for copy in copies(tmp_path, "api")][1:3] == ["11", "10"]


def test_another_services_backups_are_not_this_ones(tmp_path: Path) -> None:
    made(tmp_path, service="api-v2")
    mine = made(tmp_path, service="api")
    assert [copy.path for copy in copies(tmp_path, "api")] == [mine]


def test_of_a_backup_that_fails_nothing_is_left(tmp_path: Path) -> None:
    def fails(file: Path) -> Contents:
        file.write_text("half")
        raise DevctlError("no room")

    with pytest.raises(DevctlError, match="no room"):
        keep(tmp_path, "api", "x", "y", "dump", NOW, fails)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_backup_whose_note_cannot_be_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("devctl.safety.copies.write_atomic", full)
    with pytest.raises(DevctlError, match="No space left"):
        made(tmp_path)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_what_a_killed_backup_left_goes_with_the_next_and_a_running_ones_stays(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    (tmp_path / FOLDER).mkdir()
    dead, living = (tmp_path / FOLDER / f".api.{pid}.part" for pid in (process.pid, os.getppid()))
    dead.write_text("half")
    living.write_text("half")
    assert copies(tmp_path, "api") == [], "half a backup is none"
    made(tmp_path)
    assert not dead.exists()
    assert living.exists()


def test_a_damaged_backup_is_seen(tmp_path: Path) -> None:
    file = made(tmp_path)
    file.write_text("y")
    with pytest.raises(DevctlError, match="damaged") as caught:
        must_be_whole(copies(tmp_path, "api")[0])
    assert caught.value.code == 3


def test_a_file_from_elsewhere_is_a_backup_without_a_note(tmp_path: Path) -> None:
    (tmp_path / "theirs.dump").write_text("x")
    assert one(tmp_path / "theirs.dump").note is None
    with pytest.raises(DevctlError, match="no such backup"):
        one(tmp_path / "gone.dump")
