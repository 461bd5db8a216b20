"""Who holds a port, in words, and what may be done about it. Pure: facts come in, a verdict comes out.

Nothing is killed without proof: a holder is named before anything happens to it, and some are never signalled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from devctl.core.model import Value

AIRPLAY_PORTS = frozenset({5000, 7000})
"""Held by macOS's AirPlay Receiver unless it is switched off."""
_AIRPLAY = frozenset({"ControlCenter", "ControlCe", "AirPlayXPCHelper"})
_PROXIES = frozenset(
    {
        "docker-proxy", "dockerd", "rootlesskit", "rootlessport", "conmon", "gvproxy",
        "com.docker.backend", "com.docker.vpnkit", "vpnkit", "vpnkit-bridge", "OrbStack", "OrbStack Helper", "limactl",
    }
)  # fmt: skip
_INTERPRETER = re.compile(r"(?:node|nodejs|bun|deno|ruby|perl|php|(?:ba|z|da)?sh|python[\d.]*)$", re.IGNORECASE)
_SECRETS = (
    (re.compile(r"(://[^\s/:@]*):[^\s/@]+@"), r"\1:…@"),
    (re.compile(r"((?:password|passwd|secret|token|api[-_]?key)[=\s])\S+", re.IGNORECASE), r"\1…"),
)
_LONGEST_COMMAND = 80


class Process(Value, tag="process"):
    """A process. ``start`` tells it from a later one with the same pid (as in ProcessIdentity).

    ``name`` is its program, ``command`` its command line as a person would know it again, ``folder`` its working
    folder (``~`` for home), ``since`` when it began in seconds since the epoch and ``clock`` the same as words,
    ``user`` whose it is ("" unknown), ``mark`` its DEVCTL_SERVICE (``workspace-id/service/run``), ``unit`` the system
    service and ``container`` the id of the container it runs in. ``outgoing``: it doesn't listen, but one of its
    connections uses the port as its own end.
    """

    pid: int
    start: int
    name: str = ""
    command: str = ""
    folder: str = ""
    since: float = 0.0
    clock: str = ""
    user: str = ""
    mark: str = ""
    unit: str = ""
    container: str = ""
    outgoing: bool = False


class Container(Value, tag="container"):
    """A container that publishes the port. ``project`` and ``service`` are Compose's, "" without Compose."""

    name: str
    project: str = ""
    service: str = ""
    id: str = ""


class Devctl(Value, tag="devctl"):
    """A process that a devctl workspace started, this one or another.

    ``workspace`` is the workspace's id; ``name`` and ``root`` (``~`` for home) are "" when it isn't registered.
    ``supervised``: a supervisor of it runs, and would start again what is ended behind its back.
    """

    workspace: str
    service: str
    process: Process
    name: str = ""
    root: str = ""
    supervised: bool = False


class Unknown(Value, tag="unknown"):
    """Somebody holds the port and cannot be seen; ``user`` is the socket's owner when that much is known."""

    user: str = ""


Holder = Process | Container | Devctl | Unknown


class Here(Value):
    """Where the decision is made: the workspace's id ("" for none), the user, and the pids that are never signalled:
    0, 1, this process and its ancestors."""

    workspace: str
    user: str
    spared: frozenset[int]


class How(StrEnum):
    """How a holder is made to let go."""

    SIGNAL = "signal"
    STOP_CONTAINER = "stop-container"


class Free(Value, tag="free"):
    """Nobody holds it."""


class Ours(Value, tag="ours"):
    """A service of this very workspace holds it."""

    service: str


class Evict(Value, tag="evict"):
    """A stranger holds it, and may be ended when the user says so."""

    holder: Holder
    how: How


class Refuse(Value, tag="refuse"):
    """The holder is not ours to end; ``hint`` is what the user can do."""

    holder: Holder
    reason: str
    hint: str


Verdict = Free | Ours | Evict | Refuse


def decide(port: int, holder: Holder | None, here: Here) -> Verdict:
    """What may be done about the holder of ``port``."""
    match holder:
        case None:
            return Free()
        case Container():
            return Evict(holder=holder, how=How.STOP_CONTAINER)
        case Unknown():
            return Refuse(holder=holder, reason="its holder cannot be seen", hint=f"sudo lsof -nP -iTCP:{port}")
        case Devctl():
            return _devctl(holder, here)
        case Process():
            refused = _elsewhere(port, holder) or _airplay(port, holder) or _protected(holder, here)
            return _verdict(holder, refused)


