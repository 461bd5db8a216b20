"""Files of ``NAME=value`` lines, as Compose reads them
(https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from devctl.errors import DevctlError, Exit
from devctl.manifest.interpolate import TemplateError, fill

LARGEST_FILE = 1_000_000
LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)
        (?:[ \t]*[=:][ \t]*
          (?: '(?P<single>(?:\\'|[^'])*)'(?P<rest1>[^\n]*)
            | "(?P<double>(?:\\.|[^"\\])*)"(?P<rest2>[^\n]*)
            | (?P<bare>[^\n]*) ) )?$""",
    re.VERBOSE | re.MULTILINE,
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def parse(text: str, environment: Mapping[str, str], shown: str = ".env") -> dict[str, str]:
    """The variables of a file. ``${VAR}`` is filled in, except in single quotes, from ``environment`` and from the
    lines above; a name without ``=`` takes its value from ``environment`` or is left out. DevctlError (exit 2)
    names the first line that can't be read."""
    found: dict[str, str] = {}
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    at = 0
    while at < len(text):
        end = text.find("\n", at) % (len(text) + 1)
        if (line := text[at:end].strip()) and not line.startswith("#"):
            match = LINE.match(text, at)
            if not match or (match["rest1"] or match["rest2"] or "").split("#")[0].strip():
                raise _error(text, at, shown, "the line is no NAME=value")
            if (match["bare"] or "").startswith(("'", '"')):
                raise _error(text, at, shown, "a quote is not closed")
            _take(match, found, environment, text, shown)
            end = match.end()
        at = end + 1
    return found


def _take(match: re.Match[str], found: dict[str, str], environment: Mapping[str, str], text: str, shown: str) -> None:
    name = match["name"]
    try:
        value = _value(match, {**found, **environment})
    except TemplateError as error:
        raise _error(text, match.start(), shown, error.message) from error
    if value is None:
        value = environment.get(name)
    if value is not None:
        found[name] = value


def _value(match: re.Match[str], known: Mapping[str, str]) -> str | None:
    if match["single"] is not None:
        return match["single"].replace("\\'", "'")
    if match["double"] is not None:
        return fill(re.sub(r"\\(.)", _escape, match["double"]), known)
    if match["bare"] is not None:
        return fill(re.sub(r"(^|[ \t])#.*", "", match["bare"]).strip(), known)
    return None


def _escape(match: re.Match[str]) -> str:
    return "$$" if match[1] == "$" else ESCAPES.get(match[1], match[0])


def _error(text: str, at: int, shown: str, what: str) -> DevctlError:
    line = text.count("\n", 0, at) + 1
    return DevctlError(what, f"{shown}:{line}", code=Exit.USAGE)


def read_all(paths: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of several files, later ones winning. DevctlError (exit 2) when one can't be read."""
    found: dict[str, str] = {}
    for path in paths:
        found |= read(Path(path), environment)
    return found


def read(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the file at ``path``; DevctlError (exit 2) when it can't be read."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise DevctlError("the file of variables is larger than 1 MB", str(path), code=Exit.USAGE)
        return parse(content.decode("utf-8"), environment, str(path))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = "create it, or correct env_file"
        raise DevctlError("the file of variables can't be read", str(path), why, hint, Exit.USAGE) from error
    except UnicodeDecodeError as error:
        raise DevctlError("the file of variables is not UTF-8", str(path), code=Exit.USAGE) from error
