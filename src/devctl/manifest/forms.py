"""The forms a value may have: how it is read, and the piece of JSON Schema an editor checks it with.

``FORMS`` become definitions of the JSON Schema; a Form names its own with the placeholder key ``form``.
"""

from __future__ import annotations

from typing import Annotated, Any

from devctl.core.model import Relation
from devctl.manifest import addresses, parsers
from devctl.manifest.shapes import Form, Json, Short

TEMPLATE = r"\$\{"
TEXT: Json = {"type": "string"}


def _listed(item: Json) -> Json:
    return {"anyOf": [item, {"type": "array", "items": item}]}


def _number(least: int, most: int | None = None) -> Json:
    limits = {"minimum": least} | ({"maximum": most} if most else {})
    return {"anyOf": [{"type": "integer", **limits}, {"type": "string", "pattern": TEMPLATE}]}


def _described(description: str, schema: Json, *examples: Any) -> Json:
    return {"description": description, **schema, **({"examples": list(examples)} if examples else {})}


SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}
FORMS: dict[str, Json] = {
    "duration": _described(
        "A number with its unit, `ms`, `s`, `m` or `h`, or several of these.",
        {"type": "string", "pattern": rf"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$|{TEMPLATE}"},
        "500ms",
        "5s",
        "1m30s",
    ),
    "size": _described(
        "Bytes, or a number with its unit: `KB`, `MB`, `GB` (thousands) or `KiB`, `MiB`, `GiB` (1024).",
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]},
        "10MB",
    ),
    "count": _described("A whole number from 0 on.", _number(0)),
    "positive": _described("A whole number from 1 on.", _number(1)),
    "flag": _described(
        "`true`; left out otherwise.", {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": TEMPLATE}]}
    ),
    "port": _described("A TCP port, 1 to 65535.", _number(1, 65535), 8000),
    "ports": _described(
        "A port, a list of ports, or a mapping of names to ports.",
        {
            "anyOf": [
                {"form": "port"},
                {"type": "array", "items": {"form": "port"}},
                {"type": "object", "additionalProperties": {"form": "port"}},
            ]
        },
        [8000],
        {"http": 8000, "debug": 9229},
    ),
    "command": _described(
        "A string is run by the shell, a list is not.", _listed(TEXT), "npm run dev", ["npm", "run", "dev"]
    ),
    "texts": _described("One text, or a list.", _listed(TEXT)),
    "patterns": _described(
        "One path or pattern, or a list: `*` and `?` within a folder, `**` for any depth. Always below the folder.",
        _listed({"type": "string", "pattern": r"^[^/~]"}),
        ["**/dist"],
    ),
    "names": _described("One name, or a list; letters, digits, `-` and `_`.", _listed(TEXT)),
    "project": _described(
        "Up to 63 lower-case letters, digits, `-` and `_`.",
        {"type": "string", "pattern": rf"^[a-z0-9][a-z0-9_-]{{0,62}}$|{TEMPLATE}"},
    ),
    "signal": _described("The name or number of a signal.", {"type": ["string", "integer"]}, "SIGINT", "TERM"),
    "statuses": _described(
        "HTTP statuses: one, a range, or a list of these.",
        _listed({"type": ["integer", "string"], "pattern": rf"^[1-5][0-9, -]+$|{TEMPLATE}"}),
        200,
        "200-399",
        [200, 401],
    ),
    "regex": _described("A regular expression (Python's `re`); it is searched in every line.", TEXT, "ready in .* ms"),
    "address": _described(
        "`http://…`, `https://…` or `tcp://HOST:PORT`.",
        {"type": "string", "pattern": rf"^(https?|tcp)://|{TEMPLATE}"},
        "http://localhost:8000/health",
        "tcp://localhost:5432",
    ),
    "url": _described("`http://…` or `https://…`.", {"type": "string", "pattern": rf"^https?://|{TEMPLATE}"}),
    "host-port": _described(
        "`HOST:PORT`, or a port of this machine.", {"type": ["string", "integer"]}, "localhost:5432"
    ),
    "relation": _described(
        "Names with `<->` (both ways) or `->` (one way) between them.",
        {"type": "string", "pattern": "->|<-"},
        "web <-> api -> core",
    ),
    "git-name": _described("A name git takes.", TEXT),
    "git-names": _described("One name git takes, or a list.", _listed(TEXT)),
}


def one_of(*known: str) -> Form:
    """The form of a word out of ``known``."""
    return Form(parsers.choices(known), {"anyOf": [{"enum": list(known)}, {"type": "string", "pattern": TEMPLATE}]})


def some_of(*known: str) -> Form:
    """The form of a list of words out of ``known``."""
    return Form(parsers.choice_list(known), {"type": "array", "items": {"enum": list(known)}, "uniqueItems": True})


Strings = tuple[str, ...]
Word = Annotated[str, Form(parsers.text, TEXT)]
Words = Annotated[Strings, Form(parsers.texts, "texts")]
Patterns = Annotated[Strings, Form(parsers.globs, "patterns")]
Names = Annotated[Strings, Form(parsers.names, "names")]
Variables = Annotated[Strings, Form(parsers.variable_names, "names")]
Command = Annotated[str | Strings, Form(parsers.command, "command")]
Duration = Annotated[float, Form(parsers.duration, "duration")]
Span = Annotated[float, Form(parsers.span, "duration")]
Size = Annotated[int, Form(parsers.size, "size")]
Count = Annotated[int, Form(parsers.count, "count")]
Positive = Annotated[int, Form(parsers.positive, "positive")]
Flag = Annotated[bool, Form(parsers.flag, "flag")]
Ports = Annotated[tuple[tuple[int, str], ...], Form(parsers.ports, "ports")]
StopSignal = Annotated[str, Form(parsers.stop_signal, "signal")]
Statuses = Annotated[tuple[tuple[int, int], ...], Form(parsers.statuses, "statuses")]
HttpUrl = Annotated[str, Form(addresses.http_url, "url")]
TcpAddress = Annotated[tuple[str, int], Form(addresses.tcp_address, "host-port")]
Pattern = Annotated[str, Form(parsers.pattern, "regex")]
ProjectName = Annotated[str, Form(parsers.project_name, "project")]
VariableName = Annotated[str, Form(parsers.variable_name, TEXT)]
VariableValue = Annotated[str | None, Form(parsers.variable_value, SCALAR)]
Environment = Annotated[dict[VariableName, VariableValue], Short(parsers.assignments, {"type": "array", "items": TEXT})]
RelationChain = Annotated[tuple[Relation, ...], Form(addresses.relation_chain, "relation")]
GitName = Annotated[str, Form(addresses.git_name, "git-name")]
GitNames = Annotated[Strings, Form(addresses.git_names, "git-names")]
GitAddress = Annotated[str, Form(addresses.git_address, {"type": ["string", "null"]})]
Free = Annotated[Any, Form(parsers.free, {})]
