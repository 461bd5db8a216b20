"""How Alembic reaches the database: over the connection or the address it is given, else as the service itself does."""

from __future__ import annotations

from alembic import context
from app.models import Base
from app.settings import DATABASE_URL
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.pool import NullPool

url = make_url(context.config.get_main_option("sqlalchemy.url") or DATABASE_URL).set(drivername="postgresql+psycopg")


def migrate(connection: Connection) -> None:
    """All of a run's migrations or none of them."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():  # `alembic upgrade head --sql`: what would be done, for somebody else to run
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    with create_engine(url, poolclass=NullPool).connect() as own:
        migrate(own)
