"""Whether a password or key is fit for production. Pure, and no answer ever holds a part of the value."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

_SPLIT = re.compile(r"[\s_./:;,+@#!*=-]+")
_PLACEHOLDER = re.compile(
    r"<[^>]*>|\$\{.*\}|\{\{.*\}\}|%\(.*\)s|\[[^\]]*\]|x{4,}|\*{3,}|\.{3,}|_{3,}"
    r"|.*(change[-_ ]?(me|this|it)|replace[-_ ]?(me|this|with)|your[-_ ]|insert[-_ ]|put[-_ ]your|to[-_ ]?do\b"
    r"|fix[-_ ]?me|placeholder|example|dummy|sample|insecure|not[-_ ]?(so[-_ ]?)?secret).*",
    re.IGNORECASE | re.DOTALL,
)
_KNOWN = frozenset(
    """
    1q2w3e 1q2w3e4r 1qaz2wsx abc123 access admin administrator api app asdf asdfgh auth azerty backend bar baz baseball
    cache changeit changeme ci cookie data database db debug default demo dev devel developer development docker dragon
    flask foo foobar football fubar god guest hello hunter hunter2 iloveyou jwt key keyboard letmein local localhost
    login love manager master me minioadmin monkey mongo mysql my mypassword mysecret none null oracle pass passphrase
    passwd password phrase postgres postgresql princess prod production pw pwd qa qazwsx qwer qwerty qwertyuiop rabbitmq
    redis root sa secret secretkey server service session shadow sql sqlserver staging string sunshine super superman
    superuser supersecret sys sysadmin system temp test tester testing tmp token toor trustno1 user username valkey
    welcome whatever worker www zxcvbn zxcvbnm django
    """.split()  # noqa: SIM905 - a hundred words read better without quotes
)
_LEET = str.maketrans("013457@$!|", "oieastasil")
_RUNS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")


class Kind(StrEnum):
    """What a secret is for decides how long it has to be."""

    PASSWORD = "password"  # noqa: S105 - the kind's name
    TOKEN = "token"  # noqa: S105
    SIGNING = "key"


LEAST_LENGTH = {Kind.PASSWORD: 12, Kind.TOKEN: 16, Kind.SIGNING: 32}
LEAST_BITS = {Kind.PASSWORD: 30, Kind.TOKEN: 45, Kind.SIGNING: 80}
"""Bits by the frequencies of its characters: a random 32-digit hexadecimal key has about 112."""

_PUBLIC = re.compile(r"(^|_)(PUBLIC|PUB|PUBLISHABLE)(_|$)|_(ID|IDS|FILE|PATH|NAME|URL|URI|HEADER|ALGORITHM|TYPE|TTL)$")
_PASSWORDS = re.compile(r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|PASS|PWD)(_|$)|PASSWORD$")
_TOKENS = re.compile(r"(^|_)(TOKEN|APIKEY|API_KEY|ACCESS_KEY|AUTH_KEY|LICENSE_KEY|CREDENTIALS?)(_|$)|TOKEN$|APIKEY$")
_SIGNING = re.compile(r"(^|_)(SECRET|KEY|SALT|PEPPER|SIGNATURE)(_|$)|SECRET$|SECRETKEY$")
_FOLDERS = frozenset({"PWD", "OLDPWD"})
"""The shell's, not passwords."""
_LIFETIME = re.compile(r"(EXPIR|LIFETIME|MINUTES|SECONDS|HOURS|DAYS|LENGTH|ROUNDS|SIZE|COUNT|LIMIT)")


class Secret(msgspec.Struct, frozen=True):
    """A value nobody may see. ``label`` says where it stands: a variable, or the password in a variable's URL."""

    label: str
    value: str
    kind: Kind
    user: str = ""


def kind_of(name: str) -> Kind | None:
    """What kind of secret a variable of this name holds, None for none: SECRET_KEY, DB_PASSWORD, SERVICE_TOKEN."""
    upper = name.upper()
    if _PUBLIC.search(upper) or _LIFETIME.search(upper) or upper in _FOLDERS:
        return None
    for pattern, kind in ((_PASSWORDS, Kind.PASSWORD), (_TOKENS, Kind.TOKEN), (_SIGNING, Kind.SIGNING)):
        if pattern.search(upper):
            return kind
    return None


