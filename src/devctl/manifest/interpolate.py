"""``${VAR}`` in the manifest's values. Pure: the environment comes in, nothing else is looked at.

The forms are Compose's (https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md):
``${VAR}``, ``${VAR:-default}``, ``${VAR-default}``, ``${VAR:?message}``, ``${VAR?message}``, ``${VAR:+other}``,
``${VAR+other}`` and ``$$`` for a dollar sign; the word after the operator may hold further ``${…}``. Beside them stand
values of other services: ``${services.NAME.url}``, ``.host``, ``.port``, ``.ports.NAME``. ``$VAR`` without braces is
left as it is: in a command the shell fills it in, elsewhere it is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

DEEPEST = 20
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OPERATOR = re.compile(r":-|-|:\?|\?|:\+|\+")
SERVICE = re.compile(r"services\.([A-Za-z0-9_-]+)\.(ports\.([A-Za-z0-9_-]+)|url|host|port)")


class TemplateError(ValueError):
    """A value that can't be filled in: ``message`` says what is wrong, ``hint`` what would be right."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class Variable(msgspec.Struct, frozen=True):
    """``${name<operator>word}``; ``operator`` is "" when there is none."""

    name: str
    operator: str = ""
    word: tuple[Part, ...] = ()


class Reference(msgspec.Struct, frozen=True):
    """``${services.service.value}``; ``value`` is url, host or port, ``port`` the name of a named port."""

    service: str
    value: str
    port: str = ""


class Bare(msgspec.Struct, frozen=True):
    """``$name``: the shell's, not ours."""

    name: str


Part = str | Variable | Reference | Bare
Lookup = Callable[[Reference], str]


class Result(msgspec.Struct, frozen=True):
    """``value`` is of use only when there are no ``problems``."""

    value: str
    problems: tuple[TemplateError, ...] = ()


def no_services(reference: Reference) -> str:
    """The lookup where no service may be referred to."""
    raise TemplateError(f"services.{reference.service} can't be referred to here")


def parse(text: str) -> tuple[Part, ...]:
    """The parts of a template; TemplateError when it is malformed."""
    return _parts(text, 0, 0)[0]


def _parts(text: str, at: int, depth: int) -> tuple[tuple[Part, ...], int]:
    """Parts from ``at`` to the end of the text or, inside braces (``depth`` > 0), to the closing one."""
    if depth > DEEPEST:
        raise TemplateError(f"${{…}} is nested more than {DEEPEST} levels deep")
    parts: list[Part] = []
    while at < len(text) and not (depth and text[at] == "}"):
        part, at = _part(text, at, depth)
        parts.append(part)
    return _joined(parts), at


def _part(text: str, at: int, depth: int) -> tuple[Part, int]:
    if text[at] != "$":
        stop = next((i for i in range(at, len(text)) if text[i] == "$" or (depth and text[i] == "}")), len(text))
        return text[at:stop], stop
    if text.startswith("$$", at):
        return "$", at + 2
    if text.startswith("${", at):
        return _braced(text, at, depth)
    name = VARIABLE.match(text, at + 1)
    return (Bare(name[0]), name.end()) if name else ("$", at + 1)


def _braced(text: str, at: int, depth: int) -> tuple[Part, int]:
    inner = at + 2
    if service := SERVICE.match(text, inner):
        return _closed(text, at, service.end(), _reference(service))
    if text.startswith("services.", inner):
        raise TemplateError(
            f"{_quoted(text, at)} is no value of a service", "values are .url, .host, .port and .ports.NAME"
        )
    name = VARIABLE.match(text, inner)
    if not name:
        raise TemplateError(f"{_quoted(text, at)} names no variable", "write $$ for a dollar sign")
    operator = OPERATOR.match(text, name.end())
    if not operator:
        return _closed(text, at, name.end(), Variable(name[0]))
    word, end = _parts(text, operator.end(), depth + 1)
    return _closed(text, at, end, Variable(name[0], operator[0], word))


def _reference(match: re.Match[str]) -> Reference:
    return Reference(match[1], "port" if match[3] else match[2], match[3] or "")


