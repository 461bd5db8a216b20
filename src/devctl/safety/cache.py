"""Whether a Redis or Valkey answers with the credentials it is given. No client library: two commands are enough."""

from __future__ import annotations

import contextlib
import socket
import ssl
from urllib.parse import SplitResult, unquote, urlsplit

from devctl.errors import DevctlError, Exit

SCHEMES = frozenset({"redis", "rediss", "valkey", "valkeys"})
PORT = 6379


def is_cache(value: str) -> bool:
    """Whether a variable's value is the address of a cache."""
    return value.partition("://")[0].lower() in SCHEMES and "://" in value


def ping(url: str, timeout: float = 5.0) -> str:
    """What it is, in words (``cache.example.com:6379 over TLS``). ``timeout`` in seconds for each step.

    Raises DevctlError, whose text never holds the password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
    except ValueError as error:
        raise DevctlError("the cache's address can't be read", why="its port is no number", code=Exit.FAILED) from error
    secure = parts.scheme.lower() in {"rediss", "valkeys"}
    place = f"{parts.hostname or 'localhost'}:{port}"
    with contextlib.ExitStack() as opened:
        try:
            stream = opened.enter_context(socket.create_connection((parts.hostname or "localhost", port), timeout))
            if secure:
                context = ssl.create_default_context()
                stream = opened.enter_context(context.wrap_socket(stream, server_hostname=parts.hostname))
            _greet(stream, parts, place)
        except ssl.SSLCertVerificationError as error:
            raise DevctlError("the cache's certificate is not trusted", place, error.verify_message) from error
        except (ssl.SSLError, TimeoutError, ConnectionError, socket.gaierror, OSError) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or type(error).__name__
            raise DevctlError("the cache does not answer", place, why.lower()) from error
    return f"{place}{' over TLS' if secure else ''}"


def _greet(stream: socket.socket, parts: SplitResult, place: str) -> None:
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if password:
        answer = _ask(stream, "AUTH", *([user] if user else []), password)
        if answer.startswith("-ERR") and "without any password" in answer:
            raise DevctlError("the cache asks for no password, yet one is set", place, "anybody may use it")
        if not answer.startswith("+OK"):
            raise DevctlError("the cache refuses these credentials", place, _said(answer))
    answer = _ask(stream, "PING")
    if answer.startswith("-NOAUTH"):
        raise DevctlError("the cache asks for a password, and none is set", place)
    if not answer.startswith("+PONG"):
        raise DevctlError("the cache does not answer as one", place, _said(answer))
    index = parts.path.strip("/")
    if index.isdigit() and not (answer := _ask(stream, "SELECT", index)).startswith("+OK"):
        raise DevctlError(f"the cache has no database {index}", place, _said(answer))


def _said(answer: str) -> str:
    """The kind of error alone: servers may quote what they were sent."""
    word = answer.lstrip("-").split(" ", 1)[0]
    return word if answer.startswith("-") and word.isalpha() else "it speaks another language"


def _ask(stream: socket.socket, *words: str) -> str:
    encoded = [word.encode() for word in words]
    stream.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in encoded))
    answer = b""
    while not answer.endswith(b"\n") and len(answer) < 4096:
        if not (more := stream.recv(1024)):
            break
        answer += more
    return answer.decode(errors="replace")
