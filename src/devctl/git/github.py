"""GitHub's REST API, as far as devctl asks it: an owner's repositories, and when somebody last pushed to them.

It only reads. The token goes to one https address and nowhere else: not into a message, not along a link or a redirect
to another host.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from devctl.command import CommandError, output, which
from devctl.core.model import Value
from devctl.errors import DevctlError, Exit

API = "https://api.github.com"
VERSION = "2022-11-28"
PER_PAGE = 100
MOST_PAGES = 500
"""Pages after which a list without end is left: 50 000 repositories."""
TIMEOUT = 10.0
"""Seconds for the connection, and for each piece of an answer."""
REDIRECTS = 3
"""How often an owner that was renamed is followed."""

_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9_])?")
_TOKEN = re.compile(r"[!-~]+")
_ADDRESS = re.compile(
    r"(?:https?://(?:[^/@]*@)?|ssh://(?:[^/@]*@)?|git://|(?:[^/@:]*@)?)([^/:@]+)(?::\d+)?[:/]/*([^/]+)/"
)


class Hosted(Value):
    """A repository as its host knows it. ``pushed_at`` is "" where nobody ever pushed; times are ISO 8601 in UTC;
    ``size`` is in kilobytes."""

    name: str = msgspec.field(name="full_name")
    url: str = msgspec.field(name="html_url", default="")
    pushed_at: str | None = None
    created_at: str | None = None
    private: bool = False
    fork: bool = False
    archived: bool = False
    size: int = 0
    open_issues: int = msgspec.field(name="open_issues_count", default=0)


class Owner(Value):
    """A user or an organisation."""

    login: str
    type: str = "User"


def base_url(environment: Mapping[str, str]) -> str:
    """The API's address: GITHUB_API_URL, as in GitHub's own runners, or api.github.com. Raises DevctlError."""
    address = environment.get("GITHUB_API_URL", "").strip().rstrip("/") or API
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise DevctlError(
            "GITHUB_API_URL is no https address",
            why="the token is sent there, so it must be encrypted",
            hint=f"export GITHUB_API_URL={API}, or unset it",
            code=Exit.USAGE,
        )
    return address


def token(environment: Mapping[str, str], base: str) -> str:
    """From GITHUB_TOKEN or GH_TOKEN, or of the host from the gh command; "" where there is none. Raises DevctlError."""
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        if found := environment.get(name, "").strip():
            if not _TOKEN.fullmatch(found):
                raise DevctlError(
                    f"{name} is no token", why="it holds blanks or unprintable characters", code=Exit.USAGE
                )
            return found
    if not which("gh"):
        return ""
    host = urlsplit(base).hostname or ""
    arguments = ["gh", "auth", "token", "--hostname", "github.com" if host == "api.github.com" else host]
    try:
        found = output(arguments, timeout=5).out.strip()
    except CommandError:
        return ""
    return found if _TOKEN.fullmatch(found) else ""


def owner_in(address: str, base: str = API) -> str:
    """The owner a remote's URL names, "" when it leads to another host than the API's."""
    host = urlsplit(base).hostname or ""
    found = _ADDRESS.match(address)
    if not found or found[1].lower() not in {host, host.removeprefix("api.")}:
        return ""
    return found[2] if _OWNER.fullmatch(found[2]) else ""


class GitHub:
    """One API for one command. Use as a context manager."""

    def __init__(self, base: str, secret: str) -> None:
        self._base, self._known = base, bool(secret)
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": VERSION,
            "User-Agent": "devctl",
            **({"Authorization": f"Bearer {secret}"} if secret else {}),
        }
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def repositories(self, name: str) -> list[Hosted]:
        """All repositories of a user or an organisation that may be seen. Raises DevctlError."""
        if not _OWNER.fullmatch(name):
            raise DevctlError(
                f"{name!r} is no name on GitHub", hint="devctl remotes --stale --owner NAME", code=Exit.USAGE
            )
        owner = self._decoded(self._get(f"{self._base}/users/{quote(name)}", name), Owner)
        if owner.type == "Organization":
            address = f"{self._base}/orgs/{quote(owner.login)}/repos?type=all"
        elif self._is_me(owner.login):
            address = f"{self._base}/user/repos?affiliation=owner"
        else:
            address = f"{self._base}/users/{quote(owner.login)}/repos?type=owner"
        pages = self._pages(f"{address}&sort=full_name&per_page={PER_PAGE}", name)
        return [each for page in pages for each in self._decoded(page, list[Hosted])]

    def _is_me(self, login: str) -> bool:
        """Only to its own user does GitHub list private repositories. A token that is no user's may not ask."""
        if not self._known:
            return False
        answer = self._send(f"{self._base}/user")
        return answer.status_code == 200 and self._decoded(answer, Owner).login.lower() == login.lower()

    def _pages(self, address: str, owner: str) -> Iterator[httpx.Response]:
        for _ in range(MOST_PAGES):
            page = self._get(address, owner)
            yield page
            following = page.links.get("next", {}).get("url")
            if not following:
                return
            address = self._same_place(str(page.url.join(following)))

    def _get(self, address: str, owner: str) -> httpx.Response:
        answer = self._send(address)
        for _ in range(REDIRECTS):
            if answer.status_code not in {301, 302, 307, 308}:
                break
            address = self._same_place(str(answer.url.join(answer.headers.get("location", ""))))
            answer = self._send(address)
        if answer.status_code != 200:
            raise refusal(answer.status_code, answer.headers, _message(answer), owner, self._base, known=self._known)
        return answer

    def _send(self, address: str) -> httpx.Response:
        try:
            return self._client.get(address)
        except httpx.TimeoutException as error:
            raise self._unreachable(f"no answer within {TIMEOUT:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise self._unreachable(str(error) or type(error).__name__) from error

    def _unreachable(self, why: str) -> DevctlError:
        return DevctlError("GitHub cannot be reached", self._base, why, f"curl -I {self._base}", Exit.PRECONDITION)

    def _same_place(self, address: str) -> str:
        """Links are followed only to where the token may go."""
        there, here = urlsplit(address), urlsplit(self._base)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            why = f"it points to {there.hostname or 'nowhere'}, where the token must not go"
            raise DevctlError("GitHub's answer leads elsewhere", self._base, why)
        return address

    def _decoded(self, answer: httpx.Response, kind: Any) -> Any:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DevctlError(
                "this is not GitHub's answer",
                where=self._base,
                why=f"{type(error).__name__}: {error}",
                hint=f"curl -I {self._base}; a proxy or a log-in page may have answered",
                code=Exit.PRECONDITION,
            ) from error


def _message(answer: httpx.Response) -> str:
    try:
        found = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(found.get("message", "")) if isinstance(found, dict) else ""


def refusal(
    status: int,
    headers: Mapping[str, str],
    message: str,
    owner: str,
    base: str,
    *,
    known: bool,
    now: float | None = None,
) -> DevctlError:
    """What a status other than 200 means, and the way out. ``known``: a token was sent."""
    why = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    if status in {403, 429} and (wait := _rate_limit(headers, message, time.time() if now is None else now)):
        hint = "try again then" if known else f"{LOG_IN}: it may ask 5000 times an hour instead of 60"
        return DevctlError(f"GitHub answers no more for {wait}", base, why, hint, Exit.PRECONDITION)
    if status == 401:
        hint = "gh auth login, or a new token: https://github.com/settings/tokens"
        return DevctlError("GitHub does not accept the token", base, why, hint, Exit.PRECONDITION)
    if status == 403 and "url=" in headers.get("x-github-sso", ""):
        hint = f"authorise it: {headers['x-github-sso'].partition('url=')[2]}"
        return DevctlError(f"{owner} wants the token authorised for single sign-on", base, why, hint, Exit.PRECONDITION)
    if status == 403:
        hint = "gh auth refresh -s repo,read:org" if known else LOG_IN
        return DevctlError(
            f"GitHub does not let {'this token' if known else 'everybody'} see {owner}",
            base,
            why,
            hint,
            Exit.PRECONDITION,
        )
    if status == 404:
        hint = "look at its spelling" + ("" if known else f", or {LOG_IN} to see what is private")
        return DevctlError(f"GitHub knows no {owner}", base, why, hint)
    return DevctlError(
        "GitHub did not answer as it should", base, why, "https://www.githubstatus.com", Exit.PRECONDITION
    )


LOG_IN = "gh auth login, or export GITHUB_TOKEN=…"


def _rate_limit(headers: Mapping[str, str], message: str, now: float) -> str:
    """How long nothing is answered, in words; "" when it isn't for having asked too often."""
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if after.isdigit():
        return _span(int(after))
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return _span(max(1, int(reset) - int(now)))
    return _span(60) if "rate limit" in message.lower() else ""


def _span(seconds: int) -> str:
    minutes = -(-seconds // 60)
    if seconds < 100:
        return f"{seconds} s"
    return f"{minutes} min" if minutes < 100 else f"{-(-minutes // 60)} h"


def stale(found: list[Hosted], days: int, now: float) -> list[Hosted]:
    """Those nobody pushed to for ``days`` days, the longest first; archived ones are done with. ``now`` in epoch s."""
    old = [each for each in found if not each.archived and age(each, now) >= days]
    return sorted(old, key=lambda each: (-age(each, now), each.name))


def age(repository: Hosted, now: float) -> int:
    """Whole days since the last push; where there was none, since it was made."""
    return max(0, int((now - _epoch(repository.pushed_at or repository.created_at or "")) // 86400))


def _epoch(moment: str) -> float:
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return time.time()
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def from_environment() -> tuple[str, str]:
    """(the API's address, the token). Raises DevctlError."""
    base = base_url(os.environ)
    return base, token(os.environ, base)
