"""Whether the environment that a service would be deployed with is fit for it. Pure: values come in, words go out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import msgspec

from devctl.safety.secrets import Secret, kind_of, weakness

LENIENT = frozenset({"development", "dev", "local", "test", "ci"})
"""Environments in which nothing demands TLS, images or a release branch."""

_UNFILLED = re.compile(r"\$\{[^}]*\}|\{\{.*\}\}|<[A-Za-z][^>]*>")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s]+")
_URL_NAME = re.compile(r"(^|_)(URL|URI|DSN|ENDPOINT|ORIGIN)$")
_PORT_NAME = re.compile(r"(^|_)PORT$")
_MAIL_NAME = re.compile(r"(^|_)(EMAIL|MAIL_FROM|MAIL)$")
_FLAG_NAME = re.compile(r"(^|_)(DEBUG|ENABLED|DISABLED)$")
_FLAGS = frozenset({"0", "1", "true", "false", "yes", "no", "on", "off"})


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a variable, never with its value: ``SECRET_KEY is not set``."""

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name} {self.what}"


def is_strict(environment: str) -> bool:
    """Whether this environment is one that outsiders reach."""
    return environment.lower() not in LENIENT


def required(
    names: Iterable[str],
    values: Mapping[str, str],
    forbidden: Mapping[str, Collection[str]],
    development: Mapping[str, Collection[str]],
) -> list[Problem]:
    """What is wrong with the variables that must be there.

    ``forbidden``: values that may not go to production, by variable. ``development``: the values each variable has on
    developers' machines; a secret or an address may be none of them.
    """
    found = []
    for name in dict.fromkeys([*names, *forbidden]):
        value = values.get(name, "")
        what = _of_required(name, value, forbidden.get(name, ()), development.get(name, ()), name in set(names))
        if what:
            found.append(Problem(name, what))
    return found


def _of_required(
    name: str, value: str, forbidden: Collection[str], development: Collection[str], must_be_set: bool
) -> str:
    if not value.strip():
        return "is not set" if must_be_set else ""
    if value.strip().lower() in {each.strip().lower() for each in forbidden}:
        return "has a value that the manifest forbids"
    if malformed := form(name, value):
        return malformed
    if value in development and (kind_of(name) or "://" in value):
        return "has the value it has in development"
    return ""


def form(name: str, value: str) -> str:
    """What is wrong with the form of a value, judged by the variable's name; "" when nothing is."""
    upper = name.upper()
    if value != value.strip():
        return "begins or ends with blanks"
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return "has its quotes as part of the value"
    if _UNFILLED.search(value) and "://" not in value[:12]:
        return "holds a placeholder that nobody filled in"
    if "\n" in value and not value.startswith("-----BEGIN "):
        return "has more than one line"
    if _URL_NAME.search(upper) and not _URL.fullmatch(value):
        return "is no URL"
    if "://" in value and re.search(r"\$\{|\{\{|<[A-Za-z]", value):
        return "holds a placeholder that nobody filled in"
    if _PORT_NAME.search(upper) and not (value.isdigit() and 0 < int(value) < 65536):
        return "is no port"
    if _MAIL_NAME.search(upper) and not re.search(r"[^@\s]+@[^@\s]+", value):
        return "is no e-mail address"
    if _FLAG_NAME.search(upper) and value.lower() not in _FLAGS:
        return "is neither true nor false"
    return ""


def weak(secrets: Iterable[Secret], words: Iterable[str] = ()) -> list[Problem]:
    """The secrets that are not fit for production."""
    known = list(words)
    return [Problem(each.label, what) for each in secrets if (what := weakness(each, known))]


class Address(msgspec.Struct, frozen=True):
    """Where a variable's URL leads, without what is secret in it. ``options`` are its query's, in lower case."""

    label: str
    scheme: str
    host: str
    local: bool
    options: Mapping[str, str] = {}
    password: bool = False
    user: str = ""


_POSTGRES_TLS = frozenset({"require", "verify-ca", "verify-full"})
_TRUE = frozenset({"true", "1", "yes", "on", "required", "require", "verify_ca", "verify_identity"})


def unprotected(addresses: Iterable[Address]) -> list[Problem]:
    """The addresses elsewhere that would be spoken to in the clear. On this machine nothing demands TLS."""
    return [Problem(each.label, what) for each in addresses if not each.local and (what := _in_the_clear(each))]


def _in_the_clear(address: Address) -> str:
    base = address.scheme.partition("+")[0]
    options = address.options
    if base in {"postgresql", "postgres"}:
        if options.get("sslmode") in _POSTGRES_TLS or options.get("ssl", "") in _POSTGRES_TLS | _TRUE:
            return ""
        return f"does not demand TLS from {address.host}: it needs sslmode=verify-full or sslmode=require"
    if base in {"mysql", "mariadb"}:
        safe = any(options.get(name, "").lower() in _TRUE for name in ("ssl", "tls", "ssl_mode", "ssl-mode"))
        return "" if safe or "ssl_ca" in options else f"does not demand TLS from {address.host}: it needs ssl_ca=FILE"
    if base in {"redis", "valkey"}:
        return f"does not demand TLS from {address.host}: it needs rediss://"
    if base in {"http", "ws", "amqp", "mqtt", "ldap", "smtp", "ftp"}:
        return f"speaks {base} to {address.host}, in the clear"
    return ""


def open_doors(addresses: Iterable[Address]) -> list[Problem]:
    """Stores elsewhere that are addressed without a password."""
    stores = {"postgresql", "postgres", "mysql", "mariadb", "redis", "rediss", "valkey", "valkeys", "mongodb"}
    return [
        Problem(each.label, f"has no password for {each.host}")
        for each in addresses
        if not each.local
        and each.scheme.partition("+")[0] in stores
        and not each.password
        and not {"passfile", "sslcert", "service"} & set(each.options)
    ]
