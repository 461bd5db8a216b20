"""The docker compose command: what it is asked for, and its errors in a reader's words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devctl.awaited import run
from devctl.command import CommandError, Result
from devctl.core.model import ComposeStack
from devctl.errors import DevctlError, Exit
from devctl.runtimes.compose_inputs import env_file
from devctl.runtimes.endpoint import Endpoint

ASK, CREATE, BUILD = 60.0, 900.0, 3600.0
"""Seconds after which a question, a create (which may pull) and a build count as hung."""
_NO_PLUGIN = re.compile(r"is not a docker command|unknown command: docker compose|unknown flag: --ansi")
_NOISE = re.compile(r"^time=\S+ level=warning|^WARN|^\s*$|^ *(?:Network|Volume|Container) .*(?:Creat|Recreat|Start)")


class ComposeCli:
    """Compose for one stack, with one environment and engine. Profiles never hide a service: the manifest decides."""

    def __init__(
        self,
        stack: ComposeStack,
        environment: Mapping[str, str],
        endpoint: Endpoint,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.stack, self._on_line = stack, on_line
        self.environment = {**environment, **endpoint.environment(), "DOCKER_CLI_HINTS": "false"}
        if "DOCKER_HOST" not in endpoint.environment():
            self.environment.pop("DOCKER_HOST", None)

    async def config(self) -> tuple[str, str]:
        """The resolved configuration as JSON, and a line "service hash" for each service."""
        texts = await asyncio.gather(self._ask("config", "--format", "json"), self._ask("config", "--hash", "*"))
        return texts[0], texts[1]

    async def build(self, services: Sequence[str]) -> None:
        """Build the images of these services."""
        await self._call(["--progress", "plain", "build", *services], BUILD, self._on_line)

    async def create(self, services: Sequence[str], *, force: bool = False, scaled: Sequence[str] = ()) -> None:
        """Create or replace the containers of these services alone, and start none; one each of those ``scaled``."""
        options = ["--no-start", "--no-deps", "--no-build", *(["--force-recreate"] if force else [])]
        options += [word for name in scaled for word in ("--scale", f"{name}=1")]
        await self._call(["--progress", "plain", "up", *options, *services], CREATE, self._on_line)

    async def _ask(self, *arguments: str) -> str:
        return (await self._call(list(arguments), ASK, None)).out

    async def _call(self, arguments: list[str], timeout: float, on_line: Callable[[str], None] | None) -> Result:
        for command in (["docker", "compose"], ["docker-compose"]):
            try:
                return await self._with(command, arguments, timeout, on_line)
            except CommandError as error:
                if "No such file" not in error.why and not _NO_PLUGIN.search(error.output):
                    raise explained(error, self.stack) from error
        raise DevctlError(
            "Docker Compose is not installed",
            why="neither `docker compose` nor `docker-compose` can be run",
            hint="install it: apt install docker-compose-plugin, or: brew install docker-compose",
            code=Exit.PRECONDITION,
        )

    async def _with(
        self, command: list[str], arguments: list[str], timeout: float, on_line: Callable[[str], None] | None
    ) -> Result:
        argv = [*command, *self.options(), *arguments]
        return await run(argv, cwd=self.folder, env=self.environment, timeout=timeout, on_line=on_line)

    @property
    def folder(self) -> Path:
        """Where Compose is run: beside its first file."""
        return Path(self.stack.files[0]).parent

    def options(self) -> list[str]:
        """What names this stack, after the words of the command."""
        options = ["--ansi", "never", "--project-name", self.stack.project, "--profile", "*"]
        for path in self.stack.files:
            options += ["--file", path]
        path = env_file(self.stack)
        wanted = self.stack.env_file and (Path(path).exists() or Path(path).name != ".env")
        return [*options, "--env-file", path] if wanted else options


def explained(error: CommandError, stack: ComposeStack) -> DevctlError:
    """Compose's failure: its own last sentence as the reason, its last lines as details."""
    lines = [line for line in error.output.splitlines() if not _NOISE.match(line)]
    last = lines[-1].strip() if lines else error.why
    reason = last.removeprefix("Error response from daemon: ").removeprefix("ERROR: ").removeprefix("failed to solve: ")
    return DevctlError(
        reason or error.why,
        where=", ".join(stack.files),
        why=f"{error.what} ({error.why})",
        hint=_hint(error.output),
        code=Exit.FAILED,
        details=tuple(line.rstrip() for line in lines[-15:]),
    )


def _hint(output: str) -> str:
    if re.search(
        r"pull access denied|manifest unknown|no such host|failed to resolve|i/o timeout|not found: manifest", output
    ):
        return "the image is not on this machine and could not be pulled: check its name, the network, docker login"
    if "yaml:" in output or "validating" in output:
        return "docker compose config shows the same error"
    return ""
