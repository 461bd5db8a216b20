"""``remotes --stale`` against a stand-in for GitHub's REST API: a small https server on loopback that answers as
GitHub's documentation says (statuses, headers, bodies). It is no GitHub, and nothing here speaks to GitHub."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from devctl.errors import DevctlError, Exit
from devctl.git import github
from devctl.git.github import GitHub, Hosted, base_url, owner_in, refusal, stale, token

TOKEN = "ghp_NotARealTokenNotARealTokenNotAReal1"
NOW = datetime(2026, 6, 1, tzinfo=UTC)

SSO = "https://github.com/orgs/acme/sso?authorization_request=1"
NO_MORE = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
Answer = tuple[int, dict[str, str], Any]


@dataclass
class StandIn:
    """Answers by path; remembers who asked for what, and with which token."""

    base: str
    certificate: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def owner(self, login: str, kind: str) -> None:
        """``GET /users/NAME``."""
        self.answers[f"/users/{login}"] = (200, {}, {"login": login, "id": 1, "type": kind})

    def pages(self, path: str, *pages: list[dict[str, Any]]) -> None:
        """A list in pages, linked as documented: ``Link: <…&page=2>; rel="next", <…>; rel="last"``."""
        query = f"&sort=full_name&per_page={github.PER_PAGE}"
        for number, page in enumerate(pages, 1):
            key = path + query + (f"&page={number}" if number > 1 else "")
            ends = {"next": number + 1, "last": len(pages)}
            link = ", ".join(f'<{self.base}{path}{query}&page={at}>; rel="{rel}"' for rel, at in ends.items())
            self.answers[key] = (200, {"Link": link} if number < len(pages) else {}, page)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file, made by openssl."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "7", "-subj", "/CN=stand-in"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    whole = folder / "both.pem"
    whole.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return whole


@pytest.fixture
def hosting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The stand-in, which this process trusts, and to which no proxy leads."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = StandIn(f"https://127.0.0.1:{server.server_address[1]}", certificate)
    server.standin = made  # type: ignore[attr-defined]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One answer a connection, so that nothing is left open."""

    def do_GET(self) -> None:
        made: StandIn = self.server.standin  # type: ignore[attr-defined]
        made.asked.append((self.path, self.headers.get("Authorization", "")))
        status, headers, body = made.answers.get(self.path, (404, {}, {"message": "Not Found", "status": "404"}))
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Silent."""


def hosted(name: str, days: int | None, **more: Any) -> dict[str, Any]:
    """A repository as GitHub's documentation shows one, shortened to what a list of them has in common."""
    pushed = None if days is None else (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": 1296269, "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5", "name": name.partition("/")[2], "full_name": name,
        "private": False, "html_url": f"https://github.com/{name}", "description": None, "fork": False, "size": 108,
        "open_issues_count": 0, "archived": False, "disabled": False, "visibility": "public", "default_branch": "main",
        "pushed_at": pushed, "created_at": "2020-01-26T19:01:12Z", "updated_at": "2026-01-26T19:14:43Z", **more,
    }  # fmt: skip


def asked(hosting: StandIn, owner: str, secret: str = "") -> list[Hosted]:
    with GitHub(hosting.base, secret) as api:
        return api.repositories(owner)


def failure(hosting: StandIn, owner: str = "acme", secret: str = "") -> DevctlError:
    with pytest.raises(DevctlError) as caught:
        asked(hosting, owner, secret)
    assert secret == "" or secret not in repr(caught.value.__dict__)
    return caught.value


def test_all_pages_of_an_organisation_are_read(hosting: StandIn) -> None:
    hosting.owner("acme", "Organization")
    pages = [[hosted(f"acme/r{page}-{index}", page) for index in range(3)] for page in range(1, 4)]
    hosting.pages("/orgs/acme/repos?type=all", *pages)
    assert [each.name for each in asked(hosting, "acme", TOKEN)] == [
        each["full_name"] for page in pages for each in page
    ]
    assert {secret for _, secret in hosting.asked} == {f"Bearer {TOKEN}"}


def test_a_user_is_asked_for_the_public_ones_and_oneself_for_all(hosting: StandIn) -> None:
    hosting.owner("octocat", "User")
    hosting.pages("/users/octocat/repos?type=owner", [hosted("octocat/public", 1)])
    hosting.pages("/user/repos?affiliation=owner", [hosted("octocat/secret", 1, private=True)])
    assert [each.name for each in asked(hosting, "octocat")] == ["octocat/public"]
    hosting.answers["/user"] = (403, {}, {"message": "Resource not accessible by integration"})
    assert [each.name for each in asked(hosting, "octocat", TOKEN)] == ["octocat/public"]
    hosting.answers["/user"] = (200, {}, {"login": "Octocat", "type": "User"})
    assert [each.name for each in asked(hosting, "octocat", TOKEN)] == ["octocat/secret"]


