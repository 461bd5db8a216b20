"""Everything that is wrong with a manifest, at once: where it stands, which key, what is wrong, what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from devctl.errors import DevctlError, Exit

KeyPath = tuple[str | int, ...]
MOST_SHOWN = 100


class Diagnostic(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong. ``line`` and ``column`` count from 1; ``key`` is the key's path as people write it."""

    line: int
    column: int
    key: str
    message: str
    hint: str = ""

    def text(self) -> str:
        """Key, message and hint in one line, without the place."""
        said = f"{self.key}: {self.message}" if self.key else self.message
        return f"{said}; {self.hint}" if self.hint else said


class ManifestError(DevctlError):
    """A manifest with mistakes: exit code 2. ``diagnostics`` holds each of them, sorted by place."""

    diagnostics: tuple[Diagnostic, ...] = ()


def failure(file: str, diagnostics: Iterable[Diagnostic]) -> ManifestError:
    """The error that tells them all; ``file`` is the manifest as the user would type it."""
    found = tuple(sorted(set(diagnostics)))
    error = _one(file, found[0]) if len(found) == 1 else _several(file, found)
    error.diagnostics = found
    return error


def _one(file: str, only: Diagnostic) -> ManifestError:
    what = f"{only.key}: {only.message}" if only.key else only.message
    return ManifestError(what, f"{file}:{only.line}:{only.column}", hint=only.hint, code=Exit.USAGE)


def _several(file: str, found: Sequence[Diagnostic]) -> ManifestError:
    lines = [f"{file}:{each.line}:{each.column}: {each.text()}" for each in found[:MOST_SHOWN]]
    if len(found) > MOST_SHOWN:
        lines.append(f"and {len(found) - MOST_SHOWN} more")
    return ManifestError(f"{len(found)} mistakes in the manifest", file, code=Exit.USAGE, details=tuple(lines))


def key_text(path: Sequence[str | int]) -> str:
    """``('services', 'a', 'ports', 0)`` → ``services.a.ports[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean X?``, or "" when nothing known is like it."""
    from difflib import get_close_matches

    by_plain = {_plain(name): name for name in known}
    close = get_close_matches(_plain(word), by_plain, n=1, cutoff=0.6)
    return f"did you mean {by_plain[close[0]]}?" if close else ""


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


def listing(names: Iterable[str]) -> str:
    """``a, b and c``; only the first twelve are named."""
    shown = list(names)
    if len(shown) > 12:
        return f"{', '.join(shown[:12])} and {len(shown) - 12} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), *shown[-1:]) if part)
