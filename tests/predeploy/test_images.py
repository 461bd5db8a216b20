"""Images before a deployment, built by the real engine."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(400)


def test_images_are_built_from_this_commit(shop: Any, docker: Any) -> None:
    base = os.environ.get("BUSYBOX_IMAGE", docker.images["busybox"])
    (shop.root / "api").mkdir()
    (shop.root / "api/Dockerfile").write_text(f"FROM {base}\nARG REVISION=\nCOPY . /srv\n")
    (shop.root / "api/main.txt").write_text("one\n")
    (shop.root / "compose.yml").write_text("services:\n  api: {build: api}\n  store: {image: nothing-of-ours}\n")
    shop.write(
        {"api": {"compose": "api", "path": "api"}, "store": {"compose": "store"}},
        compose={"file": "compose.yml", "project": docker.project},
    )
    shop.repository()

    def asked() -> tuple[str, str]:
        found = shop.checks("--only", "images")["images"]
        return found["result"], found["evidence"]

    def build(*options: str) -> None:
        label = f"com.docker.compose.project={docker.project}"  # by which what an earlier build left is removed
        # From a cache, an image would be as old as when it was first built.
        words = ["docker", "build", "-q", "--no-cache", "-t", f"{docker.project}-api", "--label", label, *options]
        subprocess.run([*words, shop.root / "api"], env=shop.environment, check=True, capture_output=True, timeout=100)

    assert asked() == ("fail", "not built: api")
    build()
    head = shop.git("rev-parse", "HEAD")
    assert asked() == ("pass", f"1 built from {head[:12]}")
    (shop.root / "api/main.txt").write_text("two, and longer\n")
    assert asked() == ("fail", "older than their sources: api: main.txt changed since its image was built")
    build()
    assert asked() == ("fail", "built from sources that are not committed")
    shop.commit("second")
    assert asked()[0] == "pass"
    build("--label", f"org.opencontainers.image.revision={head}")
    assert asked() == ("fail", f"api is built from {head[:12]}, this is {shop.git('rev-parse', 'HEAD')[:12]}")
    assert "images" not in shop.checks("--env", "staging-is-strict", "--only", "clean")
    assert shop.run("predeploy", "--env", "ci", "--only", "images").returncode == 2, "only where outsiders reach it"


def test_without_an_engine_images_can_not_be_looked_at_and_that_blocks(shop: Any) -> None:
    (shop.root / "compose.yml").write_text("services:\n  api: {build: .}\n")
    shop.write({"api": {"compose": "api"}}, compose={"file": "compose.yml", "project": "shop-none"})
    found = shop.checks("--only", "images", DOCKER_HOST="unix:///nowhere/docker.sock")["images"]
    assert (found["result"], found["level"]) == ("skip", "required"), found
