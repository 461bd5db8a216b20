"""The patterns of services.yaml."""

from __future__ import annotations

import pytest

from devctl.core.globs import Globs


@pytest.mark.parametrize(
    ("pattern", "named", "others"),
    [
        ("dist", ["dist"], ["a/dist", "dist/a", "distance", ".dist"]),
        ("**/dist", ["dist", "a/dist", "a/b/dist", ".hidden/dist"], ["a/dist/b", "adist"]),
        ("**", ["a", "a/b", ".hidden/x"], []),
        ("src/**", ["src/a", "src/a/b"], ["src", "a/src/b"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a", "z", "ab/z"]),
        ("*.tmp", ["a.tmp", ".tmp", "\n.tmp"], ["a/b.tmp", "a.tmpx"]),
        ("?", ["a", "ü"], ["", "ab", "/"]),
        ("[ab].[!c]", ["a.b", "b.x"], ["c.b", "a.c", "a./"]),
        ("./a//b/", ["a/b"], ["a", "b"]),
        ("a[b", ["a[b"], ["ab"]),
        ("(x)+.^$", ["(x)+.^$"], ["x"]),
        ("[\\^[]x", ["\\x", "^x", "[x"], ["ax"]),
    ],
)
def test_which_paths_a_pattern_names(pattern: str, named: list[str], others: list[str]) -> None:
    globs = Globs([pattern])
    assert [path for path in named if not globs.names(path)] == []
    assert [path for path in others if globs.names(path)] == []


def test_a_folder_takes_in_what_is_below_it() -> None:
    globs = Globs(["node_modules", "**/.git"])
    assert all(globs.take_in(path) for path in ("node_modules", "node_modules/a/b", "x/.git/config", ".git"))
    assert not any(globs.take_in(path) for path in ("a/node_modules/b", "x/.github", "git"))
