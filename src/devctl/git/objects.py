"""Contents out of git's store, many in one process and never more than a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from devctl.git.repository import Repository

AT_ONCE = 16_000_000
"""Bytes of content that are read by one git process."""


def sizes(repository: Repository, names: Iterable[str]) -> dict[str, int]:
    """The size in bytes of each name that is a blob (an object's id, or ``COMMIT:path``)."""
    asked = list(dict.fromkeys(names))
    if not asked:
        return {}
    lines = repository.do("cat-file", "--batch-check=%(objecttype) %(objectsize)", given=_lines(asked)).split(b"\n")
    found = (line.split(b" ") for line in lines)
    return {
        name: int(fields[1])
        for name, fields in zip(asked, found, strict=False)
        if len(fields) == 2 and fields[0] == b"blob"
    }


def contents(repository: Repository, known: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """The content of each object; ``known`` is what ``sizes`` said of them."""
    chunk: list[str] = []
    total = 0
    for name, size in known.items():
        if chunk and total + size > AT_ONCE:
            yield from _read(repository, chunk)
            chunk, total = [], 0
        chunk.append(name)
        total += size
    if chunk:
        yield from _read(repository, chunk)


def content(repository: Repository, name: str) -> bytes:
    """One content, empty when there is none."""
    return next((found for _, found in contents(repository, sizes(repository, [name]))), b"")


def _read(repository: Repository, names: list[str]) -> Iterator[tuple[str, bytes]]:
    out, at = repository.do("cat-file", "--batch=%(objectsize)", given=_lines(names)), 0
    for name in names:
        end = out.index(b"\n", at)
        size = int(out[at:end])
        yield name, out[end + 1 : end + 1 + size]
        at = end + 1 + size + 1


def _lines(names: Iterable[str]) -> bytes:
    """One a line. A name with a line break in it (a path may have one) would be two: it is asked for as nothing."""
    return b"".join((b"" if "\n" in name else name.encode("utf-8", "surrogateescape")) + b"\n" for name in names)
