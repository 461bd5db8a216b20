"""How single values of the manifest are read: from the text that was written to what it means, or a reason why not."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

from devctl.manifest.diagnostics import did_you_mean, listing
from devctl.manifest.nodes import typed

LONGEST = 7 * 86400
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
BYTES = {"": 1, "b": 1}
BYTES |= {f"{unit}b": 1000**power for power, unit in enumerate("kmg", 1)}
BYTES |= {f"{unit}ib": 1024**power for power, unit in enumerate("kmg", 1)}
SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]*)", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Wrong(ValueError):
    """What a reader raises: the message and what would be right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def text(value: Any) -> str:
    """A text that isn't empty."""
    if not isinstance(value, str):
        raise Wrong(f"must be text, not {kind(value)}")
    if not value.strip():
        raise Wrong("is empty")
    if "\0" in value:
        raise Wrong("holds a NUL character")
    return str(value)


def kind(value: Any) -> str:
    """What a person calls the value."""
    if value is None:
        return "empty"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else f"“{value}”"


def texts(value: Any) -> tuple[str, ...]:
    """One text, or a list of them."""
    return tuple(text(each) for each in (value if isinstance(value, list) else [value]))


def command(value: Any) -> str | tuple[str, ...]:
    """A string for the shell, or a list that is run as it is."""
    if not isinstance(value, list):
        return text(value)
    if not value:
        raise Wrong("is an empty list", "name the program first: [npm, run, dev]")
    words = [str(each) if isinstance(each, str) else text(each) for each in value]
    return (text(words[0]), *words[1:])


def duration(value: Any) -> float:
    """Seconds from ``500ms``, ``5s``, ``1m30s``."""
    said = text(value)
    parts = DURATION.findall(said)
    if not parts or "".join(number + unit for number, unit in parts) != said:
        hint = f"write {said}s for seconds" if re.fullmatch(r"[0-9.]+", said) else "write 500ms, 5s or 1m30s"
        raise Wrong(f"“{said}” is no duration", hint)
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    if seconds > LONGEST:
        raise Wrong(f"“{said}” is longer than a week")
    return seconds


def span(value: Any) -> float:
    """A duration above zero."""
    seconds = duration(value)
    if seconds <= 0:
        raise Wrong("must be longer than 0s")
    return seconds


def size(value: Any) -> int:
    """Bytes from ``10MB`` (a million), ``10MiB`` (1024²) or a plain number."""
    said = text(value)
    match = SIZE.fullmatch(said)
    if not match or match[2].lower() not in BYTES or len(said) > 30:
        raise Wrong(f"“{said}” is no size", "write 500KB, 10MB or 1GB (or KiB, MiB, GiB)")
    return int(float(match[1]) * BYTES[match[2].lower()])


def count(value: Any, least: int = 0) -> int:
    """A whole number."""
    said = text(value)
    if not re.fullmatch(r"[0-9]{1,9}", said) or int(said) < least:
        raise Wrong(f"“{said}” is no whole number from {least} on")
    return int(said)


def positive(value: Any) -> int:
    """A whole number from 1 on."""
    return count(value, 1)


def flag(value: Any) -> bool:
    """True, for the keys that only say so."""
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise Wrong(f"must be true, not {kind(value)}")


def port(value: Any) -> int:
    """A TCP port of this machine."""
    said = text(value)
    if re.fullmatch(r"[0-9.]*:?[0-9]+:[0-9]+", said):
        host = said.split(":")[-2]
        raise Wrong(f"“{said}” is no port", f"only the port of this machine is named here: {host}")
    if not re.fullmatch(r"[0-9]{1,5}", said) or not 0 < int(said) < 65536:
        raise Wrong(f"“{said}” is no port", "write a number from 1 to 65535")
    return int(said)


def ports(value: Any) -> tuple[tuple[int, str], ...]:
    """(number, name) from one port, a list of ports, or a mapping of names to ports."""
    if not isinstance(value, dict):
        return tuple((port(each), "") for each in (value if isinstance(value, list) else [value]))
    for name in value:
        if not NAME.fullmatch(name):
            raise Wrong(f"“{name}” is no name for a port", "use letters, digits, - and _")
    return tuple((port(number), name) for name, number in value.items())


