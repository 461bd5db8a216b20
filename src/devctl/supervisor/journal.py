"""The journal: what was wanted, and every event, one JSON line each. A supervisor that starts again reads it back.

It holds references to secrets, never their values (the manifest's templates are filled in only when a process starts).
A full disk must stop no service: what cannot be written is dropped, and the supervisor says so.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from devctl.core.history import Began, Ended, Happened, Known, Record, Standing, Wanted, succeed
from devctl.core.lifecycle import IllegalEvent, step
from devctl.core.model import Manifest, Service, Value
from devctl.core.state import ServiceState, Setup
from devctl.supervisor.unsaid import without_passwords

__all__ = [
    "Began", "Ended", "Happened", "Journal", "Known", "Past", "Record", "Standing", "Wanted", "read", "recover",
    "standing", "succeed",
]  # fmt: skip

MAX_BYTES = 8_000_000
"""Above this size the journal is set aside when a supervisor starts."""
ASIDE = "journal.1.jsonl"


_encode = msgspec.json.Encoder().encode
_BEGAN, _KNOWN = b'{"type":"began"', b'{"type":"known"'


@functools.cache
def _decoder() -> msgspec.json.Decoder[Record]:
    """Made when there is something to read: it takes a millisecond of a first start."""
    return msgspec.json.Decoder(Record)


def standing(
    manifest: Manifest | None,
    services: Mapping[str, Service],
    wanted: Iterable[str],
    states: Mapping[str, ServiceState],
) -> list[Record]:
    """All that a later supervisor must know, as records."""
    known: list[Record] = [Known(manifest=manifest)] if manifest else []
    of_manifest = manifest.services if manifest else {}
    retired = {name: service for name, service in services.items() if name not in of_manifest}
    return [*known, Wanted(names=tuple(sorted(wanted))), Standing(states=dict(states), retired=retired)]


class Past(Value):
    """What an earlier supervisor left: () and {} when there is nothing to take over. ``retired``: see ``succeed``."""

    manifest: Manifest | None = None
    wanted: tuple[str, ...] = ()
    states: dict[str, ServiceState] = {}
    retired: dict[str, Service] = {}


class Journal:
    """An append-only file. Not for two writers: the supervisor's lock sees to that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._descriptor: int | None = None
        self._torn = False

    def write(self, records: Iterable[Record]) -> None:
        """Append; on an error remember it in ``problem`` and go on."""
        data = b"".join(_encode(without_passwords(record)) + b"\n" for record in records)
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._torn = _ends_torn(self._descriptor)
            data = b"\n" * self._torn + data
            written = os.write(self._descriptor, data)
            self._torn = data[:written][-1:] != b"\n"
            self.problem = "" if written == len(data) else "the journal cannot be written: a record was cut short"
        except OSError as error:
            self.problem = f"the journal cannot be written: {error.strerror or error}"

    def close(self) -> None:
        """Give the file back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def set_aside(self) -> None:
        """Begin a new file when the present one has grown too large."""
        try:
            if self.path.stat().st_size > MAX_BYTES:
                self.path.replace(self.path.with_name(ASIDE))
        except OSError:
            return


def _ends_torn(descriptor: int) -> bool:
    """Whether a killed writer, or a full disk, left half a line."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def read(path: Path) -> list[Record]:
    """Every record that can be read; a torn last line and lines of another version are passed over."""
    return list(_decoded(_lines(path)))


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except OSError:
        return []


def _decoded(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        try:
            yield _decoder().decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def read_day(path: Path, begin: float) -> list[Record]:
    """What the supervisors of a day wrote: from the last one on that began before ``begin`` (wall-clock seconds), also
    in the file that was set aside."""
    lines = _lines(path.with_name(ASIDE)) + _lines(path)
    starts = [number for number, line in enumerate(lines) if line.startswith(_BEGAN)]
    first = next((number for number in reversed(starts) if _began_before(lines[number], begin)), 0)
    return list(_decoded(lines[first:]))


def _began_before(line: bytes, moment: float) -> bool:
    return any(isinstance(record, Began) and record.wall < moment for record in _decoded([line]))


def recover(path: Path, boot: str) -> Past:
    """What the last supervisor knew, replayed from its last beginning. Nothing, when it ended cleanly or the machine
    was started anew since."""
    lines = _lines(path)
    starts = [number for number, line in enumerate(lines) if line.startswith(_BEGAN)]
    run = [line for line in lines[starts[-1] :] if line] if starts else []
    if _over(run[-1:]):  # and nothing of a long day but what there was is asked for
        run = [*(line for line in run[:-1] if line.startswith((_BEGAN, _KNOWN))), run[-1]]
    records = _decoded(run)
    began = next(records, None)
    if not isinstance(began, Began) or began.boot != boot:
        return Past()
    return _replay(records)


def _over(lines: list[bytes]) -> bool:
    return any(isinstance(record, Ended) and not record.handover for record in _decoded(lines))


def _replay(records: Iterable[Record]) -> Past:
    manifest: Manifest | None = None
    services: dict[str, Service] = {}
    wanted: tuple[str, ...] = ()
    states: dict[str, ServiceState] = {}
    for record in records:
        match record:
            case Known():
                manifest = record.manifest
                services, states = succeed(services, states, manifest)
            case Wanted():
                wanted = record.names
            case Standing():
                states, services = dict(record.states), {**record.retired, **(manifest.services if manifest else {})}
            case Happened():
                _happen(services, states, record)
            case Ended() if not record.handover:
                return Past(manifest=manifest)
            case _:
                continue
    known = manifest.services if manifest else {}
    return Past(
        manifest=manifest,
        wanted=wanted,
        states={name: _interrupted(state) for name, state in states.items()},
        retired={name: service for name, service in services.items() if name not in known},
    )


def _happen(services: dict[str, Service], states: dict[str, ServiceState], record: Happened) -> None:
    name = record.event.service
    service = services.get(name)
    if service is None:
        return
    before = states.get(name) or ServiceState(name=name)
    try:
        states[name] = step(service, before, record.event, record.now)
    except IllegalEvent:
        return


def _interrupted(state: ServiceState) -> ServiceState:
    """A setup that was running when its supervisor died did not finish."""
    if state.setup is not Setup.RUNNING:
        return state
    return msgspec.structs.replace(state, setup=Setup.NEEDED, setup_again=False)
