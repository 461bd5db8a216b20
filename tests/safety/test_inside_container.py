"""Our programs in a service's container."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from devctl.core.model import Runtime, Service
from devctl.safety.inside import call
from devctl.safety.interpreter import container

PROGRAM = """
import os
def main(given):
    print("loud")
    return [given, os.environ["WHO"], os.path.exists("/.dockerenv")]
"""


def test_in_the_running_container_or_in_one_made_for_it(docker: Any, tmp_path: Path) -> None:
    file = tmp_path / "stack.yml"
    file.write_text(f"""
services:
  api:
    image: {os.environ.get("PYTHON_IMAGE", "python:3.12-slim")}
    command: [sleep, "600"]
    environment: {{WHO: "it's me"}}
    init: true
""")
    compose = ["docker", "compose", "--project-name", docker.project, "--file", str(file)]
    service = Service(name="api", runtime=Runtime.CONTAINER, compose="api")
    environment = {**os.environ, "DOCKER_HOST": docker.host}
    once = container(service, compose, environment, str(tmp_path))
    assert once.where == "a container made for this"
    assert call(once, PROGRAM, 1, timeout=60) == [1, "it's me", True]
    assert docker.containers() == [], "it is removed"
    subprocess.run([*compose, "up", "-d"], env=environment, check=True, capture_output=True)
    inside = container(service, compose, environment, str(tmp_path))
    assert inside.where == "its container"
    assert call(inside, PROGRAM, "ä", timeout=60) == ["ä", "it's me", True]
