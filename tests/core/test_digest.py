"""Digests without OpenSSL."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import pytest

from devctl.core import digest

KINDS = [("sha1", ()), ("sha256", ()), ("shake_256", (20,)), ("blake2b", ())]


@pytest.mark.parametrize(("kind", "length"), KINDS)
@pytest.mark.parametrize("there", [True, False], ids=["own", "hashlib's"])
def test_they_are_what_hashlib_makes(
    monkeypatch: pytest.MonkeyPatch, kind: str, length: tuple[int, ...], there: bool
) -> None:
    known = getattr(hashlib, kind)

    def in_fips_mode(data: bytes, *, usedforsecurity: bool = True) -> Any:
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return known(data)

    if not there:
        monkeypatch.setitem(digest._HOMES, kind, ("_no_such_module", "sys"))
        monkeypatch.setattr(hashlib, kind, in_fips_mode)
    made = digest.maker(kind)(b"some data")
    assert made.hexdigest(*length) == known(b"some data").hexdigest(*length)


def test_none_of_them_needs_openssl() -> None:
    kinds = [kind for kind, _ in KINDS]
    code = (
        "import sys; from devctl.core.digest import maker\n"
        f"for kind in {kinds}: maker(kind)(b'')\n"
        "print([name for name in ('hashlib', '_hashlib') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
