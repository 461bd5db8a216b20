"""Where log lines come from, and how they are written: straight to the stream, since there may be millions."""

from __future__ import annotations

import heapq
import re
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from queue import SimpleQueue

from devctl.cli.engine import ask_engine
from devctl.cli.place import Place
from devctl.cli.terminal import json_text
from devctl.core.model import Manifest, Runtime
from devctl.errors import DevctlError
from devctl.logs import Line, Logs, plain, service_of, setup_log
from devctl.runtimes.endpoint import Endpoint

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""SGR colours of the services' names, in turn."""
PLAIN = "\x1b[0m"
FOREVER = 1e7
"""Seconds a followed container may be silent."""


@dataclass(frozen=True)
class Wanted:
    """Which lines: the last ``lines`` of all ``names``, from ``since`` (epoch seconds) on, that match ``pattern``."""

    names: tuple[str, ...]
    lines: int | None
    since: float | None
    pattern: re.Pattern[str] | None
    follow: bool
    colour: bool


class Sources:
    """The logs of one workspace. Containers are asked for only when one is meant."""

    def __init__(self, place: Place, manifest: Manifest) -> None:
        self._place, self._manifest = place, manifest
        self._logs = Logs(place.workspace.root)

    def lines(self, wanted: Wanted) -> Iterator[Line]:
        """The lines by time; with ``follow`` without end. Raises DevctlError when only containers are meant and no
        engine answers."""
        processes = [name for name in wanted.names if self._runtime(name) is Runtime.PROCESS]
        containers = self._containers([name for name in wanted.names if name not in processes], alone=not processes)
        files = [file for name in processes for file in self._files(name)]
        return map(_of_service, (self._followed if wanted.follow else self._past)(files, containers, wanted))

    def _runtime(self, name: str) -> Runtime:
        return self._manifest.services[name].runtime

    def _files(self, name: str) -> tuple[str, ...]:
        """What its setup said belongs to what it says itself."""
        process = self._manifest.services[name].process
        return (setup_log(name), name) if process and process.setup else (name,)

    @cached_property
    def _endpoint(self) -> tuple[Endpoint | None, str]:
        asked = ask_engine(self._place.environment)
        return (None if asked.problem else asked.endpoint), asked.problem

    def _containers(self, names: list[str], *, alone: bool) -> dict[str, str]:
        """Service → container, for those that have one."""
        compose = self._manifest.compose
        if not names or compose is None:
            return {}
        endpoint, problem = self._endpoint
        if endpoint is None:
            if alone:
                raise DevctlError("the containers' logs cannot be read", why=problem, hint="start Docker")
            return {}
        from devctl.runtimes.engine import Engine

        known = {each.service: each.id for each in reversed(Engine(endpoint).containers(compose.project))}
        services = self._manifest.services
        return {name: known[services[name].compose] for name in names if services[name].compose in known}

    def _past(self, files: list[str], containers: dict[str, str], wanted: Wanted) -> Iterator[Line]:
        tail = wanted.lines if wanted.pattern is None else None
        ours = self._logs.read(files, wanted.lines, wanted.since, wanted.pattern, wanted.colour) if files else ()
        theirs = (self._container(name, id_, wanted, tail) for name, id_ in containers.items())
        merged = heapq.merge(ours, *theirs, key=_time)
        return merged if wanted.lines is None else iter(deque(merged, wanted.lines))

    def _container(self, name: str, container: str, wanted: Wanted, tail: int | None) -> Iterator[Line]:
        from devctl.runtimes.engine import Engine

        endpoint, _ = self._endpoint
        if endpoint is None:
            return
        engine = Engine(endpoint, timeout=FOREVER if wanted.follow else 60.0)
        for moment, text in engine.logs(container, tail, wanted.since, wanted.follow):
            raw = text.encode()
            if wanted.pattern is None or wanted.pattern.search(plain(raw)):
                yield Line(moment, name, plain(raw, wanted.colour))

    def _followed(self, files: list[str], containers: dict[str, str], wanted: Wanted) -> Iterator[Line]:
        streams: list[Iterable[Line]] = [
            self._container(name, id_, wanted, wanted.lines) for name, id_ in containers.items()
        ]
        if files:
            streams.append(self._logs.follow(files, wanted.lines, wanted.since, wanted.pattern, wanted.colour))
        if len(streams) == 1:
            return iter(streams[0])
        return _together(streams)


def _together(streams: list[Iterable[Line]]) -> Iterator[Line]:
    """Lines of several streams as they come."""
    inbox: SimpleQueue[Line | DevctlError | None] = SimpleQueue()

    def pump(stream: Iterable[Line]) -> None:
        try:
            for line in stream:
                inbox.put(line)
        except DevctlError as error:
            inbox.put(error)
        finally:
            inbox.put(None)

    for stream in streams:
        threading.Thread(target=pump, args=(stream,), daemon=True).start()
    left = len(streams)
    while left:
        item = inbox.get()
        if isinstance(item, DevctlError):
            raise item
        if item is None:
            left -= 1
        else:
            yield item


def _time(line: Line) -> float:
    return line.time


def _of_service(line: Line) -> Line:
    return Line(line.time, service_of(line.service), line.text)


def write_lines(lines: Iterable[Line], wanted: Wanted, *, as_json: bool) -> None:
    """Write lines as they come; where several services are meant, each behind its service's name."""
    render = _json if as_json else Renderer(wanted).text
    write, flush = sys.stdout.write, sys.stdout.flush
    for line in lines:
        write(render(line) + "\n")
        if wanted.follow:
            flush()


def _json(line: Line) -> str:
    moment = datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json_text({"time": moment, "service": line.service, "line": line.text})


class Renderer:
    """Puts a line behind its service's name, where there are several services."""

    def __init__(self, wanted: Wanted) -> None:
        self._named = max(map(len, wanted.names), default=0)
        self._alone = len(wanted.names) == 1
        self._colours = dict(zip(wanted.names, COLOURS * len(wanted.names), strict=False)) if wanted.colour else {}

    def text(self, line: Line) -> str:
        """The line as it is written; colours never run into the next one."""
        text = line.text + (PLAIN if "\x1b" in line.text else "")
        if self._alone:
            return text
        name = f"{line.service:<{self._named}} | "
        if line.service in self._colours:
            name = f"\x1b[{self._colours[line.service]}m{name}{PLAIN}"
        return name + text
