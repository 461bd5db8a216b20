"""Addresses of remotes as they may be shown: without a password, a token, or the user it could be. Pure."""

from __future__ import annotations

import re

_SHELL_USER = re.compile(r"^(?P<scheme>ssh|git\+ssh)://(?P<user>[^/@:]*)(?::[^/@]*)?@", re.IGNORECASE)
_USER = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*)://[^/]*@", re.IGNORECASE)
_ANYWHERE = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*)://[^\s/'\"]*@", re.IGNORECASE)
_QUERY = re.compile(r"(?P<address>\b(?:https?|ftps?)://[^\s?#'\"]*)[?#][^\s'\"]*", re.IGNORECASE)


def public(url: str) -> str:
    """The URL without credentials. An ssh user stays, since it is none: ``git@github.com:owner/name``."""
    if found := _SHELL_USER.match(url):
        return f"{found['scheme']}://{found['user']}@{url[found.end() :]}"
    return _QUERY.sub(r"\g<address>", _USER.sub(r"\g<scheme>://", url))


def scrubbed(words: str) -> str:
    """git's words, whose addresses may carry credentials."""
    return _QUERY.sub(r"\g<address>", _ANYWHERE.sub(r"\g<scheme>://", words))
