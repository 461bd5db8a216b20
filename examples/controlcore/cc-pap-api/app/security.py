"""Passwords, API keys and login sessions."""

from __future__ import annotations

import hashlib
import hmac
import secrets

import redis

from .settings import REDIS_URL, SECRET_KEY, SESSION_SECONDS

ROUNDS = 200_000
store = redis.Redis.from_url(REDIS_URL, decode_responses=True, socket_timeout=2, socket_connect_timeout=2)


def hash_password(password: str) -> str:
    """A salted hash that says how it was made."""
    salt = secrets.token_hex(16)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), ROUNDS)
    return f"pbkdf2_sha256${ROUNDS}${salt}${digest.hex()}"


def verify_password(password: str, stored: str) -> bool:
    """Whether the password is the one `stored` was made of."""
    _, rounds, salt, digest = stored.split("$")
    tried = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), int(rounds))
    return hmac.compare_digest(tried.hex(), digest)


def new_api_key(environment: str) -> str:
    """A key whose first letters say which environment it opens."""
    return f"cc_{environment}_{secrets.token_urlsafe(24)}"


def _place(token: str) -> str:
    # Redis holds a digest, so that reading it gives nobody a session.
    return "session:" + hmac.new(SECRET_KEY.encode(), token.encode(), hashlib.sha256).hexdigest()


def open_session(user_id: int) -> str:
    """A new token for this user."""
    token = secrets.token_urlsafe(32)
    store.set(_place(token), user_id, ex=SESSION_SECONDS)
    return token


def session_user(token: str) -> int | None:
    """Whose token this is, or None."""
    found = store.get(_place(token))
    return int(found) if found else None


def close_session(token: str) -> None:
    """Forgets the token."""
    store.delete(_place(token))
