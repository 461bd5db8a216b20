"""The kept manifest: used while everything it was made of is the same, and never a moment longer."""

from __future__ import annotations

import os
import shutil
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from devctl.errors import DevctlError
from devctl.manifest import kept, source
from devctl.manifest.load import load

TEXT = """name: demo
services:
  web:
    path: ~/web
    command: serve ${PORT:-${OTHER_PORT:-1}}
    environment: {TOKEN: "${TOKEN:-none}", GREETING: "${GREETING:-hello}"}
    env_file: web.env
    ports: ["${PORT:-8000}"]
"""
HERE = Path(__file__).parent


class Desk:
    """A workspace with a state folder; ``read`` counts how often a manifest was really read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "services.yaml"
        self.environment = {"HOME": "/home/ada", "PORT": "7000", "TOKEN": "s3cret-value"}
        self.read = 0
        (root / ".devctl").mkdir(mode=0o700)
        self.file.write_text(TEXT)
        (root / "web.env").write_text("GREETING=hi ${NAME:-you}\n")

    def load(self, **environment: str) -> tuple[object, bool]:
        """The manifest, and whether the file was read for it."""
        before = self.read
        manifest = load(self.file, {**self.environment, **environment})
        return manifest, self.read > before

    @property
    def place(self) -> Path:
        return self.root / ".devctl" / kept.NAME


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    real = source.parse

    def counted(text: str, shown: str) -> source.Document:
        made.read += 1
        return real(text, shown)

    monkeypatch.setattr(source, "parse", counted)
    return made


def test_what_was_read_once_is_not_read_again_and_is_the_same(desk: Desk) -> None:
    first, read = desk.load()
    assert read
    assert desk.load() == (first, False)
    assert desk.load(UNRELATED="x", PWD="/elsewhere") == (first, False)


@pytest.mark.parametrize(
    "environment",
    [
        {"PORT": "7001"},
        {"PORT": ""},
        {"OTHER_PORT": "9"},
        {"OTHER_PORT": ""},
        {"TOKEN": "other"},
        {"GREETING": "mine"},
        {"HOME": "/home/bob"},
        {"NAME": "Ada"},
    ],
    ids=lambda each: "-".join(f"{key}={value}" for key, value in each.items()),
)
def test_another_value_of_a_variable_it_refers_to_is_another_manifest(desk: Desk, environment: dict[str, str]) -> None:
    """Also in a default, in an env_file, and where an empty one comes instead of none."""
    first, _ = desk.load()
    assert desk.load(**environment)[1]
    assert desk.load() == (first, True)


def test_a_variable_that_is_no_longer_there(desk: Desk) -> None:
    desk.load()
    del desk.environment["PORT"]
    manifest, read = desk.load()
    assert read
    assert "8000" in str(manifest)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "services.yaml").write_text(TEXT.replace("serve", "serve2")),
        lambda root: (root / "services.yaml").write_text(TEXT + "\n"),
        lambda root: (root / ".env").write_text("OTHER_PORT=5\n"),
        lambda root: (root / "web.env").write_text("GREETING=hi\n"),
        lambda root: (root / "web.env").unlink(),
    ],
    ids=["file", "a line's end", ".env", "env_file", "no env_file"],
)
def test_another_file_is_another_manifest(desk: Desk, change: Callable[[Path], object]) -> None:
    desk.load()
    change(desk.root)
    assert desk.load()[1]
    assert not desk.load()[1]


def test_the_dotenv_counts_by_what_it_says(desk: Desk) -> None:
    dotenv = desk.root / ".env"
    dotenv.write_text("OTHER_PORT=5\n")
    desk.load()
    dotenv.write_text("OTHER_PORT=6\n")
    assert desk.load()[1]
    dotenv.unlink()
    assert desk.load()[1]
    dotenv.write_text("NOTHING_TO_DO_WITH_IT=1\n")
    assert not desk.load()[1]


def test_a_file_of_the_same_length_and_time_is_another_all_the_same(desk: Desk) -> None:
    desk.load()
    facts = desk.file.stat()
    desk.file.write_text(TEXT.replace("serve", "spawn"))
    os.utime(desk.file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    manifest, read = desk.load()
    assert read
    assert "spawn" in str(manifest)


def test_another_version_reads_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load()
    monkeypatch.setattr(kept, "__version__", "0.0.0-other")
    assert desk.load()[1]


def test_another_python_reads_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.load()
    monkeypatch.setattr(kept.sys, "version", "4.0")
    assert desk.load()[1]


def test_other_code_of_the_same_version_reads_anew(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "model.py"
    shutil.copy(str(kept.model.__file__), copy)
    monkeypatch.setattr(kept.model, "__file__", str(copy))
    desk.load()
    assert not desk.load()[1]
    copy.write_text("# other\n")
    assert desk.load()[1]


def test_a_workspace_that_was_moved_is_read_anew(desk: Desk, tmp_path: Path) -> None:
    desk.load()
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("services.yaml", "web.env"):
        shutil.copy(desk.root / name, moved)
    shutil.copytree(desk.root / ".devctl", moved / ".devctl")
    desk.file = moved / "services.yaml"
    manifest, read = desk.load()
    assert read
    assert str(moved) in str(manifest)


def test_another_manifest_of_the_same_folder_is_not_taken_for_it(desk: Desk) -> None:
    desk.load()
    desk.file = desk.root / "other.yaml"
    desk.file.write_text(TEXT)
    manifest, read = desk.load()
    assert read
    assert "other.yaml" in str(manifest)


def test_a_manifest_with_mistakes_is_never_kept_and_told_each_time(desk: Desk) -> None:
    desk.load()
    desk.file.write_text(TEXT + "nonsense: 1\n")
    for _ in range(2):
        with pytest.raises(DevctlError, match="nonsense"):
            desk.load()
    desk.file.write_text(TEXT)
    assert not desk.load()[1]


def test_a_dotenv_that_cannot_be_read_is_told_though_a_manifest_is_kept(desk: Desk) -> None:
    desk.load()
    (desk.root / ".env").write_text("no assignment here\n")
    with pytest.raises(DevctlError, match="NAME=value"):
        desk.load()


def test_a_file_that_became_something_else_is_told(desk: Desk) -> None:
    desk.load()
    desk.file.unlink()
    desk.file.mkdir()
    with pytest.raises(DevctlError, match="can't be read"):
        desk.load()


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"made_of": 1}', b"\xff\xfe", b"[]" * 10])
def test_a_broken_copy_is_no_harm(desk: Desk, content: bytes) -> None:
    first, _ = desk.load()
    desk.place.write_bytes(content)
    assert desk.load() == (first, True)
    assert desk.load() == (first, False)


def test_a_copy_that_cannot_be_written_is_no_harm(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(kept, "write_atomic", full)
    first, _ = desk.load()
    assert desk.load() == (first, True)
    assert not desk.place.exists()


def test_without_a_state_folder_nothing_is_written(desk: Desk) -> None:
    shutil.rmtree(desk.root / ".devctl")
    desk.load()
    assert not (desk.root / ".devctl").exists()


def test_only_its_owner_may_read_it_and_no_secret_is_in_it(desk: Desk) -> None:
    desk.load()
    assert desk.place.stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in desk.place.read_text()


def test_what_the_file_itself_says_cannot_be_read_in_it(desk: Desk) -> None:
    desk.file.write_text(TEXT.replace("serve", "serve --password wr1tten-out"))
    first, _ = desk.load()
    assert desk.load() == (first, False)
    content = desk.place.read_bytes()
    assert b"password" not in content + b64decode(msgspec.json.decode(content)["manifest"])


def test_a_mark_at_the_beginning_of_the_file_is_no_change(desk: Desk) -> None:
    desk.file.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    first, _ = desk.load()
    assert desk.load() == (first, False)


@pytest.mark.parametrize("file", [HERE / "whole.yaml", HERE.parents[1] / "services.yaml"], ids=lambda path: path.name)
def test_every_manifest_comes_back_as_it_was(file: Path) -> None:
    manifest = load(file, {**os.environ, "HOME": "/home/ada"})
    again = msgspec.json.decode(msgspec.json.encode(manifest), type=type(manifest))
    assert again == manifest
