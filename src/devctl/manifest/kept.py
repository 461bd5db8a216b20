"""The last checked manifest, kept beside the workspace's state: reading and checking it anew costs a fifth of a second.

It counts only while everything it was made of is the same: the file, every variable it refers to, its services'
env_files and the program that read it. A manifest with mistakes is never kept. What somebody wrote into the file, a
password perhaps, can be read here only together with that file.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from devctl import __version__
from devctl.core import model
from devctl.core.digest import maker
from devctl.core.model import Manifest, Value
from devctl.workspace import write_atomic

NAME = "manifest.json"
LARGEST = 5_000_000
"""Bytes; larger files are read anew each time."""
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_NOT_THERE = b"-"
_MARK = b"\xef\xbb\xbf"


class Kept(Value):
    """``made_of`` is the digest of the file and the program, ``values`` of the variables ``names``, ``files`` of the
    services' env_files and of what these refer to; ``manifest`` is veiled by what the file says."""

    made_of: str
    names: tuple[str, ...]
    values: str
    files: str
    manifest: bytes


def find(file: Path, environment: Mapping[str, str]) -> Manifest | None:
    """The manifest that reading ``file`` (an absolute path) would give, None when that is not certain."""
    content = _content(file)
    if content is None:
        return None
    text = content.removeprefix(_MARK)
    try:
        kept = msgspec.json.decode(_place(file).read_bytes(), type=Kept)
        if kept.made_of != _made_of(file, text) or kept.values != _values(kept.names, environment):
            return None
        manifest = msgspec.json.decode(_veiled(kept.manifest, text), type=Manifest)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return manifest if kept.files == _env_files(manifest, environment) else None


def _veiled(data: bytes, text: bytes) -> bytes:
    """Made unreadable without ``text``, or readable again with it."""
    stream = maker("shake_256")(text).digest(len(data))
    return (int.from_bytes(data) ^ int.from_bytes(stream)).to_bytes(len(data))


def keep(file: Path, text: str, environment: Mapping[str, str], manifest: Manifest) -> None:
    """Remember what ``text``, read from ``file``, came to. Only where there is a state folder already."""
    names = tuple(sorted({*manifest.variables, "HOME"}))
    place, content = _place(file), text.encode()
    try:
        if not place.parent.is_dir():
            return
        kept = Kept(
            made_of=_made_of(file, content),
            names=names,
            values=_values(names, environment),
            files=_env_files(manifest, environment),
            manifest=_veiled(msgspec.json.encode(manifest), content),
        )
        write_atomic(place, msgspec.json.encode(kept))
    except (OSError, UnicodeEncodeError):
        return


def _place(file: Path) -> Path:
    return file.parent / ".devctl" / NAME


def _content(file: str | Path) -> bytes | None:
    """A regular file of a sensible size, None for anything else."""
    try:
        facts = os.stat(file)  # noqa: PTH116 - a path as it was said
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST:
            return None
        with open(file, "rb") as stream:  # noqa: PTH123 - as above
            return stream.read(LARGEST + 1)
    except (OSError, ValueError):
        return None


def _digest(parts: Iterable[bytes]) -> str:
    found = maker("blake2b")(digest_size=16)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return str(found.hexdigest())


def _made_of(file: Path, content: bytes) -> str:
    return _digest([os.fsencode(file), content, *_program()])


def _program() -> list[bytes]:
    """What reads manifests: this Python, this version, and while it is being worked on, the code as it is now."""
    here = Path(__file__).parent
    sources = [str(model.__file__), *sorted(str(each) for each in here.iterdir() if each.suffix == ".py")]
    facts = [(name, os.stat(name)) for name in sources]  # noqa: PTH116 - thirty of them
    stamps = [f"{name} {each.st_mtime_ns} {each.st_size}".encode() for name, each in facts]
    return [__version__.encode(), sys.version.encode(), *stamps]


def _values(names: Iterable[str], environment: Mapping[str, str]) -> str:
    """A variable that is empty is another one than a variable that is not there."""
    return _digest(part for name in names for part in (name.encode(), _value(environment.get(name))))


def _value(value: str | None) -> bytes:
    return _NOT_THERE if value is None else b"=" + os.fsencode(value)


def _env_files(manifest: Manifest, environment: Mapping[str, str]) -> str:
    """Their contents, and the variables they may refer to: every word in them counts as one."""
    specs = [spec for each in manifest.services.values() for spec in (each.process, each.native) if spec]
    paths = sorted({path for spec in specs for path in spec.env_file})
    parts: list[bytes] = []
    for path in paths:
        content = _content(path)
        parts += [os.fsencode(path), _NOT_THERE if content is None else b"=" + content]
        words = {*_WORD.findall(content or b""), *_WORD.findall((content or b"").replace(b"\\", b""))}
        parts.append(_values(sorted(word.decode() for word in words), environment).encode())
    return _digest(parts)
