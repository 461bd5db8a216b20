"""What an image is built from, and why it is no longer current."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from devctl.runtimes import images
from devctl.runtimes.compose_config import Build
from devctl.runtimes.dockerignore import Ignore
from devctl.runtimes.images import ImageMemory, changed_last, sources_of, walk
from devctl.runtimes.policy import FileFact, Sources, image_change

NOW = ("app.py", 50.0)


def build(root: Path, **settings: str) -> Build:
    return Build(context=str(root), dockerfile=str(root / "Dockerfile"), settings=settings)


def because(root: Path, before: Sources, **settings: str) -> str:
    return image_change(before, sources_of(build(root, **settings), before), NOW, 0.0)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("one")
    (tmp_path / "app" / "link").symlink_to("main.py")
    (tmp_path / ".dockerignore").write_text("*.log\n")
    return tmp_path


def test_nothing_changed(context: Path) -> None:
    assert because(context, sources_of(build(context))) == ""


def test_a_changed_content_is_found_even_with_the_old_size_and_time(context: Path) -> None:
    file = context / "app" / "main.py"
    before, times = sources_of(build(context)), file.stat()
    file.write_text("two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert because(context, before) == "app/main.py changed since its image was built"


def test_a_touched_file_with_the_same_content_is_no_change(context: Path) -> None:
    before = sources_of(build(context))
    os.utime(context / "app" / "main.py", (1, 1))
    assert because(context, before) == ""


def test_a_known_file_is_not_read_again(context: Path) -> None:
    file, before = context / "app" / "main.py", sources_of(build(context))
    facts = file.stat()
    known = FileFact(facts.st_mode & 0o777, 3, facts.st_mtime_ns, facts.st_ctime_ns, "remembered")
    again = sources_of(build(context), Sources({**before.files, "app/main.py": known}))
    assert again.files["app/main.py"].digest == "remembered"


def test_times_are_trusted_only_once_they_cannot_come_again(context: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources_of(build(context)).files["app/main.py"].changed == 0
    now = time.time_ns()
    monkeypatch.setattr(images.time, "time_ns", lambda: now + 3_600_000_000_000)
    assert sources_of(build(context)).files["app/main.py"].changed > 0


def test_modes_links_new_and_vanished_files_count(context: Path) -> None:
    before = sources_of(build(context))
    (context / "app" / "main.py").chmod(0o755)
    assert because(context, before) == "app/main.py changed since its image was built"
    (context / "app" / "main.py").chmod(0o644)
    (context / "app" / "link").unlink()
    (context / "app" / "link").symlink_to("other.py")
    assert because(context, before) == "app/link changed since its image was built"
    (context / "app" / "link").unlink()
    assert because(context, before) == "app/link changed since its image was built"
    (context / "app" / "new").mkdir()
    assert because(context, before) == "app/link and app/new changed since its image was built"


def test_the_dockerfile_and_settings_come_first(context: Path) -> None:
    before = sources_of(build(context, **{"build argument A": "1"}))
    (context / "app" / "main.py").write_text("three")
    assert because(context, before, **{"build argument A": "2"}) == "build argument A changed since its image was built"
    (context / "Dockerfile").write_text("FROM busybox\n")
    assert because(context, before) == "Dockerfile changed since its image was built"


def test_what_is_ignored_does_not_count(context: Path) -> None:
    before = sources_of(build(context))
    (context / "debug.log").write_text("noise")
    assert because(context, before) == ""


def test_the_dockerfiles_own_ignore_file_wins(context: Path) -> None:
    (context / "Dockerfile.dockerignore").write_text("app\n")
    names = sources_of(build(context)).files
    assert "app/main.py" not in names
    assert ".dockerignore" in names


def test_additional_contexts_count(context: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "shared.py").write_text("1")
    whole = Build(context=str(context), dockerfile=str(context / "Dockerfile"), contexts={"shared": str(other)})
    before = sources_of(whole)
    (other / "shared.py").write_text("2")
    assert image_change(before, sources_of(whole, before), NOW, 0.0) == (
        "shared:shared.py changed since its image was built"
    )


def test_an_image_nobody_remembers_is_judged_by_its_age(context: Path) -> None:
    for path in (*context.rglob("*"), context / "app", context):
        os.utime(path, (1000, 1000), follow_symlinks=False)
    os.utime(context / "app" / "main.py", (2000, 2000))
    sources = sources_of(build(context))
    newest = changed_last(build(context), sources)
    assert newest == ("app/main.py", 2000.0)
    assert image_change(None, sources, newest, created=1999.0) == "its image is older than app/main.py"
    assert image_change(None, sources, newest, created=2001.0) == ""
    os.utime(context / "Dockerfile", (3000, 3000))
    assert changed_last(build(context), sources_of(build(context))) == ("Dockerfile", 3000.0)


def test_many_changes_are_counted(context: Path) -> None:
    before = sources_of(build(context))
    for name in "abcd":
        (context / name).write_text("")
    assert because(context, before) == "a and 3 other files changed since its image was built"


def test_memory_lasts_keeps_few_and_survives_a_broken_file(tmp_path: Path) -> None:
    folder = tmp_path / ".devctl"
    memory = ImageMemory(folder)
    for number in range(6):
        memory.remember("web", f"image{number}", Sources(dockerfile=str(number)))
    again = ImageMemory(folder)
    assert again.recall("web", "image5") == Sources(dockerfile="5")
    assert again.latest("web") == Sources(dockerfile="5")
    assert (again.recall("web", "image2") is None) is False
    assert again.recall("web", "image1") is None
    (folder / "images.json").write_text("{")
    assert ImageMemory(folder).recall("web", "image5") is None


@pytest.mark.parametrize(
    ("ignore", "kept"),
    [
        ("", {"a.py", "a.log", "deep/x/b.py", "deep/b.log", "node_modules/m/i.js"}),
        ("*.log", {"a.py", "deep/x/b.py", "deep/b.log", "node_modules/m/i.js"}),
        ("**/*.log", {"a.py", "deep/x/b.py", "node_modules/m/i.js"}),
        ("/deep/", {"a.py", "a.log", "node_modules/m/i.js"}),
        ("**/x", {"a.py", "a.log", "deep/b.log", "node_modules/m/i.js"}),
        ("*\n!deep/x", {"deep/x/b.py"}),
        ("**\n!**/*.py", {"a.py", "deep/x/b.py"}),
        ("node_modules\n!node_modules/k", {"a.py", "a.log", "deep/x/b.py", "deep/b.log"}),
        ("# a.py\n\n  a.log  \n./deep/../node_modules", {"a.py", "deep/x/b.py", "deep/b.log"}),
        ("!a.py\n*.py", {"a.log", "deep/x/b.py", "deep/b.log", "node_modules/m/i.js"}),
        ("a.[lp]*\ndeep/?", {"deep/b.log", "node_modules/m/i.js"}),
    ],
)
def test_dockerignore(tmp_path: Path, ignore: str, kept: set[str]) -> None:
    for name in ("a.py", "a.log", "deep/x/b.py", "deep/b.log", "node_modules/m/i.js"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    found = {path for path, entry in walk(str(tmp_path), Ignore(ignore)) if entry.is_file()}
    assert found == kept