def user_of(name: str, environment: Mapping[str, str]) -> str:
    """The user a password variable goes with: ADMIN_USER for ADMIN_PASSWORD, or the ADMIN in its name."""
    stem = _PASSWORDS.sub("", name.upper()).strip("_")
    for suffix in ("_USER", "_USERNAME", "_LOGIN"):
        if found := environment.get(stem + suffix, ""):
            return found
    return stem.lower()


def weakness(secret: Secret, words: Iterable[str] = ()) -> str:
    """What is wrong with it, in words that don't give it away; "" when it is fit.

    ``words`` are this project's own: its name, its services, its databases. A value made of them is no secret.
    """
    value, kind = secret.value, secret.kind
    if value.startswith("-----BEGIN "):
        return "" if len(value) > 100 and "-----END " in value else "is a key cut short"
    if not value.strip():
        return "is empty"
    if value != value.strip():
        return "begins or ends with blanks"
    if _PLACEHOLDER.fullmatch(value):
        return "is a placeholder"
    return _known(secret, words) or _guessable(value, kind)


def _known(secret: Secret, words: Iterable[str]) -> str:
    value = secret.value
    if secret.user and _plain(value) == _plain(secret.user):
        return "is the name of its user"
    known = _KNOWN | {_plain(word) for word in words} | ({_plain(secret.user)} if secret.user else set())
    if _made_of(value, known):
        return "is a well-known default or made of such words"
    return ""


def _guessable(value: str, kind: Kind) -> str:
    if len(value) < LEAST_LENGTH[kind]:
        return f"is shorter than the {LEAST_LENGTH[kind]} characters that a {kind.value} needs"
    if repeats(value):
        return "repeats a short pattern"
    if _runs(value) > 0.6:
        return "follows the alphabet, the digits or the keyboard"
    if bits(value) < LEAST_BITS[kind]:
        return f"is easy to guess: too few different characters for a {kind.value}"
    return ""


def bits(value: str) -> float:
    """An upper estimate of its entropy, from how often each character occurs."""
    total = len(value)
    return -sum(n * math.log2(n / total) for n in Counter(value).values()) if total else 0.0


def _plain(text: str) -> str:
    """Without case, separators, disguises (p@ssw0rd) and what is hung on at the ends (admin123!)."""
    lowered = _SPLIT.sub("", text.lower())
    return lowered.strip("0123456789!?$%&").translate(_LEET) or lowered


def _made_of(value: str, known: frozenset[str] | set[str]) -> bool:
    lowered = value.lower()
    parts = [part for part in _SPLIT.split(lowered) if part]
    if not parts or _is_known(lowered, known) or _is_known(_SPLIT.sub("", lowered), known):
        return True
    return all(_is_known(part, known) or part.isdigit() for part in parts)


def _is_known(part: str, known: frozenset[str] | set[str]) -> bool:
    """A known word, or several run together: ``controlcoredev``."""
    return bool({part, _plain(part), part.translate(_LEET)} & known) or _run_together(_plain(part), known)


def _run_together(text: str, known: frozenset[str] | set[str]) -> bool:
    if not 6 <= len(text) <= 60:
        return False
    reached = {0}
    for end in range(3, len(text) + 1):
        if any(end - begin >= 3 and text[begin:end] in known for begin in reached):
            reached.add(end)
    return len(text) in reached


def repeats(value: str) -> bool:
    """Whether it is one short piece again and again: ``aaaa``, ``abcabcabc``."""
    return any(
        value == (value[:period] * (len(value) // period + 1))[: len(value)] for period in range(1, len(value) // 2 + 1)
    )


def _runs(value: str) -> float:
    """The share of neighbours that stand beside each other in the alphabet, among the digits or on the keyboard."""
    lowered = value.lower()
    pairs = [lowered[i : i + 2] for i in range(len(lowered) - 1)]
    steps = [pair for pair in pairs if pair[0] == pair[1] or any(pair in run or pair[::-1] in run for run in _RUNS)]
    return len(steps) / len(pairs) if pairs else 0.0


def redacted(text: str, values: Iterable[str]) -> str:
    """``text`` of another program's making with every one of these values blotted out, longest first."""
    for value in sorted({each for each in values if len(each) >= 3}, key=len, reverse=True):
        text = text.replace(value, "•••")
    return text
