"""Keys and tokens in content, found by detect-secrets; what its rules miss is added as rules of the same kind.

Its keyword and entropy rules alone would refuse every `password: dev`; here a keyword counts only with a value that
looks random. Imported only where there is something to look at: it costs 250 ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters.allowlist import is_line_allowlisted
from detect_secrets.filters.heuristic import is_potential_uuid, is_sequential_string, is_templated_secret
from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString
from detect_secrets.plugins.keyword import KeywordDetector
from detect_secrets.util.code_snippet import get_code_snippet

LEFT_OUT = {
    "ArtifactoryDetector",  # takes APACHE… for a password
    "Base64HighEntropyString",  # hashes in every lock file
    "BasicAuthDetector",  # looked at below: only for hosts that are not this machine
    "HexHighEntropyString",
    "IPPublicDetector",
    "KeywordDetector",  # looked at below
    "TwilioKeyDetector",  # any AC or SK and a hash
}
MORE = {
    "GitHub Token": re.compile(r"github_pat_[A-Za-z0-9_]{22,}"),
    "Google API Key": re.compile(r"AIza[0-9A-Za-z_-]{35}"),
    "Anthropic API Key": re.compile(r"sk-ant-[A-Za-z0-9_-]{20,}"),
    "OpenAI Token": re.compile(r"sk-(?:proj|svcacct)-[A-Za-z0-9_-]{20,}"),
    "Slack Token": re.compile(r"xapp-\d-[A-Za-z0-9-]{20,}|xox[a-z]-[A-Za-z0-9-]{20,}"),
    "npm Token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    # pragma: allowlist nextline secret
    "Private Key": re.compile(r"BEGIN ENCRYPTED PRIVATE KEY|PuTTY-User-Key-File-3"),
    "Stripe Access Key": re.compile(r"\b(?:sk|rk)_(?:live|test)_[0-9a-zA-Z]{24,}"),
}
ADDRESS = re.compile(r"://[^/?#\[\]@\s:'\"<>]*:([^/?#\[\]@\s:'\"<>$]+)@([A-Za-z0-9.-]+\.[A-Za-z]{2,})")
"""A password for a host with a domain: localhost and a container's name are development."""
PLACEHOLDERS = re.compile(r"(?i)pass(?:word)?|secret|changeme|user|example|x+|\*+|\.+|<.*>|token|pw|pwd")
KEYWORD = re.compile(r"(?i)key|pass|pwd|secret|token|contrase")
LONGEST_LINE = 5_000
"""Characters of a line that the keyword rule looks at: beyond that it is no source text."""


class Found(NamedTuple):
    """A secret: its line, what it is (never its value), and the hash by which a baseline knows it."""

    line: int
    what: str
    digest: str


def find(name: str, content: bytes, known: frozenset[str] = frozenset()) -> Found | None:
    """The first secret in a file's content, None when there is none. ``known`` are hashes of a baseline."""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        text = content.decode("utf-16", errors="replace")
    else:
        text = content.decode("latin-1" if b"\0" in content[:8000] else "utf-8", errors="replace")
    return next((found for found in _all(name, text) if found.digest not in known), None)


def digests(name: str, content: bytes) -> frozenset[str]:
    """The hashes of all secrets in a file that others know already."""
    return frozenset(found.digest for found in _all(name, content.decode("utf-8", errors="replace")))


def baseline(content: bytes) -> frozenset[str]:
    """The hashes that a ``.secrets.baseline`` of detect-secrets lists: somebody looked at them."""
    import json

    try:
        results = json.loads(content)["results"]
        return frozenset(str(each["hashed_secret"]) for found in results.values() for each in found)
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()


def _all(name: str, text: str) -> Iterable[Found]:
    """Whole patterns first look at all of the text at once: line by line only where something is."""
    suspects = [rule for rule in _rules() if next(iter(rule.matches(text)), None)]
    keywords = "\0" not in text and KEYWORD.search(text) is not None and not _is_lock(name)
    if not suspects and not keywords:
        return
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        for what, value in _in_line(name, line, suspects, keywords=keywords):
            if not _allowed(name, lines, number):
                yield Found(number, what, _digest(value))


def _in_line(name: str, line: str, suspects: list[_Rule], *, keywords: bool) -> Iterable[tuple[str, str]]:
    for rule in suspects:
        for value in rule.matches(line):
            if not is_templated_secret(value):
                yield rule.what, value
    if keywords and len(line) <= LONGEST_LINE and KEYWORD.search(line):
        for found in _keywords().analyze_line(filename=name, line=line):
            value = str(found.secret_value or "")
            if _looks_random(value):
                yield "Secret Keyword", value


def _looks_random(value: str) -> bool:
    """Random enough for a key; not a name, an address, a call or a variable."""
    value = value.strip().rstrip(";,")
    if not 16 <= len(value) <= 512 or not re.fullmatch(r"[A-Za-z0-9+/_=.~!@#%^&*-]+", value):
        return False
    if is_potential_uuid(value) or is_sequential_string(value) or not re.search(r"\d", value):
        return False
    if re.fullmatch(r"[0-9a-fA-F]+", value):
        return float(HexHighEntropyString().calculate_shannon_entropy(value)) >= 3.0
    return float(Base64HighEntropyString().calculate_shannon_entropy(value)) >= 4.0


def _allowed(name: str, lines: list[str], number: int) -> bool:
    """Whether its author says so beside it (``pragma: allowlist secret``)."""
    context = get_code_snippet(lines=lines, line_number=number)
    return bool(is_line_allowlisted(name, lines[number - 1], context))


def _is_lock(name: str) -> bool:
    last = name.rpartition("/")[2].lower()
    return last.endswith((".lock", ".sum", "-lock.json", "-lock.yaml", ".lock.json")) or last == "npm-shrinkwrap.json"


def _digest(value: str) -> str:
    from detect_secrets.core.potential_secret import PotentialSecret

    return str(PotentialSecret.hash_secret(value))


class _Rule:
    """A pattern, or a detector of the library."""

    def __init__(self, what: str, how: Any) -> None:
        self.what, self._how = what, how

    def matches(self, text: str) -> Iterable[str]:
        """Every value that it takes for a secret."""
        if self.what == "NPM tokens" and "_authToken" not in text:
            return ()  # its pattern looks to the end of the line from every //, and a minified line is long
        if isinstance(self._how, re.Pattern):
            return (match.group() for match in self._how.finditer(text))
        return (str(value) for value in self._how.analyze_string(text))


class _Addresses:
    @staticmethod
    def analyze_string(text: str) -> Iterable[str]:
        """Passwords in addresses."""
        return (match[1] for match in ADDRESS.finditer(text) if not PLACEHOLDERS.fullmatch(match[1]))


@cache
def _keywords() -> KeywordDetector:
    return KeywordDetector()


@cache
def _rules() -> tuple[_Rule, ...]:
    detectors: dict[str, Any] = get_mapping_from_secret_type_to_class()
    theirs = [_Rule(what, each()) for what, each in detectors.items() if each.__name__ not in LEFT_OUT]
    ours = [_Rule(what, pattern) for what, pattern in MORE.items()]
    return (*theirs, *ours, _Rule("password in an address", _Addresses()))