def _closed(text: str, at: int, end: int, part: Part) -> tuple[Part, int]:
    if text.startswith("}", end):
        return part, end + 1
    if end >= len(text):
        raise TemplateError(f"{_quoted(text, at)} is never closed", "add }, or write $$ for a dollar sign")
    raise TemplateError(
        f"{_quoted(text, at)} is no form that is known",
        "write ${VAR}, ${VAR:-default} or ${VAR:?message}, and $$ for a dollar sign",
    )


def _quoted(text: str, at: int) -> str:
    end = text.find("}", at) + 1 or len(text)
    return text[at:end] if end - at <= 60 else text[at : at + 60] + "…"


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    joined: list[Part] = []
    for part in parts:
        if joined and isinstance(part, str) and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)


def interpolate(
    text: str, environment: Mapping[str, str], services: Lookup = no_services, *, in_command: bool = False
) -> Result:
    """``text`` filled in, or all that is wrong with it. ``in_command``: ``$VAR`` is the shell's."""
    if "$" not in text:
        return Result(text)
    problems: list[TemplateError] = []
    try:
        value = _filled(parse(text), _Sources(environment, services, in_command), problems)
    except TemplateError as error:
        return Result(text, (error,))
    return Result(value, tuple(problems))


def fill(template: str, environment: Mapping[str, str]) -> str:
    """A template filled in when its service starts; TemplateError when a variable without a default is missing."""
    result = interpolate(template, environment, in_command=True)
    if result.problems:
        raise result.problems[0]
    return result.value


def fill_all(value: Any, environment: Mapping[str, str]) -> Any:
    """The same for every text inside lists and mappings."""
    if isinstance(value, str):
        return fill(value, environment)
    if isinstance(value, Mapping):
        return {key: fill_all(each, environment) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(fill_all(each, environment) for each in value)
    return value


class _Sources(msgspec.Struct, frozen=True):
    environment: Mapping[str, str]
    services: Lookup
    in_command: bool


def _filled(parts: tuple[Part, ...], sources: _Sources, problems: list[TemplateError]) -> str:
    text = []
    for part in parts:
        try:
            text.append(_value(part, sources, problems))
        except TemplateError as error:
            problems.append(error)
    return "".join(text)


def _value(part: Part, sources: _Sources, problems: list[TemplateError]) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Reference):
        return sources.services(part)
    if isinstance(part, Bare):
        if not sources.in_command:
            hint = f"write ${{{part.name}}} for the variable, $${part.name} for a dollar sign"
            raise TemplateError(f"${part.name} has no braces", hint)
        return f"${part.name}"
    return _variable(part, sources, problems)


def _variable(part: Variable, sources: _Sources, problems: list[TemplateError]) -> str:
    value = sources.environment.get(part.name)
    kind = part.operator[-1:]
    present = value is not None and (value != "" or not part.operator.startswith(":"))
    if kind == "+":
        return _filled(part.word, sources, problems) if present else ""
    if present:
        return value or ""
    if kind == "-":
        return _filled(part.word, sources, problems)
    if kind == "?":
        message = _filled(part.word, sources, problems)
        raise TemplateError(f"{part.name} is not set" + (f": {message}" if message else ""), f"set {part.name}")
    shell = f", or write $${{{part.name}}} to leave it to the shell" if sources.in_command else ""
    raise TemplateError(
        f"the variable {part.name} is not set",
        f"set it, or give it a default: ${{{part.name}:-default}}{shell}",
    )


def settle(text: str, services: Lookup) -> str:
    """The template with its service references filled in and its variables left for ``fill``.

    TemplateError when it is malformed or a reference leads nowhere.
    """
    return _rendered(parse(text), services) if "$" in text else text


def _rendered(parts: tuple[Part, ...], services: Lookup) -> str:
    return "".join(_source(part, services) for part in parts)


def _source(part: Part, services: Lookup) -> str:
    if isinstance(part, Variable):
        return f"${{{part.name}{part.operator}{_rendered(part.word, services)}}}"
    if isinstance(part, Bare):
        return f"$${part.name}"
    value = services(part) if isinstance(part, Reference) else part
    return value.replace("$", "$$")


def variables(text: str) -> tuple[str, ...]:
    """The names of all variables a template refers to, those in defaults too; () when it is malformed."""
    try:
        return tuple(dict.fromkeys(_names(parse(text)))) if "$" in text else ()
    except TemplateError:
        return ()


def _names(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Variable):
            yield part.name
            yield from _names(part.word)
