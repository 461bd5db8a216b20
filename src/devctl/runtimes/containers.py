"""Containers as the engine describes them: its JSON turned into values. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
VOLUME = "com.docker.compose.volume"
CONFIG_HASH = "com.docker.compose.config-hash"
IMAGE = "com.docker.compose.image"
ONEOFF = "com.docker.compose.oneoff"
NUMBER = "com.docker.compose.container-number"


@dataclass(frozen=True)
class Container:
    """A container of a Compose project as the engine lists it. ``image`` is the image's id, ``networks`` are ids."""

    id: str
    name: str
    service: str
    state: str
    config_hash: str
    image: str
    networks: frozenset[str]
    number: int

    @property
    def active(self) -> bool:
        """Whether a process of it may be alive or come back by itself."""
        return self.state in {"running", "restarting", "paused"}


@dataclass(frozen=True)
class Run:
    """One run of a container, from ``inspect``. Times are the engine's words; ``grace`` is in seconds."""

    id: str
    state: str
    started: str
    finished: str
    code: int
    out_of_memory: bool
    grace: int
    error: str
    tty: bool

    @property
    def alive(self) -> bool:
        """Whether this run goes on."""
        return self.state in {"running", "paused"}


@dataclass(frozen=True)
class Publisher:
    """The container behind a port of this machine; ``port`` is the one inside. ``project`` and ``service`` are
    Compose's, "" without Compose; ``image`` is its image by name."""

    id: str
    name: str
    project: str
    service: str
    port: int
    image: str = ""


def epoch(stamp: str) -> float:
    """Seconds since the epoch of the engine's time stamps (RFC 3339 with up to nine digits); 0 for none."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$", stamp)
    if not found or stamp.startswith("0001-"):
        return 0.0
    zone = "+00:00" if found[3] == "Z" else found[3]
    return datetime.fromisoformat(found[1] + zone).astimezone(UTC).timestamp() + float(found[2] or 0)


_STAMP, _PART = 31, 16384
_STAMP_FORM = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")


def container_of(entry: Mapping[str, Any]) -> Container:
    """An entry of GET /containers/json."""
    labels = entry.get("Labels") or {}
    attached = ((entry.get("NetworkSettings") or {}).get("Networks") or {}).values()
    return Container(
        id=entry["Id"],
        name=name_of(entry),
        service=labels.get(SERVICE, ""),
        state=entry.get("State", ""),
        config_hash=labels.get(CONFIG_HASH, ""),
        image=labels.get(IMAGE) or entry.get("ImageID", ""),
        networks=frozenset(network["NetworkID"] for network in attached if network.get("NetworkID")),
        number=int(labels.get(NUMBER) or 1),
    )


def publisher_of(entry: Mapping[str, Any], port: int) -> Publisher | None:
    """An entry of GET /containers/json, if it publishes this port of the machine."""
    labels = entry.get("Labels") or {}
    for binding in entry.get("Ports") or []:
        if binding.get("PublicPort") == port:
            inside = int(binding["PrivatePort"])
            image = str(entry.get("Image") or "")
            return Publisher(
                entry["Id"], name_of(entry), labels.get(PROJECT, ""), labels.get(SERVICE, ""), inside, image
            )
    return None


def run_of(detail: Mapping[str, Any]) -> Run:
    """The answer of GET /containers/ID/json."""
    state, config = detail["State"], detail["Config"]
    return Run(
        id=detail["Id"],
        state=state["Status"],
        started=state["StartedAt"],
        finished=state["FinishedAt"],
        code=state["ExitCode"],
        out_of_memory=bool(state.get("OOMKilled")),
        grace=10 if config.get("StopTimeout") is None else int(config["StopTimeout"]),
        error=state.get("Error", ""),
        tty=bool(config.get("Tty")),
    )


def name_of(entry: Mapping[str, Any]) -> str:
    """The name of a list entry, without its slash."""
    return str((entry.get("Names") or ["/" + entry["Id"][:12]])[0]).lstrip("/")


def log_lines(read: Callable[[int], bytes], framed: bool) -> Iterator[str]:
    """The lines of a log stream; ``read(n)`` gives up to n bytes. ``framed``: standard output and error are wrapped in
    frames (8 bytes: stream, 0, 0, 0, length), as they are without a terminal."""
    rest: dict[int, bytes] = {}
    for stream, piece in frames(read) if framed else _pieces(read):
        *whole, rest[stream] = (rest.get(stream, b"") + piece).split(b"\n")
        yield from (_text(line) for line in whole)
    yield from (_text(line) for line in rest.values() if line)


def frames(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    """(stream, content): 1 is standard output, 2 standard error."""
    while len(header := _exactly(read, 8)) == 8:
        yield header[0], _exactly(read, int.from_bytes(header[4:], "big"))


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    found = b""
    while len(found) < count and (piece := read(count - len(found))):
        found += piece
    return found


def _pieces(read: Callable[[int], bytes]) -> Iterator[tuple[int, bytes]]:
    while piece := read(1):
        yield 1, piece


def _text(line: bytes) -> str:
    """The engine cuts a long line into parts of 16 KiB, each behind a time stamp of its own: they are put together."""
    at = _STAMP + _PART
    while _STAMP_FORM.match(line, at):
        line = line[:at] + line[at + _STAMP :]
        at += _PART
    return line.decode(errors="replace").rstrip("\r")


def never_back(lines: Iterable[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """The same lines with times that never run backwards: an engine copies a container's two streams beside each other,
    and what it writes second may be some microseconds older."""
    latest = 0.0
    for moment, text in lines:
        latest = max(latest, moment)
        yield latest, text


def stamped(line: str) -> tuple[float, str]:
    """A log line that begins with its time: (seconds since the epoch, text)."""
    stamp, _, text = line.partition(" ")
    moment = epoch(stamp)
    return (moment, text) if moment else (0.0, line)
