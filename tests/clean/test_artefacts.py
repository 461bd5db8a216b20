"""Which artefacts go, and everything that must stay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devctl.clean.artefacts import find, remove, roots
from devctl.clean.policy import Item, Running
from devctl.core.model import Manifest
from devctl.errors import DevctlError

Make = Callable[..., Manifest]
Write = Callable[..., Path]
Git = Callable[..., None]


def judged(manifest: Manifest, now: Running | None = None) -> dict[str, str]:
    return {item.name: item.refusal for item in find(manifest, now or Running())}


def tidy(manifest: Manifest) -> None:
    for item in find(manifest, Running()):
        if not item.refusal:
            remove(manifest, item)


def left(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and ".git" not in path.parts
    }


def test_what_a_pattern_matches_goes_with_all_that_is_in_it(root: Path, manifest: Make, write: Write) -> None:
    for name in ("web/.next/cache/deep/x", "dist/a", "web/dist/b", "notes.tmp", "web/src/main.ts", "distance/c"):
        write(name)
    found = find(manifest(), Running())
    assert {item.name: item.refusal for item in found} == dict.fromkeys(
        ["dist", "notes.tmp", "web/.next", "web/dist"], ""
    )
    assert all(item.size and item.size >= 5000 for item in found)
    tidy(manifest())
    assert left(root) == {"web/src/main.ts", "distance/c"}


def test_nothing_that_git_has_or_would_commit_goes(root: Path, manifest: Make, write: Write, git: Git) -> None:
    git("init", "-q")
    (root / ".gitignore").write_text("build/\n.next\n/ignored/dist\n*.tmp\n")
    for name in (
        "tracked/dist/a",
        "new/dist/b",
        "ignored/dist/c",
        "mixed/.next/x",
        "web/.next/y",
        "kept.tmp",
        "own.tmp",
    ):
        write(name)
    git("add", "tracked", ".gitignore")
    git("add", "-f", "mixed/.next/x", "kept.tmp")
    git("commit", "-qm", "one")
    write("mixed/.next/ignored too")
    assert judged(manifest()) == {
        "ignored/dist": "",
        "kept.tmp": "git has 1 file of it",
        "mixed/.next": "git has 1 file of it",
        "new/dist": "git would commit 1 file of it: it may be work",
        "own.tmp": "",
        "tracked/dist": "git has 1 file of it",
        "web/.next": "",
    }
    tidy(manifest())
    assert left(root) == {
        ".gitignore", "tracked/dist/a", "new/dist/b", "mixed/.next/x", "mixed/.next/ignored too", "kept.tmp",
    }  # fmt: skip


def test_where_git_does_not_answer_nothing_goes(root: Path, manifest: Make, write: Write, git: Git) -> None:
    git("init", "-q")
    write("dist/a")
    (root / ".git/config").write_text("[broken\n")
    assert "git does not say" in judged(manifest())["dist"]


def test_dependencies_and_virtual_environments_are_not_looked_into(root: Path, manifest: Make, write: Write) -> None:
    for name in ("node_modules/m/dist/i.js", "web/node_modules/m/dist/i.js", "api/.venv/lib/dist/x", "env/lib/dist/x"):
        write(name)
    write("env/pyvenv.cfg")
    assert judged(manifest()) == {}
    assert judged(manifest(artefacts=("web/node_modules",))) == {"web/node_modules": ""}


def test_another_project_inside_the_workspace_is_not_looked_into(
    root: Path, manifest: Make, write: Write, git: Git
) -> None:
    for project in ("stranger", "ours"):
        write(f"{project}/dist/a")
        git("init", "-q", at=root / project)
        (root / project / ".gitignore").write_text("dist\n")
    write("workspace/.devctl/state")
    write("workspace/dist/a")
    assert judged(manifest({"ours": "ours"})) == {"ours/dist": ""}
    assert judged(manifest({"in it": "ours/packages/it"})) == {"ours/dist": ""}


@pytest.mark.parametrize("kind", [(), ("--bare",)])
def test_a_repository_inside_an_artefact_keeps_it(
    root: Path, manifest: Make, write: Write, git: Git, kind: tuple[str, ...]
) -> None:
    write("dist/site/page.html")
    git("init", "-q", *kind, at=root / "dist/site")
    assert judged(manifest()) == {"dist": f"a repository lies in it: {root / 'dist/site'}"}


def test_git_and_devctl_themselves_never_match(root: Path, manifest: Make, write: Write, git: Git) -> None:
    git("init", "-q")
    write(".devctl/logs/x")
    assert judged(manifest(artefacts=(".git", ".devctl", "**/.git", "**/.devctl", "**/logs", "**/HEAD"))) == {}


def test_the_workspace_itself_never_goes_whatever_the_pattern(root: Path, manifest: Make, write: Write) -> None:
    for name in ("services.yaml", "stack.yml", "apps/web/src/a.ts", "other/x"):
        write(name)
    made = manifest({"web": "apps/web"}, artefacts=("*",), compose="p")
    assert judged(made) == {
        "apps": "web lies in it", "other": "", "services.yaml": "services.yaml lies in it",
        "stack.yml": "stack.yml lies in it",
    }  # fmt: skip
    assert judged(manifest({"web": "apps/web"}, artefacts=("apps/web",))) == {"apps/web": "web lies in it"}


def test_links_are_neither_followed_nor_removed(root: Path, manifest: Make, write: Write, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write("dist/a", at=outside)
    (root / "dist").symlink_to(outside / "dist")
    (root / "to").symlink_to(outside)
    assert judged(manifest()) == {"dist": "it is a link"}
    tidy(manifest())
    assert (root / "dist").is_symlink()
    assert (outside / "dist/a").exists()


def test_a_link_in_an_artefact_goes_and_what_it_leads_to_stays(
    root: Path, manifest: Make, write: Write, tmp_path: Path
) -> None:
    write("dist/a")
    precious = write("precious/x", at=tmp_path)
    (root / "dist/link").symlink_to(precious.parent)
    tidy(manifest())
    assert not (root / "dist").exists()
    assert precious.exists()


def test_a_folder_replaced_by_a_link_meanwhile_leads_nowhere(
    root: Path, manifest: Make, write: Write, tmp_path: Path
) -> None:
    write("web/dist/a")
    (item,) = find(manifest(), Running())
    precious = write("elsewhere/dist/x", at=tmp_path)
    (root / "web").rename(root / "moved")
    (root / "web").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DevctlError, match="another thing by now"):
        remove(manifest(), item)
    assert precious.exists()


def test_nothing_outside_the_workspace_is_removed_whatever_the_item_says(
    root: Path, manifest: Make, write: Write, tmp_path: Path
) -> None:
    precious = write("elsewhere/dist/x", at=tmp_path)
    (root / "dist").mkdir()
    (item,) = find(manifest(), Running())
    for key in (str(precious.parent), str(root), "/", str(root / ".." / "elsewhere")):
        lying = Item(kind=item.kind, key=key, name="x")
        with pytest.raises(DevctlError):
            remove(manifest(), lying)
    assert precious.exists()


def test_a_running_services_artefacts_stay(root: Path, manifest: Make, write: Write) -> None:
    for name in ("web/.next/x", "api/dist/x"):
        write(name)
    now = Running(folders={"web": str(root / "web")})
    assert judged(manifest(), now) == {"api/dist": "", "web/.next": "web is running"}


@pytest.mark.parametrize("how", ["cwd", "open file"])
def test_what_any_process_works_in_stays(root: Path, manifest: Make, write: Write, poll: Any, how: str) -> None:
    write("dist/a")
    code = "import sys, time; f = open(sys.argv[1]); print('ready', flush=True); time.sleep(600)"
    where, file = (root / "dist", "a") if how == "cwd" else (root, "dist/a")
    process = subprocess.Popen([sys.executable, "-c", code, file], cwd=where, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        (refusal,) = judged(manifest()).values()
        assert refusal.endswith(f"(pid {process.pid}) works in it")
    finally:
        process.kill()
        process.communicate()
    poll(lambda: judged(manifest()) == {"dist": ""}, what="nobody works in it any more")


def test_services_elsewhere_belong_to_it_but_never_a_folder_that_holds_it(
    root: Path, manifest: Make, write: Write, tmp_path: Path
) -> None:
    write("product/web/.next/x", at=tmp_path)
    write("stranger/dist/x", at=tmp_path)
    made = manifest({"web": "../product/web", "all": "..", "home": os.environ["HOME"]})
    assert roots(made) == (root, tmp_path / "product/web")
    assert judged(made) == {str(tmp_path / "product/web/.next"): ""}
    tidy(made)
    assert not (tmp_path / "product/web/.next").exists()
    assert (tmp_path / "stranger/dist/x").exists()


def test_names_that_are_no_text_and_names_like_patterns(root: Path, manifest: Make, git: Git) -> None:
    git("init", "-q")
    (root / ".gitignore").write_text("*.tmp\n")
    kept = (b"\xff.tmp", b"[a].tmp", b":(top)y.tmp")
    for name in (*kept, b"new\nline.tmp", b"-rf.tmp"):
        (root / os.fsdecode(name)).write_text("x")
    git("--literal-pathspecs", "add", "-f", "--", *(os.fsdecode(name) for name in kept))
    tidy(manifest())
    assert {os.fsencode(path.name) for path in root.iterdir()} == {*kept, b".git", b".gitignore"}
