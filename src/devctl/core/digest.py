"""Digests by Python's own modules, as its ``random`` uses them: hashlib brings OpenSSL in, which takes 2 ms, and every
``up`` needs a digest before its first service starts."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from importlib import import_module

TYPE_CHECKING = False  # typing itself, which takes 2 ms, is not needed for a supervisor to be on its way
if TYPE_CHECKING:
    from typing import Any

_HOMES = {
    "sha1": ("_sha1",),
    "sha256": ("_sha2", "_sha256"),  # since 3.12; until then
    "shake_256": ("_sha3",),
    "blake2b": ("_blake2",),
}


def maker(kind: str) -> Any:
    """What ``hashlib.<kind>`` is, for sha1, sha256, shake_256 and blake2b; hashlib's own where Python is built without
    its modules. For telling whether something changed, not for security: so they are there in FIPS mode too."""
    for home in _HOMES[kind]:
        with suppress(ImportError, AttributeError):
            return getattr(import_module(home), kind)
    return partial(getattr(import_module("hashlib"), kind), usedforsecurity=False)
