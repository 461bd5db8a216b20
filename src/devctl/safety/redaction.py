"""Passwords taken out of what others say. Pure."""

from __future__ import annotations

import json
import re

from devctl.safety.url import HIDDEN, SECRET_OPTIONS, DatabaseUrl


def redacted(text: str, *urls: DatabaseUrl) -> str:
    """Text of others (a traceback, a driver's message) without these databases' passwords, however they are spelled,
    and without what stands where an address has its password."""
    for url in urls:
        secrets = {value for key, value in url.options if key in SECRET_OPTIONS} | {url.password}
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            text = re.sub(_standing(secret), HIDDEN, text)
    return re.sub(r"(://[^\s/:@]*:)[^\s@]+@", rf"\g<1>{HIDDEN}@", text)


def _standing(secret: str) -> str:
    """A short plain word is hidden only where it stands alone: a password "a" must not eat every a."""
    whole = "".join(_spelled(character) for character in secret)
    return rf"(?<!\w){whole}(?!\w)" if len(secret) < 12 and re.fullmatch(r"\w+", secret) else whole


def _spelled(character: str) -> str:
    """A character as it is, escaped for an address (each library leaves others as they are), or for a literal."""
    code = ord(character)
    escaped = "".join(f"%{byte:02x}" for byte in character.encode())
    forms = [rf"\\?{re.escape(character)}" if character in "\"'\\/" else re.escape(character), f"(?i:{escaped})"]
    forms += [r"\+"] if character == " " else []
    if not character.isprintable() or code > 126:
        forms += [re.escape(spell(character)[1:-1]) for spell in (repr, ascii, json.dumps)]
    return f"(?:{'|'.join(forms)})"