def test_a_renamed_owner_is_followed_within_the_api_only(hosting: StandIn) -> None:
    hosting.owner("acme", "Organization")
    hosting.pages("/orgs/acme/repos?type=all", [hosted("acme/a", 1)])
    hosting.answers["/users/old"] = (301, {"Location": f"{hosting.base}/users/acme"}, {"message": "Moved Permanently"})
    assert [each.name for each in asked(hosting, "old")] == ["acme/a"]
    hosting.answers["/users/old"] = (302, {"Location": "https://elsewhere.invalid/users/acme"}, "")
    assert "leads elsewhere" in failure(hosting, "old", TOKEN).what
    hosting.answers["/users/old"] = (301, {"Location": f"{hosting.base}/users/old"}, "")
    assert "HTTP 301" in failure(hosting, "old").why


@pytest.mark.parametrize("place", ["https://elsewhere.invalid/next", "http://127.0.0.1:{port}/next"])
def test_a_next_page_elsewhere_never_gets_the_token(hosting: StandIn, place: str) -> None:
    hosting.owner("acme", "Organization")
    hosting.pages("/orgs/acme/repos?type=all", [hosted("acme/a", 1)])
    (key,) = [path for path in hosting.answers if path.startswith("/orgs")]
    following = place.format(port=hosting.base.rpartition(":")[2])
    hosting.answers[key] = (200, {"Link": f'<{following}>; rel="next"'}, [hosted("acme/a", 1)])
    assert "leads elsewhere" in failure(hosting, "acme", TOKEN).what


@pytest.mark.parametrize(
    ("status", "headers", "message", "what", "hint"),
    [
        (401, {}, "Bad credentials", "does not accept the token", "gh auth login"),
        (404, {}, "Not Found", "knows no acme", "spelling"),
        (403, {}, "Resource not accessible", "does not let this token see acme", "gh auth refresh"),
        (403, {"X-GitHub-SSO": f"required; url={SSO}"}, "SAML", "single sign-on", SSO),
        (403, NO_MORE, "API rate limit exceeded", "no more for 1 s", "try again"),
        (429, {"Retry-After": "120"}, "You have exceeded a secondary rate limit", "no more for 2 min", "try again"),
        (403, {}, "You have exceeded a secondary rate limit", "no more for 60 s", "try again"),
        (502, {}, "Server Error", "did not answer as it should", "githubstatus"),
    ],
)  # fmt: skip
def test_each_refusal_is_told_with_the_way_out(
    hosting: StandIn, status: int, headers: dict[str, str], message: str, what: str, hint: str
) -> None:
    hosting.answers["/users/acme"] = (status, headers, {"message": message, "documentation_url": "https://docs"})
    error = failure(hosting, "acme", TOKEN)
    assert what in error.what
    assert hint in error.hint
    assert message in error.why


def test_without_a_token_the_way_out_is_to_log_in() -> None:
    for status, headers in ((403, {}), (404, {}), (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "3700"})):
        error = refusal(status, headers, "", "acme", github.API, known=False, now=100)
        assert "GITHUB_TOKEN" in error.hint
    assert error.what == "GitHub answers no more for 60 min"


def test_what_is_not_githubs_answer_is_told_as_that(hosting: StandIn) -> None:
    for body in ("<html>Sign in to the hotel's network</html>", "[]", '{"login": 3}'):
        hosting.answers["/users/acme"] = (200, {}, body)
        assert failure(hosting).what == "this is not GitHub's answer"


