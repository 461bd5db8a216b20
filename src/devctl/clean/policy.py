"""What may go, and why what may not stays. Pure: it judges facts that others have gathered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from devctl.core.model import Manifest, Value
from devctl.core.state import ServiceState, Setup, State


class Kind(StrEnum):
    """What is tidied, in the words a person reads."""

    CONTAINER = "container"
    IMAGE = "image"
    BUILD_CACHE = "build cache"
    NETWORK = "network"
    VOLUME = "volume"
    CACHE = "cache"
    ARTEFACT = "artefact"


class Item(Value):
    """Something that was looked at. ``key`` finds it again: an id, a tool, an absolute path. ``size`` is in bytes, None
    when unknown. ``refusal`` says why it stays, "" when it may go; ``hint`` what would let it go."""

    kind: Kind
    key: str
    name: str
    size: int | None = None
    detail: str = ""
    refusal: str = ""
    hint: str = ""


class Running(Value):
    """What must not be touched because something runs: service → its folder; container → the folders of the workspace
    that are mounted in it; the compose services that are wanted; services whose setup runs right now."""

    folders: dict[str, str] = {}
    mounts: dict[str, tuple[str, ...]] = {}
    composed: frozenset[str] = frozenset()
    installing: tuple[str, ...] = ()


def running(manifest: Manifest, states: Mapping[str, ServiceState], wanted: Iterable[str]) -> Running:
    """What runs or is about to."""
    busy = {
        name
        for name, state in states.items()
        if state.active or state.lingers or state.state is State.BACKOFF or state.setup is Setup.RUNNING
    }
    meant = busy | set(wanted)
    services = [service for name, service in manifest.services.items() if name in meant]
    return Running(
        folders={each.name: each.path for each in services if each.path and each.name in busy},
        composed=frozenset(each.compose for each in services if each.compose),
        installing=tuple(name for name, state in states.items() if state.setup is Setup.RUNNING),
    )


class ArtefactFacts(Value):
    """A file or folder that a pattern matches.

    ``holds`` is what of the workspace itself lies in it: the manifest, a compose file, a service's folder; ``tracked``
    files git has, ``unsaved`` ones it would commit; ``repository`` is one that lies inside; ``users`` are processes
    that work in it, in words; ``problem`` is what kept it from being looked at.
    """

    path: str
    size: int = 0
    is_link: bool = False
    holds: str = ""
    tracked: int = 0
    unsaved: int = 0
    repository: str = ""
    mounted: str = ""
    users: tuple[str, ...] = ()
    problem: str = ""


def artefact_refusal(facts: ArtefactFacts, now: Running) -> tuple[str, str]:
    """(why it stays, what would let it go), ("", "") when it may go."""
    if facts.problem:
        return facts.problem, ""
    if facts.is_link:
        return "it is a link", ""
    if facts.holds:
        return f"{facts.holds} lies in it", ""
    if facts.repository:
        return f"a repository lies in it: {facts.repository}", ""
    if facts.mounted:
        return f"something is mounted in it: {facts.mounted}", ""
    if facts.tracked:
        return f"git has {_files(facts.tracked)} of it", "take it out of clean.artefacts, or out of git"
    if facts.unsaved:
        return f"git would commit {_files(facts.unsaved)} of it: it may be work", "add it to .gitignore"
    return _in_use(facts, now)


def _in_use(facts: ArtefactFacts, now: Running) -> tuple[str, str]:
    for name, folder in now.folders.items():
        if _meet(facts.path, folder):
            return f"{name} is running", f"devctl down {name}"
    for name, folders in now.mounts.items():
        if any(_meet(facts.path, folder) for folder in folders):
            return f"it is mounted in the running container {name}", f"docker stop {name}"
    return (f"{facts.users[0]} works in it", "") if facts.users else ("", "")


def _files(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"


def _meet(one: str, other: str) -> bool:
    """Whether one of two paths lies in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


class ContainerFacts(Value):
    """A container with the project's label. ``files``: the compose files it was made from, as a label says.

    ``networks`` holds ids and names: a container that never ran knows only names.
    """

    id: str
    name: str
    service: str
    state: str
    files: tuple[str, ...] = ()
    unnamed_volumes: int = 0
    networks: frozenset[str] = frozenset()
    size: int = 0


STOPPED = frozenset({"exited", "created", "dead"})


def container_refusal(facts: ContainerFacts, own: frozenset[str], now: Running) -> tuple[str, str] | None:
    """As ``artefact_refusal``; None for one that runs, which is nothing to tidy. ``own``: the stack's compose files."""
    if facts.state not in STOPPED:
        return None
    if facts.files and own.isdisjoint(facts.files):
        return f"it was made from {facts.files[0]}", ""
    if facts.service in now.composed:
        return "its service is wanted", "devctl down"
    if facts.unnamed_volumes:
        return "it holds data in an unnamed volume", "give the volume a name in the compose file"
    return "", ""


def network_refusal(attached: Iterable[str], going: frozenset[str]) -> tuple[str, str]:
    """``attached`` are the names of all containers, also stopped ones, that know it; ``going`` those that go before."""
    left = [name for name in attached if name not in going]
    return (f"{left[0]} needs it", "") if left else ("", "")
