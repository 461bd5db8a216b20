"""Bad files → the exact messages. Each file of ``bad/`` ends with the messages it must give, behind ``#: ``."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from devctl.errors import DevctlError
from devctl.manifest import nodes
from devctl.manifest.diagnostics import ManifestError, did_you_mean, listing
from devctl.manifest.load import load

BAD = Path(__file__).parent / "bad"
MARK = "#: "


@pytest.mark.parametrize("name", sorted(path.name for path in BAD.glob("*.yaml")))
def test_the_exact_messages(name: str, write: Callable[..., Path], mistakes: Callable[..., list[str]]) -> None:
    lines = (BAD / name).read_text(encoding="utf-8").splitlines(keepends=True)
    expected = [line[len(MARK) :].rstrip("\n") for line in lines if line.startswith(MARK)]
    path = write("".join(line for line in lines if not line.startswith(MARK)))
    found = mistakes(path, {"HOME": "/home/someone"})
    root = str(path.parent)
    assert [each.replace(root, "ROOT") for each in found] == expected


def test_one_mistake_is_told_in_parts(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("name: demo\nservices:\n  a: {comand: x, library: true}\n")
    monkeypatch.chdir(path.parent)
    with pytest.raises(ManifestError) as caught:
        load(Path("services.yaml"), {})
    error = caught.value
    assert (error.what, error.where) == ("services.a.comand: no such key", "services.yaml:3:7")
    assert (error.hint, error.details) == ("did you mean command?", ())


def test_several_are_told_in_lines_that_an_editor_can_follow(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("name: demo\nservices:\n  a: {comand: x, library: true}\n  b: {}\n")
    monkeypatch.chdir(path.parent)
    with pytest.raises(ManifestError) as caught:
        load(path, {})
    error = caught.value
    assert (error.what, error.where) == ("2 mistakes in the manifest", "services.yaml")
    assert error.details[0] == "services.yaml:3:7: services.a.comand: no such key; did you mean command?"


def test_a_file_elsewhere_is_named_in_full(write: Callable[..., Path]) -> None:
    path = write("name: demo\n")
    with pytest.raises(ManifestError) as caught:
        load(path, {})
    assert caught.value.where == f"{path}:1:1"


def test_hundreds_of_mistakes_are_counted_not_all_printed(write: Callable[..., Path]) -> None:
    lines = "".join(f"  s{number}: {{command: x, prots: [1]}}\n" for number in range(300))
    with pytest.raises(ManifestError) as caught:
        load(write(f"name: demo\nservices:\n{lines}"), {})
    assert len(caught.value.diagnostics) == 300
    assert len(caught.value.details) == 101
    assert caught.value.details[-1] == "and 200 more"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"name: d\xffemo\n", "it is not UTF-8"),
        (b"\xff\xfen\x00a\x00", "it is not UTF-8"),
        (b"name: demo\nservices: {}\n#" + b"x" * 1_000_000, "it is larger than 1 MB"),
        (b"name: a\x01b\n", "it holds a control character"),
        (b"", ""),
        (b"\xef\xbb\xbf", ""),
    ],
)
def test_what_can_be_no_manifest(content: bytes, why: str, write: Callable[..., Path]) -> None:
    with pytest.raises(DevctlError) as caught:
        load(write(content), {})
    assert (caught.value.code, caught.value.why) == (2, why)


def test_a_folder_a_socket_and_nothing_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("odd")
        whys = []
        for path in (tmp_path, Path("odd"), tmp_path / "none", tmp_path / "odd" / "x"):
            with pytest.raises(DevctlError) as caught:
                load(path, {})
            whys.append((caught.value.code, caught.value.why))
    reasons = ["it is a folder", "it is not a regular file", "no such file or directory", "not a directory"]
    assert whys == [(2, reason) for reason in reasons]


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "services.yaml")
    with pytest.raises(DevctlError, match="not a regular file"):
        load(tmp_path / "services.yaml", {})


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "services.yaml").symlink_to("services.yaml")
    with pytest.raises(DevctlError, match="too many levels of symbolic links"):
        load(tmp_path / "services.yaml", {})


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_bottomless_nesting_is_refused_without_descending(opening: str, write: Callable[..., Path]) -> None:
    with pytest.raises(DevctlError, match="nested more than 50 levels"):
        load(write("services: \n " + opening * 100_000), {})


def test_the_slow_loader_says_the_same(
    write: Callable[..., Path], mistakes: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PyYAML without libyaml has other words for the same mistakes; the plain ones are ours."""
    import yaml

    monkeypatch.setattr(nodes, "Loader", yaml.SafeLoader)
    for name in ("tab", "odd-character", "second-colon", "unclosed", "unquoted-braces", "bomb", "cycle"):
        test_the_exact_messages(f"{name}.yaml", write, mistakes)


def test_a_suggestion_is_close_or_none() -> None:
    assert did_you_mean("dependsOn", ["depends_on", "description"]) == "did you mean depends_on?"
    assert did_you_mean("zebra", ["depends_on", "description"]) == ""


def test_lists_are_read_like_a_sentence() -> None:
    assert [listing(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert listing(map(str, range(20))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more"
