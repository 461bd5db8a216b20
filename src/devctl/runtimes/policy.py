"""What must happen to the containers of a stack before they can start, and why. Pure: facts in, decisions out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from devctl.core.model import Value

NETWORK_GONE = "its network is gone"


class Todo(StrEnum):
    """What is to be done with a service's container."""

    BUILD = "build"
    CREATE = "create"
    RECREATE = "recreate"
    START = "start"
    KEEP = "keep"


@dataclass(frozen=True)
class StackChange:
    """A decision about one service, with its cause in words. ``str()`` is the line `up --dry-run` prints."""

    service: str
    action: Todo
    because: str

    def __str__(self) -> str:
        return f"{self.service}: {self.action} ({self.because})"


@dataclass(frozen=True)
class ContainerFacts:
    """The container a service has. ``networks_gone``: it hangs on a network that no longer exists."""

    active: bool
    config_hash: str
    image: str
    networks_gone: bool = False


@dataclass(frozen=True)
class ServiceFacts:
    """All that decides. ``image`` is the id of the image the service is to have ("" when there is none yet);
    ``stale`` says why a built image no longer is what its sources say ("" when it is)."""

    service: str
    config_hash: str
    image: str
    image_name: str
    built: bool
    stale: str
    containers: tuple[ContainerFacts, ...]


def decide(facts: ServiceFacts) -> StackChange:
    """What this service needs."""
    if facts.built and (because := "its image does not exist yet" if not facts.image else facts.stale):
        return StackChange(facts.service, Todo.BUILD, because)
    if not facts.containers:
        return StackChange(facts.service, Todo.CREATE, "it has no container yet")
    if because := outdated(facts):
        return StackChange(facts.service, Todo.RECREATE, because)
    if not facts.containers[0].active:
        return StackChange(facts.service, Todo.START, "it is stopped")
    return StackChange(facts.service, Todo.KEEP, "it is up to date")


def outdated(facts: ServiceFacts) -> str:
    """Why the service's container must be replaced, "" when it need not."""
    if len(facts.containers) > 1:
        return f"it has {len(facts.containers)} containers and must have one"
    (container,) = facts.containers
    if container.config_hash != facts.config_hash:
        return "its definition in the compose file changed since it was created"
    if facts.image and container.image != facts.image:
        return "its image was rebuilt" if facts.built else f"{facts.image_name} is another image now"
    if not facts.image:
        return f"its image {facts.image_name} is gone"
    return NETWORK_GONE if container.networks_gone else ""


class FileFact(Value, array_like=True):
    """A file of a build context. Times are in nanoseconds; ``digest`` is of the content, or a link's target."""

    mode: int
    size: int
    modified: int
    changed: int
    digest: str


class Sources(Value):
    """All that goes into an image: the context's files by path, the Dockerfile, the digests of the build settings."""

    files: dict[str, FileFact] = {}
    dockerfile: str = ""
    settings: dict[str, str] = {}

    def newest(self) -> tuple[str, float]:
        """The file changed last and when, in seconds since the epoch."""
        path, fact = max(self.files.items(), key=lambda item: item[1].modified, default=("", None))
        return path, fact.modified / 1e9 if fact else 0.0


def image_change(recorded: Sources | None, present: Sources, newest: tuple[str, float], created: float) -> str:
    """Why an image no longer is what its sources say, "" when it is. ``recorded`` is what it was built from, None when
    nobody remembers: then it must be younger (``created``) than the file changed last (``newest``: path, when).
    Times are in seconds since the epoch."""
    if recorded is None:
        return f"its image is older than {newest[0]}" if newest[1] > created else ""
    if recorded.dockerfile != present.dockerfile:
        return "Dockerfile changed since its image was built"
    if names := _different(recorded.settings, present.settings):
        return f"{_listed(names)} changed since its image was built"
    files = _different(_contents(recorded), _contents(present))
    return f"{_listed(files)} changed since its image was built" if files else ""


def _contents(sources: Sources) -> dict[str, tuple[int, str]]:
    return {path: (fact.mode, fact.digest) for path, fact in sources.files.items()}


def _different(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _listed(names: list[str]) -> str:
    if len(names) <= 2:
        return " and ".join(names)
    return (
        f"{names[0]} and {len(names) - 1} other files" if len(names) > 3 else f"{names[0]}, {names[1]} and {names[2]}"
    )


@dataclass(frozen=True)
class StartProblem:
    """Why the engine could not start a container; ``port`` is set when another holds it."""

    reason: str
    port: int = 0
    network: bool = False
    final: bool = False


_PORT = re.compile(
    r"(?:Bind for|listen tcp[46]?|exposing port TCP|bind host port(?: for)?) \S*?:(\d+)(?=[\s:/]|$)"
    r".*?(?:already allocated|already in use)",
    re.DOTALL,
)
_HOPELESS = (
    "executable file not found",
    "no such file or directory",
    "bind source path does not exist",
    "is a directory",
)


def start_problem(message: str) -> StartProblem:
    """The engine's error to a start, understood. Messages as of engines 20.10 to 28 and Docker Desktop 4."""
    if found := _PORT.search(message):
        return StartProblem(f"port {found[1]} is already in use", port=int(found[1]), final=True)
    network = "network" in message and "not found" in message
    reason = message.rsplit("failed to create task for container:", maxsplit=1)[-1].strip()
    return StartProblem(reason, network=network, final=any(text in message for text in _HOPELESS))


def exit_note(code: int, out_of_memory: bool) -> str:
    """What an exit code of a container means, in words, "" when it says it all."""
    if out_of_memory:
        return "out of memory"
    return {137: "killed: SIGKILL", 139: "crashed: SIGSEGV", 134: "aborted: SIGABRT"}.get(code, "")


def unknown_names(names: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """The names that aren't known, each with the known one it resembles most ("" for none)."""
    from difflib import get_close_matches

    there = sorted(known)
    return {name: next(iter(get_close_matches(name, there, 1)), "") for name in names if name not in there}