def test_an_address_nobody_listens_at_and_an_unknown_certificate(
    hosting: StandIn, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hosting.owner("acme", "Organization")
    nobody = StandIn(f"https://127.0.0.1:{free_port()}", hosting.certificate)
    assert failure(nobody).code is Exit.PRECONDITION
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate" in failure(hosting, secret=TOKEN).why.lower()
    assert hosting.asked == []


def test_the_token_goes_to_https_alone() -> None:
    assert base_url({}) == "https://api.github.com"
    assert base_url({"GITHUB_API_URL": "https://github.acme.example/api/v3/"}) == "https://github.acme.example/api/v3"
    for wrong in ("http://api.github.com", "https://", "ftp://x", "https://me:pw@api.github.com", "https://a/?b=c"):
        with pytest.raises(DevctlError, match="no https address") as caught:
            base_url({"GITHUB_API_URL": wrong})
        assert "pw" not in str(caught.value)


def test_the_token_comes_from_the_environment_or_from_gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert token({}, github.API) == ""
    assert token({"GH_TOKEN": TOKEN}, github.API) == TOKEN
    assert token({"GITHUB_TOKEN": f" {TOKEN}\n", "GH_TOKEN": "other"}, github.API) == TOKEN
    with pytest.raises(DevctlError) as caught:
        token({"GITHUB_TOKEN": f"{TOKEN}\nX: y"}, github.API)
    assert TOKEN not in str(caught.value)
    gh = tmp_path / "gh"
    gh.write_text(f'#!/bin/sh\n[ "$*" = "auth token --hostname github.com" ] && echo {TOKEN}\n')
    gh.chmod(0o755)
    assert token({}, github.API) == TOKEN
    assert token({}, "https://github.acme.example/api/v3") == ""
    gh.write_text("#!/bin/sh\necho you are not logged in >&2\nexit 1\n")
    assert token({}, github.API) == ""


def test_stale_is_what_nobody_pushed_to_the_longest_first() -> None:
    made = [hosted("a/new", 3), hosted("a/old", 100), hosted("a/older", 400), hosted("a/done", 900, archived=True)]
    made += [hosted("a/empty", None), hosted("a/edge", 90), hosted("a/almost", 89)]
    found = [
        Hosted(name=m["full_name"], pushed_at=m["pushed_at"], created_at=m["created_at"], archived=m["archived"])
        for m in made
    ]
    assert [each.name for each in stale(found, 90, NOW.timestamp())] == ["a/empty", "a/older", "a/old", "a/edge"]


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("git@github.com:acme/tool.git", "acme"),
        ("https://github.com/acme/tool", "acme"),
        ("https://secret@github.com/acme/tool.git", "acme"),
        ("ssh://git@github.com:22/acme/tool.git", "acme"),
        ("git@gitlab.com:acme/tool.git", ""),
        ("https://github.com.evil.example/acme/tool", ""),
        ("/srv/git/acme/tool.git", ""),
        ("../github.com/acme/x", ""),
    ],
)
def test_owners_are_read_from_remotes(address: str, owner: str) -> None:
    assert owner_in(address) == owner


def test_the_verb_lists_them_and_shows_no_token(hosting: StandIn, tmp_path: Path) -> None:
    (tmp_path / "services.yaml").write_text("name: bench\nservices: {a: {library: true}}\n")
    hosting.owner("acme", "Organization")
    now = datetime.now(UTC)
    old = (now - timedelta(days=500, hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = [hosted("acme/old", 0, pushed_at=old, private=True, size=2048), hosted("acme/gone", 0, archived=True)]
    listed.append(hosted("acme/new", 0, pushed_at=now.strftime("%Y-%m-%dT%H:%M:%SZ")))
    hosting.pages("/orgs/acme/repos?type=all", listed)
    environment = {**os.environ, "GITHUB_API_URL": hosting.base, "GITHUB_TOKEN": TOKEN}
    devctl = Path(sys.executable).with_name("devctl")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [devctl, "remotes", "--stale", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    shown = run("--owner", "acme", "--days", "30")
    assert shown.returncode == 0, shown.stderr
    assert "acme: nobody pushed for 30 days to 1 of 3 repositories; 1 archived one left out" in shown.stdout
    (row,) = [line.split() for line in shown.stdout.splitlines() if line.split()[:1] == ["acme/old"]]
    assert row == ["acme/old", "1", "y", "4", "mo", "2", "MB", "private", "https://github.com/acme/old"]
    assert "acme/new" not in shown.stdout
    found = json.loads(run("--owner", "acme", "--json").stdout)
    assert [(each["name"], each["days"], each["private"]) for each in found["repositories"]] == [
        ("acme/old", 500, True)
    ]
    nobody = run("--owner", "nobody")
    assert (nobody.returncode, "knows no nobody" in nobody.stderr) == (1, True)
    unnamed = run()
    assert (unnamed.returncode, "--owner NAME" in unnamed.stderr) == (2, True)
    assert TOKEN not in shown.stdout + shown.stderr + nobody.stderr + unnamed.stderr
