"""What images are built from, remembered in ``.devctl/images.json``: Compose's hash doesn't know the context."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from devctl.runtimes.compose_config import Build
from devctl.runtimes.dockerignore import Ignore, Matches
from devctl.runtimes.policy import FileFact, Sources
from devctl.workspace import write_atomic

KEPT = 4
"""Images remembered of each service: going back to an earlier one costs no build."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a file's times are trusted: coarse clocks give two writes the same one."""
DOCKERFILE = "Dockerfile"

Memory = dict[str, dict[str, Sources]]


def sources_of(build: Build, known: Sources | None = None, own: str = "") -> Sources:
    """All that the image would be built from now. Contents are read only of files whose size or times differ from
    ``known``. ``own`` is the folder of devctl's own state, which is no source even where nothing ignores it."""
    earlier = known.files if known else {}
    text = _ignore_text(build)
    files: dict[str, FileFact] = {}
    for label, folder in {"": build.context, **build.contexts}.items():
        ignore = Ignore(text if not label else _read(Path(folder) / ".dockerignore"))
        for path, entry in walk(folder, ignore, own):
            name = f"{label}:{path}" if label else path
            if fact := _fact(entry, earlier.get(name)):
                files[name] = fact
    dockerfile = _read(Path(build.dockerfile)) if build.dockerfile else ""
    return Sources(files, hashlib.sha256(dockerfile.encode()).hexdigest(), build.settings)


def changed_last(build: Build, sources: Sources) -> tuple[str, float]:
    """The file changed last, the Dockerfile included, and when, in seconds since the epoch."""
    newest = sources.newest()
    try:
        moment = Path(build.dockerfile).stat().st_mtime if build.dockerfile else 0.0
    except OSError:
        return newest
    return (DOCKERFILE, moment) if moment > newest[1] else newest


def walk(
    folder: str, ignore: Ignore, own: str = "", prefix: str = "", above: Matches = ()
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What reaches the builder of a folder: (path relative to it, entry), folders that are themselves kept included."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = prefix + entry.name
        if entry.path == own:
            continue
        excluded, matches = ignore.look(path, above)
        if not excluded:
            yield path, entry
        if entry.is_dir(follow_symlinks=False) and (not excluded or ignore.keeps_below(path)):
            yield from walk(entry.path, ignore, own, path + "/", matches)


def _fact(entry: os.DirEntry[str], known: FileFact | None) -> FileFact | None:
    """None for what a build doesn't carry over, and for a file that vanished meanwhile."""
    try:
        facts = entry.stat(follow_symlinks=False)
        kind, mode = stat.S_IFMT(facts.st_mode), stat.S_IMODE(facts.st_mode)
        if kind == stat.S_IFDIR:
            return FileFact(mode, 0, facts.st_mtime_ns, 0, "")
        if kind == stat.S_IFLNK:
            return FileFact(0, 0, facts.st_mtime_ns, 0, str(Path(entry.path).readlink()))
        if kind != stat.S_IFREG:
            return None
        same = known and (known.size, known.modified, known.changed) == (
            facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns,
        )  # fmt: skip
        digest = known.digest if known and same else _content(entry.path)
    except OSError:
        return None
    settled = time.time_ns() - max(facts.st_mtime_ns, facts.st_ctime_ns) > SETTLED
    return FileFact(mode, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns if settled else 0, digest)


def _content(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ignore_text(build: Build) -> str:
    """The Dockerfile's own ignore file wins over the context's."""
    own = Path(build.dockerfile + ".dockerignore") if build.dockerfile else None
    if own and own.exists():
        return _read(own)
    return _read(Path(build.context) / ".dockerignore") if build.context else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


class ImageMemory:
    """Which image was built from which sources, by compose service and image id."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "images.json"
        self._memory: Memory | None = None

    def recall(self, service: str, image: str) -> Sources | None:
        """What that image was built from, None when nobody remembers."""
        return self._read().get(service, {}).get(image)

    def latest(self, service: str) -> Sources | None:
        """The sources seen last, whose file digests spare reading files again."""
        return next(reversed(self._read().get(service, {}).values()), None)

    def remember(self, service: str, image: str, sources: Sources) -> None:
        """Keep it; the oldest of a service are forgotten."""
        memory = self._read()
        images = {key: value for key, value in memory.get(service, {}).items() if key != image}
        if memory.get(service, {}).get(image) == sources:
            return
        kept = [*images.items(), (image, sources)][-KEPT:]
        memory[service] = dict(kept)
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._file, msgspec.json.encode(memory))

    def _read(self) -> Memory:
        if self._memory is None:
            try:
                self._memory = msgspec.json.decode(self._file.read_bytes(), type=Memory)
            except (OSError, msgspec.DecodeError):
                self._memory = {}
        return self._memory
