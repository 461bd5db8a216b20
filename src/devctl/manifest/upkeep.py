"""The grammar of what surrounds the services: the Compose stack, repositories, mirrors, what may be tidied."""

from typing import Annotated, Any

from devctl.manifest.forms import (
    TEXT,
    GitAddress,
    GitName,
    GitNames,
    Patterns,
    ProjectName,
    Size,
    Span,
    Word,
    Words,
    one_of,
    some_of,
)
from devctl.manifest.group import Group, field
from devctl.manifest.shapes import Short

LIST_OF_TEXT = {"type": "array", "items": TEXT}


class Compose(Group):
    """The central Compose stack."""

    file: Words = field(
        description="The Compose file, relative to services.yaml; several are merged as `docker compose -f A -f B`.",
        examples=["compose/controlcore-local-dev.yml"],
    )
    project: ProjectName = field("", description="The Compose project's name; the workspace's `name` when left out.")
    env_file: Word = field("", description="The file of variables Compose reads (`--env-file`).", examples=[".env"])


def _remotes(value: Any) -> Any:
    value = [value] if isinstance(value, str) else value
    return {name: None for name in value if isinstance(name, str)} if isinstance(value, list) else value


class Sync(Group):
    """The end-of-day work in a repository."""

    branches: GitNames = field((), description="The branches that are pushed.", examples=[["dev", "master"]])
    promote: dict[str, GitName] = field(
        {},
        description="Branches that are brought forward to another, fast-forward only.",
        examples=[{"master": "dev"}],
    )
    remotes: Annotated[dict[str, GitAddress], Short(_remotes, LIST_OF_TEXT)] = field(
        {}, description="The remotes pushed to: a name alone, or `name: URL`, set up when missing."
    )
    commit: Annotated[str, one_of("ask", "always", "never")] = field(
        "ask", description="Whether uncommitted work is committed."
    )
    max_file_size: Size = field(
        10_000_000, description="A larger new file is not committed; the sync says so.", examples=["10MB"]
    )
    timeout: Span = field(20.0, description="How long one remote may take.")


class Git(Group):
    """A repository of the workspace."""

    path: Word = field("", description="Its root, relative to services.yaml, whose own folder it is when left out.")
    branch: GitName = field("", description="The day's branch.", examples=["dev"])
    pull: Annotated[str, one_of("ff-only", "never")] = field("ff-only", description="How the day begins.")
    sync: Sync | None = field(None, description="The end-of-day work.")


class Mirror(Group):
    """A folder carried over one way."""

    source: Word = field(alias="from", description="A service or library, or a folder (with a / in it).")
    target: Word = field(alias="to", description="A service or library, or a folder (with a / in it).")
    include: Patterns = field(("**",), description="What is carried over.")
    exclude: Patterns = field(("**/.git", "**/node_modules"), description="What isn't.")


class Clean(Group):
    """What `devctl clean` may tidy. Nothing else is ever removed."""

    artefacts: Patterns = field((), description="Patterns of files and folders.", examples=[["**/.next", "**/dist"]])
    caches: Annotated[tuple[str, ...], some_of("npm", "pnpm", "yarn", "pip", "uv")] = field(
        (), description="Caches of tools."
    )
    docker: Annotated[tuple[str, ...], some_of("containers", "images", "build-cache", "networks", "volumes")] = field(
        (),
        description="What of this workspace's Docker project. The build cache is only weighed, volumes go by name.",
    )
    on_down: Annotated[tuple[str, ...], some_of("artefacts", "caches", "docker")] = field(
        (), description="Which of these `devctl down` does by itself."
    )
