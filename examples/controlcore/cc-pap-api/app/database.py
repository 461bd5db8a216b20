"""The engine and its sessions. Nothing connects until a request does."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from .settings import DATABASE_URL

# A health check must answer within a probe's patience, so a database that is gone is noticed in two seconds.
engine = create_engine(
    make_url(DATABASE_URL).set(drivername="postgresql+psycopg"),
    pool_pre_ping=True,
    connect_args={"connect_timeout": 2},
)
sessions = sessionmaker(engine, expire_on_commit=False)


def session() -> Iterator[Session]:
    """A database session for one request."""
    with sessions() as one:
        yield one
