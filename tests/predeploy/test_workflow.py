"""The workflow that ``devctl ci github`` writes: sound to real linters, current, and quoting what the manifest says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from devctl.safety.workflow import ACTIONS, FILE, ExpressionError, Recipe, Step, Store, scalar, workflow

ROOT = Path(__file__).resolve().parents[2]
FULL = Recipe(
    workspace='shop: "a" # b', install="pip install x\necho y", folder="a folder", branches=("master", "release/1.0"),
    stores=(Store("postgres", "postgres:16", 5432, "pg_isready -U shop", {"POSTGRES_USER": "shop"}),),
    variables={"DATABASE_URL": "postgresql://shop:x@localhost/shop", "ODD": "yes", "NUMBER": "1e3", "EMPTY": ""},
    secret=("A_KEY", "B_TOKEN"), setup=(Step("Set up: it", "echo 'a: b' # c", "x/y"),), databases=("api",),
    migrated=("api",), compared=("api",), seed=(Step("Seed", 'PATH="$PWD:$PATH" run'),), logins=("api",),
)  # fmt: skip


def actionlint(file: Path) -> str:
    cached = Path(os.environ.get("DEVCTL_CI_CACHE") or Path.home() / ".cache/devctl-ci") / "bin/actionlint"
    program = (
        os.environ.get("DEVCTL_ACTIONLINT") or shutil.which("actionlint") or (str(cached) if cached.exists() else "")
    )
    if not program and os.environ.get("DEVCTL_REQUIRE_DOCKER") != "1":
        pytest.skip("no actionlint: go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12")
    assert program, "actionlint is missing: .ci/run builds it and sets DEVCTL_ACTIONLINT"
    done = subprocess.run([program, "-no-color", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout


def zizmor(file: Path) -> list[str]:
    """The audits that found something, by the strictest persona."""
    program = Path(sys.executable).with_name("zizmor")
    command = [program, "--offline", "--no-config", "--persona", "auditor", "--format", "json", "--no-exit-codes", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return sorted({each["ident"] for each in yaml.safe_load(done.stdout)})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    file = tmp_path / "w.yml"
    file.write_text(workflow(FULL))
    return file


def test_a_workflow_with_everything_in_it_is_sound(written: Path) -> None:
    assert actionlint(written) == ""
    assert zizmor(written) == ["unpinned-images"], "images are pinned where they are named: in the Compose file"


def test_the_linters_would_see_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "w.yml"
    text = workflow(FULL).replace("timeout-minutes: 30", "timeout_minutes: 30")
    file.write_text(
        re.sub(r"checkout@\S+ # v5.0.0", "checkout@v5", text).replace(
            "permissions:\n  contents: read", "permissions: write-all"
        )
    )
    assert "timeout_minutes" in actionlint(file)
    assert {"excessive-permissions", "unpinned-uses"} <= set(zizmor(file))


def test_this_repositorys_own_is_current_and_sound() -> None:
    command = [sys.executable, "-m", "devctl", "ci", "check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert actionlint(ROOT / FILE) == ""
    assert zizmor(ROOT / FILE) == ["unpinned-images"]


def test_it_reads_as_what_was_meant(written: Path) -> None:
    tree = yaml.safe_load(written.read_text())
    assert tree["permissions"] == {"contents": "read"}
    assert tree[True] == {"pull_request": None, "push": {"branches": ["master", "release/1.0"]}}, (
        "YAML 1.1 reads on as true"
    )
    job = tree["jobs"]["validate"]
    assert job["name"] == 'May shop: "a" # b be deployed?'
    assert job["env"] == {"DOCKER_HOST": "unix:///none", **FULL.variables}
    steps = job["steps"]
    assert all("timeout-minutes" in step or "uses" in step for step in steps)
    assert next(step for step in steps if step.get("name") == "Set up: it")["run"].strip() == "echo 'a: b' # c"
    uses = [step["uses"] for step in steps if "uses" in step]
    assert [each.partition("@")[0] for each in uses] == [
        "actions/checkout",
        "actions/setup-python",
        "actions/upload-artifact",
    ]
    assert all(re.fullmatch(r"[0-9a-f]{40}", each.partition("@")[2]) for each in uses)
    assert all(re.search(r" # v\d+\.\d+\.\d+$", each) for each in ACTIONS.values())
    assert steps[0]["with"]["persist-credentials"] is False


def test_the_steps_are_in_the_order_in_which_they_build_on_each_other(written: Path) -> None:
    names = [step.get("name", "") for step in yaml.safe_load(written.read_text())["jobs"]["validate"]["steps"]]
    wanted = ["Install", "Make up", "Is this", "Set up", "Migrate", "Compare", "Seed", "Log in", "Every check", "Keep"]
    assert [next(word for word in wanted if name.startswith(word)) for name in names if name] == wanted


@pytest.mark.parametrize("where", ["install", "run", "image", "variable"])
def test_nothing_of_the_manifest_becomes_an_expression(where: str) -> None:
    text = "echo ${{ secrets.GITHUB_TOKEN }}"
    recipe = Recipe(
        workspace="shop", install=text if where == "install" else "x",
        setup=(Step("a", text if where == "run" else "x"),),
        stores=(Store("a", text if where == "image" else "x", 1, "x"),),
        variables={"A": text if where == "variable" else "x"},
    )  # fmt: skip
    with pytest.raises(ExpressionError):
        workflow(recipe)


@pytest.mark.parametrize(
    "text",
    [
        "", "yes", "1e3", "0x1F", "null", "a: b", "a #b", "- a", "é", "*a", "&a", "!a", "a\nb", "{a}", "%a", "@a",
        "`a`", "12:30", "1_000", "~", "2026-11-28", "<<", "=", "a,", ".5", ".inf", "./a", "/a", "-1", "[a]", "'a'",
    ],
)  # fmt: skip
def test_every_text_stays_itself_in_yaml(text: str) -> None:
    assert yaml.safe_load(f"k: {scalar(text)}\n") == {"k": text}


def services() -> dict[str, Any]:
    return {
        "store": {"external": True},
        "api": {
            "path": "api", "command": "exec .venv/bin/serve", "setup": ["make venv"],
            "database": {
                "url": "${SHOP_DB:-postgresql://shop:shop@localhost:5999/goods}", "models": "m:Base", "migrations": "m",
                "seed": "python seed.py",
            },
            "predeploy": {
                "environment": {"required": ["SHOP_DB", "REDIS_URL", "SECRET_KEY", "REGION", "PLACE", "MAIL_URL"]},
                "login": {"request": {"url": "/login", "json": {"p": "${ADMIN_PASSWORD}"}}},
            },
        },
    }  # fmt: skip


def test_it_is_read_off_the_manifest(shop: Any) -> None:
    (shop.root / "api").mkdir()
    (shop.root / "x.yml").write_text("x: ${REGION:-eu} ${MAIL_URL:-smtp://ada:pass@mail.example}")
    shop.write(
        services(), git={"branch": "dev", "sync": {"promote": {"stable": "dev"}, "branches": ["dev", "stable"]}},
        compose={"file": "x.yml"},
    )  # fmt: skip
    (shop.root / ".env").write_text("PLACE=here\nSHOP_DB=postgresql://own:secret@localhost/mine\n")
    shop.repository()
    missing = shop.run("ci", "check")
    assert (missing.returncode, "devctl ci github" in missing.stderr) == (1, True)
    assert shop.run("ci", "github").returncode == 0
    tree = yaml.safe_load((shop.root / FILE).read_text())
    job = tree["jobs"]["validate"]
    assert tree[True]["push"] == {"branches": ["stable"]}
    assert job["services"]["postgres"]["env"] == {
        "POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "${{ github.sha }}", "POSTGRES_DB": "goods_ci",
    }  # fmt: skip
    assert job["env"] == {
        "DOCKER_HOST": "unix:///none",
        "SHOP_DB": "postgresql://shop:${{ github.sha }}@localhost:5432/goods_ci", "REDIS_URL": "redis://localhost:6379/0",
        "REGION": "eu", "PLACE": "${{ vars.PLACE }}", "MAIL_URL": "${{ vars.MAIL_URL }}",
    }  # fmt: skip
    runs = [step["run"].strip() for step in job["steps"] if "run" in step]
    assert runs[0].startswith("python -m pip install --quiet controlcore-devctl==")
    assert "for name in SECRET_KEY ADMIN_PASSWORD; do" in runs[1]
    assert runs[2:8] == [
        "devctl ci check",
        "make venv", "devctl db upgrade api", "devctl db check api", 'PATH="$PWD/.venv/bin:$PATH" python seed.py',
        "devctl predeploy --env ci --only login api",
    ]  # fmt: skip
    assert shop.run("ci", "check").returncode == 0
    assert actionlint(shop.root / FILE) == ""


def test_one_that_is_not_current_is_told_with_its_place_and_the_command(shop: Any) -> None:
    (shop.root / "api").mkdir()
    shop.write(services())
    shop.repository()
    assert shop.run("ci", "github", "--install", "pip install './dev ctl'").returncode == 0
    text = (shop.root / FILE).read_text()
    assert "          pip install './dev ctl'\n" in text
    assert shop.run("ci", "check").returncode == 0, "how it is installed is remembered in the file"
    (shop.root / FILE).write_text(text.replace("timeout-minutes: 30", "timeout-minutes: 300"))
    told = shop.run("ci", "check")
    line = text[: text.index("timeout-minutes: 30")].count("\n") + 1
    assert (told.returncode, f"{FILE}:{line}" in told.stderr) == (1, True)
    assert "devctl ci github --install" in told.stderr
    assert shop.run("ci", "github").returncode == 0
    assert (shop.root / FILE).read_text() == text


def test_what_can_be_no_workflow(shop: Any) -> None:
    shop.write({"api": {"external": True}})
    assert shop.run("ci", "github").returncode == 3, "no repository"
    shop.write({"api": {"path": "..", "command": "x", "setup": "make", "database": {"url": "sqlite:///x"}}})
    shop.repository()
    outside = shop.run("ci", "github")
    assert (outside.returncode, "another repository" in outside.stderr) == (2, True)
    shop.write({"api": {"path": ".", "command": "x", "setup": "echo $${{ x }}", "database": {"url": "sqlite:///x"}}})
    assert shop.run("ci", "github").returncode == 2
    assert not (shop.root / FILE).exists()