def _verdict(holder: Process | Devctl, refused: tuple[str, str] | None) -> Verdict:
    if refused is None:
        return Evict(holder=holder, how=How.SIGNAL)
    return Refuse(holder=holder, reason=refused[0], hint=refused[1])


def _devctl(holder: Devctl, here: Here) -> Verdict:
    if here.workspace and holder.workspace == here.workspace:
        return Ours(service=holder.service)
    if holder.supervised:
        reason = f"the supervisor of the workspace {holder.name or holder.workspace} would start it again"
        return _verdict(holder, (reason, f"cd {holder.root} && devctl down {holder.service}"))
    return _verdict(holder, _protected(holder.process, here))


def _elsewhere(port: int, process: Process) -> tuple[str, str] | None:
    """Those that hold it for somebody else, or that somebody else looks after."""
    if is_proxy(process.name):
        reason = f"{process.name} holds it for a container that no Docker engine here knows of"
        return reason, f"docker ps --filter publish={port}"
    if process.container:
        return "it runs inside a container", f"docker stop {process.container[:12]}"
    if process.unit:
        return f"it is the system service {process.unit}", f"sudo systemctl stop {process.unit}"
    if process.outgoing:
        return "it is no server: one of its connections uses the port for a while", "try again, or use another port"
    return None


def _airplay(port: int, process: Process) -> tuple[str, str] | None:
    if port not in AIRPLAY_PORTS or process.name not in _AIRPLAY:
        return None
    hint = "System Settings → General → AirDrop & Handoff → AirPlay Receiver off, or another port"
    return f"macOS's AirPlay Receiver uses port {port}", hint


def _protected(process: Process, here: Here) -> tuple[str, str] | None:
    if process.pid <= 1:
        return "it is the system's first process", "systemctl list-sockets"
    if process.pid in here.spared:
        return "devctl itself runs inside it", "end it by hand, from elsewhere"
    if process.user != here.user:
        whose = f"the user {process.user}" if process.user else "another user"
        return f"it belongs to {whose}", f"sudo kill {process.pid}"
    return None


def is_proxy(name: str) -> bool:
    """Whether this program holds ports for containers, so that the container is the real holder."""
    return name in _PROXIES


def may_forward(name: str) -> bool:
    """Whether the engine is worth asking: Colima forwards containers' ports with ssh, which does other things too."""
    return is_proxy(name) or name == "ssh"


def describe(holder: Holder | None) -> str:
    """The holder in plain words, to follow "is held by"."""
    match holder:
        case None:
            return "nobody any more"
        case Unknown():
            return f"a process that cannot be seen ({f'the user {holder.user}' if holder.user else 'another user'}'s?)"
        case Container():
            return f"container {holder.name}{_compose(holder)}"
        case Devctl():
            place = f" ({holder.root})" if holder.root else ""
            return f"service {holder.service} of the devctl workspace {holder.name or holder.workspace}{place}"
        case Process():
            return _process(holder)


def _compose(holder: Container) -> str:
    facts = [f"Compose project {holder.project}"] if holder.project else []
    facts += [f"service {holder.service}"] if holder.service else []
    return f" ({', '.join(facts)})" if facts else ""


def _process(holder: Process) -> str:
    facts = [f"pid {holder.pid}"]
    facts += [f"`{holder.command}`"] if holder.command not in {"", holder.name} else []
    facts += [f"in {holder.folder}"] if holder.folder else []
    facts += [f"since {holder.clock}"] if holder.clock else []
    return f"{holder.name or 'a process'} ({', '.join(facts)})"


def command_words(arguments: Sequence[str]) -> str:
    """A command line as a person would know it again: no interpreter, no long path, no password."""
    words = [word for word in arguments if word.strip()]
    if len(words) > 1 and _INTERPRETER.match(_last(words[0])) and not words[1].startswith("-"):
        del words[0]
    text = " ".join(" ".join([_last(words[0]), *words[1:]] if words else []).split())
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text if len(text) <= _LONGEST_COMMAND else text[: _LONGEST_COMMAND - 1] + "…"


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1] if path.startswith("/") else path


def split_mark(mark: str) -> tuple[str, str] | None:
    """Workspace id and service of a DEVCTL_SERVICE mark, None when it is none."""
    parts = mark.split("/")
    return (parts[0], parts[1]) if len(parts) == 3 and parts[0] and parts[1] else None
