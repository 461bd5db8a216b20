"""Decisions from facts, names and contents alone."""

from __future__ import annotations

import pytest

from devctl.core.model import GitRepository
from devctl.git.message import written
from devctl.git.policy import Go, Refuse, Skip, Standing, decide, forbidden, marker_line, too_large
from devctl.git.scratch import Entry
from devctl.git.secrets import find

SECTION = GitRepository(path="/r", branch="dev", sync_branches=("dev",), remotes={"origin": ""})


def test_what_may_be_synced() -> None:
    assert decide(Standing(branch="dev"), SECTION) == Go()
    assert decide(Standing(branch="feature"), SECTION) == Go()
    assert isinstance(decide(Standing(branch="dev"), GitRepository(path="/r", branch="dev")), Skip)
    assert isinstance(decide(Standing(is_root=False, problem="it is not a repository"), SECTION), Skip)
    for standing in (
        Standing(operations=("rebase",), detached=True),
        Standing(branch="dev", unmerged=("a",)),
        Standing(detached=True),
        Standing(branch="dev", locked="/r/.git/index.lock"),
        Standing(problem="it belongs to another user, and git refuses to work in it"),
    ):
        verdict = decide(standing, SECTION)
        assert isinstance(verdict, Refuse)
        assert verdict.refusal.reason
        assert verdict.refusal.where
        assert verdict.refusal.hint


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        "a/.env",
        ".env.local",
        "prod.env",
        ".ENV",
        "id_ed25519",
        "x.key",
        "x.p12",
        ".netrc",
        ".git-credentials",
        ".env~",
        ".env-prod",
        ".env_local",
        ".env copy",
        "#.env#",
        "prod.env~",
        "prod.env.bak",
        ".prod.env.swp",
        ".pgpass",
    ],
)
def test_names_that_never_go(name: str) -> None:
    assert forbidden(name)


@pytest.mark.parametrize(
    "name",
    [
        ".env.example",
        ".env.sample",
        "env.py",
        "environment.ts",
        "id_rsa.pub",
        "keys.py",
        ".envrc",
        "a.pem",
        "",
        ".env-example",
        "config.env.js",
        "vite-env.d.ts",
        ".environment",
    ],
)
def test_names_that_may(name: str) -> None:
    assert forbidden(name) == ""


@pytest.mark.parametrize(
    ("content", "before", "line"),
    [
        (b"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n", b"", 2),
        (b"a\r\n<<<<<<< HEAD\r\n", b"", 2),
        (b"a\nb\n>>>>>>> x\n", b"", 3),
        (b"Title\n=======\n", b"", 0),
        (b"<<<<<<<<\n a <<<<<<< b\n", b"", 0),
        (b"<<<<<<< A\n", b"<<<<<<< A\n", 0),
        (b"<<<<<<< A\nx\n<<<<<<< B\n", b"<<<<<<< A\n", 3),
    ],
)
def test_conflict_markers(content: bytes, before: bytes, line: int) -> None:
    assert marker_line(content, before) == line


def test_sizes() -> None:
    assert too_large(10_000_000, 10_000_000) == ""
    assert too_large(12_300_000, 10_000_000) == "it has 12.3 MB, more than max_file_size (10 MB)"


AWS = "AKIA" + "QYLPMN5HXEXAMPLE"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.py", f"\n\nx = '{AWS}'", 3),
        ("a.bin", f"\0\0\n{AWS}", 2),
        ("a.ini", "token = ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", 1),
        ("a.txt", "github_pat_" + "11ABCDEFG0123456789abc_defghijklmnop", 1),
        ("a.txt", "AIza" + "SyA1234567890abcdefghijklmnopqrstuv", 1),
        ("a.txt", "-----BEGIN OPENSSH PRIVATE KEY-----", 1),
        ("a.txt", "-----BEGIN ENCRYPTED PRIVATE KEY-----", 1),
        ("a.yaml", "url: postgresql://app:s3cr3tPa55@db.example.com/app", 1),
        ("a.py", 'API_KEY = "a8f5f167f44f4964e6c998dee827110c"', 1),
        ("a.env.example", "SLACK=xoxb-" + "123456789012-abcdefghijklmnopqrstuvwx", 1),
        ("a.npmrc", "//npm.example.com/:_authToken=npm_" + "abcdefghijklmnopqrstuvwxyz0123456789", 1),
    ],
)
def test_secrets_are_found_with_their_line(name: str, text: str, line: int) -> None:
    found = find(name, text.encode())
    assert found is not None
    assert found.line == line
    assert find(name, text.encode("utf-16")) is not None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", 'password = "controlcore-dev"\nSECRET_KEY = os.environ["SECRET_KEY"]\n'),
        ("a.yaml", "url: postgresql://controlcore:controlcore@localhost:5432/controlcore"),
        ("a.yaml", "url: postgresql://controlcore:controlcore@postgres:5432/controlcore"),
        ("a.yaml", "url: https://user:password@example.com/"),
        ("a.md", "APACHE2LICENSE and xoxo, sk-learn, a JWT eyJ"),
        ("package-lock.json", '"integrity": "sha512-' + "q2BKG6TN9FVBrWXYOQvzyvNNNcIrSRjKtAsBsCBdx=" + '"'),
        ("a.py", "token = 123e4567-e89b-12d3-a456-426614174000"),
        ("a.py", f"x = '{AWS}'  # pragma: allowlist secret"),
        ("a.ts", "const key = `${prefix}-${getTokenFromStorage_1()}`"),
    ],
)  # fmt: skip
def test_what_is_no_secret(name: str, text: str) -> None:
    assert find(name, text.encode()) is None


def entry(path: str, old: str = "100644", new: str = "100644") -> Entry:
    return Entry(path, old, "x", new, "y")


def test_the_message_counts_many_files_and_its_subject_stays_short() -> None:
    folders = {f"service-with-a-long-name-{number}": f"s{number}" for number in range(9)}
    changes = [entry(f"s{number}/{file}") for number in range(9) for file in range(20)]
    subject, empty, *body = written(changes, folders).splitlines()
    assert len(subject) <= 72
    assert subject.endswith("and 8 more: 180 files changed") or "more" in subject
    assert empty == ""
    assert "- change 20 files" in body


def test_a_service_in_anothers_folder_is_the_nearer_one() -> None:
    said = written([entry("a/b/x", old="000000"), entry("a/y", new="000000")], {"outer": "a", "inner": "a/b"})
    assert said == "inner, outer: 2 files changed\n\ninner:\n- add a/b/x\n\nouter:\n- remove a/y\n"


def test_a_name_that_is_no_text_is_written_so_that_it_is() -> None:
    assert "- change caf\\xe9\\x0a" in written([entry("caf\udce9\n")], {})