def stop_signal(value: Any) -> str:
    """``SIGTERM`` from ``SIGTERM``, ``TERM``, ``sigterm`` or ``15``."""
    said = text(value)
    known = signal.Signals.__members__
    if said.isdecimal() and len(said) < 4 and int(said) in set(known.values()):
        return signal.Signals(int(said)).name
    name = said.upper() if said.upper().startswith("SIG") else f"SIG{said.upper()}"
    if name not in known or name in {"SIGSTOP", "SIGCONT"}:
        hint = did_you_mean(name, {"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2"})
        raise Wrong(f"“{said}” is no signal that stops a process", hint or "write SIGTERM or SIGINT")
    return name


def statuses(value: Any) -> tuple[tuple[int, int], ...]:
    """Ranges from ``200``, ``200-399``, ``200-299,401`` or a list of these."""
    said = [part for each in texts(value) for part in each.split(",")]
    return tuple(_status_range(each.strip()) for each in said)


def _status_range(said: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?", said)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise Wrong(f"“{said}” is no range of HTTP statuses", "write 200, 200-399 or [200, 401]")
    return int(match[1]), int(match[2] or match[1])


def pattern(value: Any) -> str:
    """A regular expression."""
    said = text(value)
    try:
        re.compile(said)
    except (re.error, OverflowError, RecursionError) as error:
        raise Wrong(f"is no regular expression: {error}") from error
    return said


def project_name(value: Any) -> str:
    """The name of the workspace or of a Compose project."""
    said = text(value)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", said) or len(said) > 63:
        better = re.sub(r"[^a-z0-9_-]+", "-", said.lower()).strip("-_")[:63]
        raise Wrong(
            f"“{said}” is no name",
            "use up to 63 lower-case letters, digits, - and _" + (f": {better}" if better else ""),
        )
    return said


def variable_names(value: Any) -> tuple[str, ...]:
    """Names of environment variables."""
    names = texts(value)
    for name in names:
        if not VARIABLE_NAME.fullmatch(name):
            raise Wrong(f"“{name}” is no name of a variable", "use letters, digits and _")
    return names


def variable_name(value: Any) -> str:
    """The name of an environment variable."""
    return variable_names(value)[0]


def variable_value(value: Any) -> str | None:
    """The value of an environment variable; None: it is inherited."""
    if value is not None and (not isinstance(value, str) or "\0" in value):
        raise Wrong(f"must be text, not {kind(value)}")
    return None if value is None else str(value)


def assignments(value: Any) -> Any:
    """A mapping from a list of ``NAME=value``."""
    if isinstance(value, list):
        return dict(_assignment(each) for each in value)
    if not isinstance(value, dict):
        raise Wrong("must be a mapping of names to values, or a list of NAME=value")
    return value


def _assignment(value: Any) -> tuple[str, str | None]:
    name, equals, assigned = text(value).partition("=")
    return name, assigned if equals else None


def names(value: Any) -> tuple[str, ...]:
    """Plain names (profiles)."""
    found = texts(value)
    for name in found:
        if not NAME.fullmatch(name):
            raise Wrong(f"“{name}” is no name", "use letters, digits, - and _")
    return found


def globs(value: Any) -> tuple[str, ...]:
    """Patterns below a folder; they may not lead out of it."""
    found = texts(value)
    for each in found:
        if each.startswith(("/", "~")) or ".." in each.split("/"):
            raise Wrong(f"“{each}” leads out of the folder", "patterns are relative to it")
    return found


def free(value: Any) -> Any:
    """Any JSON value."""
    return typed(value)


def choices(known: tuple[str, ...]) -> Callable[[Any], str]:
    """One word out of ``known``."""

    def parse(value: Any) -> str:
        said = text(value)
        if said not in known:
            raise Wrong(f"“{said}” is not known here", did_you_mean(said, known) or f"one of {listing(known)}")
        return said

    return parse


def choice_list(known: tuple[str, ...]) -> Callable[[Any], tuple[str, ...]]:
    """Words out of ``known``."""
    parse = choices(known)
    return lambda value: tuple(parse(each) for each in (value if isinstance(value, list) else [value]))
