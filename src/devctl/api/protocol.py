"""What command and supervisor say to each other: one request type a verb, as one line of JSON over a Unix socket.

The answer to a request is one line (a Snapshot or a Failure), or, for ``Up``, ``Down`` and ``Restart`` and ``Follow``,
a Snapshot followed by Snapshots of what changed until the client hangs up.
"""

from functools import cache

import msgspec

from devctl.core.model import Manifest, Value
from devctl.core.plan import Hold
from devctl.core.state import AnyEvent, ServiceState


class Up(Value, tag="up"):
    """Wanted from now on: ``names`` and what they need (``names`` is already closed over dependencies).

    ``environment`` is the caller's whole environment: services are started with it. Kept in memory, never written.
    ``docker`` is the engine's address as the caller resolved it, "" when no container is wanted.
    """

    manifest: Manifest
    names: tuple[str, ...]
    environment: dict[str, str] = {}
    docker: str = ""


class Down(Value, tag="down"):
    """No longer wanted: ``names`` and what needs them; () for everything. ``exit``: the supervisor goes too."""

    names: tuple[str, ...] = ()
    exit: bool = False


class Restart(Value, tag="restart"):
    """These anew."""

    names: tuple[str, ...]


class Renew(Value, tag="renew"):
    """Sources changed under what ``up`` asked for. All of it that is still wanted has its setup looked at again;
    ``changed`` maps a service to why its own run is outdated. ``up`` may carry another manifest: what is new in it is
    wanted too, but nothing that somebody has taken down meanwhile."""

    up: Up
    changed: dict[str, str] = {}


class Status(Value, tag="status"):
    """One Snapshot, with CPU and memory when ``usage``."""

    usage: bool = True


class Follow(Value, tag="follow"):
    """Snapshots until the client hangs up."""


class Handover(Value, tag="handover"):
    """The supervisor ends, its services run on: a newer one adopts them."""


Request = Up | Down | Restart | Renew | Status | Follow | Handover


class Usage(Value):
    """CPU percent of one core, memory in bytes, of a service's whole tree."""

    cpu_percent: float
    memory_bytes: int


class Snapshot(Value, tag="snapshot"):
    """All a screen needs. In a stream, the first is ``whole`` and so is each after which other services are wanted; the
    others hold only the ``states`` and ``holds`` that changed, and in ``released`` who is no longer held. ``events``
    are what has happened since the one before.

    ``clock`` is (monotonic, wall) seconds at the moment of the snapshot: the screen converts with it.
    ``wanted`` are the services that are to be up. ``renewals`` counts the Renew requests acted upon. ``touched`` is
    noted by a client that brings a whole one up to date: whose states and holds may be others than in the one before;
    None for all.
    """

    version: str
    pid: int
    started: float
    clock: tuple[float, float]
    manifest: Manifest | None = None
    states: dict[str, ServiceState] = {}
    holds: tuple[Hold, ...] = ()
    wanted: tuple[str, ...] = ()
    usage: dict[str, Usage] = {}
    events: tuple[AnyEvent, ...] = ()
    released: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    renewals: int = 0
    whole: bool = False
    touched: frozenset[str] | None = None


class Failure(Value, tag="failure"):
    """The request could not be served; the parts of a DevctlError."""

    what: str
    where: str = ""
    why: str = ""
    hint: str = ""
    code: int = 1


Answer = Snapshot | Failure

encode = msgspec.json.Encoder().encode


def decode_request(line: bytes) -> Request:
    """Raises msgspec.DecodeError."""
    return request_decoder().decode(line)


def decode_answer(line: bytes) -> Answer:
    """Raises msgspec.DecodeError, UnicodeDecodeError."""
    return answer_decoder().decode(line)


@cache
def request_decoder() -> "msgspec.json.Decoder[Request]":
    """Made once, at its first use or by who has a moment before it; each side needs one of the two."""
    return msgspec.json.Decoder(Request)


@cache
def answer_decoder() -> "msgspec.json.Decoder[Answer]":
    """As ``request_decoder``."""
    return msgspec.json.Decoder(Answer)
