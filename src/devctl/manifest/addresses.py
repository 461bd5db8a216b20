"""How addresses, names git takes and relations are read."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from devctl.core.model import Relation
from devctl.manifest.parsers import NAME, Wrong, text


def http_url(value: Any) -> str:
    """An absolute HTTP address."""
    said = text(value)
    try:
        parts = urlsplit(said)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", said):
        raise Wrong(f"“{said}” is no HTTP address", "write http://HOST:PORT/PATH")
    return said


def tcp_address(value: Any) -> tuple[str, int]:
    """(host, port) from ``localhost:5432``, ``tcp://localhost:5432``, ``[::1]:5432`` or a port of this machine."""
    said = text(value)
    try:
        parts = urlsplit(said if "://" in said else f"tcp://{said if ':' in said else f'localhost:{said}'}")
        address = (parts.hostname, parts.port) if parts.scheme == "tcp" and parts.path in {"", "/"} else (None, None)
    except ValueError:
        address = (None, None)
    host, number = address
    if not host or not number or re.search(r"\s", said):
        raise Wrong(f"“{said}” is no HOST:PORT", "write localhost:5432")
    return host, number


def relation_chain(value: Any) -> tuple[Relation, ...]:
    """The relations of ``a <-> b -> c``."""
    said = text(value)
    words = re.split(r"\s*(<->|->|<-)\s*", said.strip())
    services, arrows = words[::2], words[1::2]
    bad = next((name for name in services if not NAME.fullmatch(name)), None)
    if bad is not None or not arrows:
        raise Wrong(f"“{said}” is no relation", "write a <-> b, or a -> b, or a chain of these")
    return tuple(_relation(*each) for each in zip(services, arrows, services[1:], strict=False))


def _relation(left: str, arrow: str, right: str) -> Relation:
    source, target = (right, left) if arrow == "<-" else (left, right)
    return Relation(source, target, both=arrow == "<->")


def git_name(value: Any) -> str:
    """A branch or remote, by the rules of git check-ref-format that matter (and never an option)."""
    said = text(value)
    if said.startswith(("-", "/", ".")) or said.endswith(("/", ".", ".lock")):
        raise Wrong(f"“{said}” is no name git takes")
    if re.search(r"[\s~^:?*\[\\\x00-\x1f]|\.\.|@\{|//", said):
        raise Wrong(f"“{said}” is no name git takes")
    return said


def git_names(value: Any) -> tuple[str, ...]:
    """One name git takes, or a list of them."""
    return tuple(git_name(each) for each in (value if isinstance(value, list) else [value]))


def git_address(value: Any) -> str:
    """A remote's URL; "" when only its name is given."""
    said = "" if value is None else text(value)
    if said.startswith("-") or "::" in said.split("/")[0]:
        raise Wrong(f"“{said}” is no address of a remote")
    return said
