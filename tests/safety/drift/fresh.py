# ruff: noqa: E501 - a table
"""Schemas fresh from their models: nothing may be said of them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    desc,
    func,
    text,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

SETUP = (
    'CREATE SCHEMA billing; CREATE SCHEMA "Odd name"; CREATE EXTENSION pg_trgm; CREATE EXTENSION citext; '
    "CREATE EXTENSION btree_gist; CREATE EXTENSION hstore"
)


class Colour(enum.Enum):
    """An enum of Python's."""

    RED = 1
    DARK_BLUE = 2


def enums() -> MetaData:
    """Shared, in arrays, of Python's, in another schema, as a varchar with a CHECK, with odd labels."""
    metadata = MetaData()
    mood = Enum("fine", "so-so", "it's bad", name="mood", metadata=metadata)
    Table(
        "people", metadata,
        Column("id", Integer, primary_key=True),
        Column("mood", mood, server_default="so-so"),
        Column("moods", pg.ARRAY(mood), server_default=text("'{fine}'")),
        Column("colour", Enum(Colour), nullable=False, server_default="DARK_BLUE"),
        Column("grade", Enum("A", "b", name="Grade", schema="billing")),
        Column("size", Enum("s", "m", name="size", native_enum=False, create_constraint=True)),
        Column("shape", Enum("round", "square", name="shape", native_enum=False, length=20)),
        CheckConstraint("mood <> 'it''s bad'", name="ck_mood"),
    )  # fmt: skip
    Table("pets", metadata, Column("id", Integer, primary_key=True), Column("mood", mood, nullable=False))
    return metadata


def json() -> MetaData:
    """JSON, JSONB, their defaults and indexes."""
    metadata = MetaData()
    Table(
        "documents", metadata,
        Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
        Column("body", pg.JSONB, nullable=False, server_default='{"a": [1, 2]}'),
        Column("plain", pg.JSON, server_default=text("'{}'")),
        Column("more", pg.JSONB(none_as_null=True)),
        Index("ix_body", "body", postgresql_using="gin"),
        Index("ix_path", "body", postgresql_using="gin", postgresql_ops={"body": "jsonb_path_ops"}),
        Index("ix_kind", text("(body ->> 'kind')"), postgresql_where=text("body ? 'kind'")),
        CheckConstraint("jsonb_typeof(body) = 'object'"),
    )  # fmt: skip
    return metadata


def arrays() -> MetaData:
    """Arrays and ranges, with defaults."""
    metadata = MetaData()
    Table(
        "samples", metadata,
        Column("id", Integer, primary_key=True),
        Column("tags", pg.ARRAY(String(20)), nullable=False, server_default="{}"),
        Column("grid", pg.ARRAY(Integer, dimensions=2), server_default=text("ARRAY[[1,2],[3,4]]")),
        Column("prices", pg.ARRAY(Numeric(6, 2))),
        Column("during", pg.TSTZRANGE),
        Column("ages", pg.INT4RANGE, server_default=text("'[0,18)'::int4range")),
        Index("ix_tags", "tags", postgresql_using="gin"),
        CheckConstraint("array_length(tags, 1) < 10 OR tags @> ARRAY['many']::varchar[]", name="few"),
        CheckConstraint("'x' = ANY (tags) IS NOT TRUE"),
    )  # fmt: skip
    return metadata


def identity() -> MetaData:
    """Serials, identities, sequences, keys that are none."""
    metadata = MetaData()
    numbers = Sequence("numbers", start=100, metadata=metadata)
    Table("serials", metadata, Column("id", Integer, primary_key=True), Column("n", Integer))
    Table("small", metadata, Column("id", SmallInteger, primary_key=True))
    Table("always", metadata, Column("id", Integer, Identity(always=True, start=5, increment=5), primary_key=True))
    Table("usual", metadata, Column("id", pg.BIGINT, Identity(), primary_key=True))
    Table("beside", metadata, Column("id", Uuid, primary_key=True), Column("n", Integer, Identity()))
    Table("own", metadata, Column("id", Integer, numbers, server_default=numbers.next_value(), primary_key=True))
    Table("client", metadata, Column("id", Integer, Sequence("client_ids"), primary_key=True))
    Table("named", metadata, Column("code", String(3), primary_key=True), Column("at", Date, primary_key=True))
    Table("manual", metadata, Column("id", Integer, primary_key=True, autoincrement=False))
    Table("keyless", metadata, Column("a", Integer, nullable=False))
    return metadata


def computed() -> MetaData:
    """Generated columns."""
    metadata = MetaData()
    Table(
        "boxes", metadata,
        Column("id", Integer, primary_key=True),
        Column("w", Integer, nullable=False),
        Column("h", Integer, nullable=False),
        Column("name", String(50)),
        Column("area", Integer, Computed("w * h", persisted=True)),
        Column("label", String(80), Computed("upper(name) || '-' || w::text", persisted=True)),
        Column("words", pg.TSVECTOR, Computed("to_tsvector('english', coalesce(name, ''))", persisted=True)),
        Column("wide", Boolean, Computed("w > h", persisted=True), nullable=False),
        Index("ix_words", "words", postgresql_using="gin"),
    )  # fmt: skip
    return metadata


def indexes() -> MetaData:
    """Partial ones, over expressions, in order, with operator classes, covering; of every method."""
    metadata = MetaData()
    table = Table(
        "things", metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String(50), index=True),
        Column("code", Text, unique=True),
        Column("slug", Text, unique=True, index=True),
        Column("active", Boolean, nullable=False, server_default=text("true")),
        Column("at", DateTime(timezone=True)),
        Column("place", pg.INET),
        UniqueConstraint("name", "code", name="uq_name_code", postgresql_nulls_not_distinct=True),
        UniqueConstraint("name", "at", deferrable=True, initially="DEFERRED"),
    )  # fmt: skip
    Index("ix_lower", func.lower(table.c.name), unique=True)
    Index("ix_active", table.c.name, postgresql_where=table.c.active)
    Index("ix_not", table.c.name, postgresql_where=~table.c.active)
    Index("ix_where", table.c.code, postgresql_where=(table.c.active.is_(True)) & (table.c.at > text("'2020-01-01'")))
    Index("ix_in", table.c.code, unique=True, postgresql_where=table.c.name.in_(["a", "b's", "c"]))
    Index("ix_desc", table.c.at.desc(), table.c.name)
    Index("ix_nulls", desc(table.c.at).nulls_last(), table.c.name.asc().nulls_first())
    Index("ix_text", text("at DESC NULLS LAST"), text("lower(code)"), _table=table)
    Index("ix_cast", text("(id::text)"), text("(active AND id > 3)"), _table=table)
    Index("ix_like", table.c.code, postgresql_ops={"code": "text_pattern_ops"})
    Index("ix_default_class", table.c.code, postgresql_ops={"code": "text_ops"})
    Index("ix_cover", table.c.name, postgresql_include=["code", "at"])
    Index("ix_hash", table.c.code, postgresql_using="hash")
    Index("ix_brin", table.c.at, postgresql_using="brin", postgresql_with={"pages_per_range": 32})
    Index("ix_gist", table.c.place, postgresql_using="gist", postgresql_ops={"place": "inet_ops"})
    Index("ix_collate", table.c.code.collate("C"))
    Index("ix_func", func.coalesce(table.c.name, "none"), func.date_part("year", func.timezone("UTC", table.c.at)))
    return metadata


def inheritance() -> MetaData:
    """Joined and single tables, mixins, and PostgreSQL's own inheritance and partitions."""

    class Base(DeclarativeBase):
        @declared_attr.directive
        def __tablename__(cls) -> str | None:  # noqa: N805 - SQLAlchemy's way
            return cls.__name__.lower()

    class Stamped:
        made_at: Mapped[Any] = mapped_column(DateTime, server_default=func.now())

    class Animal(Stamped, Base):
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str] = mapped_column(String(20))
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    class Dog(Animal):
        id: Mapped[int] = mapped_column(ForeignKey("animal.id"), primary_key=True)
        bark: Mapped[str | None]
        __mapper_args__ = {"polymorphic_identity": "dog"}

    class Cat(Animal):
        __tablename__ = None  # type: ignore[assignment]
        lives: Mapped[int | None]
        __mapper_args__ = {"polymorphic_identity": "cat"}

    metadata = Base.metadata
    Table("parent", metadata, Column("id", Integer, primary_key=True), Column("n", Integer, nullable=False),
          CheckConstraint("n > 0", name="positive"))  # fmt: skip
    Table("child", metadata, Column("own", Integer), postgresql_inherits="parent")
    Table("merged", metadata, Column("n", Integer, nullable=False), Column("own", Integer),
          postgresql_inherits="parent")  # fmt: skip
    Table("events", metadata, Column("id", Integer, primary_key=True), Column("at", Date, primary_key=True),
          Index("ix_events_at", "at"), postgresql_partition_by="RANGE (at)")  # fmt: skip
    return metadata


inheritance.after = (  # type: ignore[attr-defined]
    "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
)


def schemas() -> MetaData:
    """Tables of several schemas that refer to each other; names that need quotes."""
    metadata = MetaData()
    Table("account", metadata, Column("id", Integer, primary_key=True))
    Table(
        "invoice", metadata,
        Column("id", Integer, primary_key=True),
        Column("account", Integer, ForeignKey("account.id", ondelete="SET NULL", onupdate="CASCADE")),
        Column("next", Integer, ForeignKey("billing.invoice.id", name="fk_next", deferrable=True, initially="DEFERRED", use_alter=True)),
        schema="billing",
    )  # fmt: skip
    Table("account", metadata, Column("id", Integer, primary_key=True), schema="billing")
    Table(
        "Order", metadata,
        Column("Id", Integer, primary_key=True),
        Column("user", Integer, ForeignKey("billing.account.id"), index=True),
        Column("select", String(5), CheckConstraint('"select" <> \'x.y\'')),
        Column("with space", Integer, server_default=text("7")),
        Column("größe", Integer, key="size"),
        Index("Odd index", text('lower("select")'), postgresql_where=text('"with space" > 0')),
        schema="Odd name",
    )  # fmt: skip
    return metadata


def extensions() -> MetaData:
    """Types and operator classes of extensions; a constraint that excludes."""
    metadata = MetaData()
    Table(
        "rooms", metadata,
        Column("id", Integer, primary_key=True),
        Column("name", pg.CITEXT, unique=True),
        Column("facts", pg.HSTORE, server_default=""),
        Column("during", pg.TSRANGE),
        Column("text", Text),
        Index("ix_trigrams", "text", postgresql_using="gin", postgresql_ops={"text": "gin_trgm_ops"}),
        pg.ExcludeConstraint(("id", "="), ("during", "&&"), name="no_overlap"),
        pg.ExcludeConstraint(("text", "="), ("during", "&&"), where=text("id > 5")),
        CheckConstraint("name <> 'Nowhere'", name="somewhere"),
    )  # fmt: skip
    return metadata


class Money(TypeDecorator[Any]):
    """A type made of another."""

    impl = Numeric(12, 2)
    cache_ok = True


def types() -> MetaData:
    """Every type there is a word for, with its parameters."""
    metadata = MetaData()
    every = [
        Boolean(), SmallInteger(), Integer(), pg.BIGINT(), Numeric(), Numeric(5), Numeric(8, 3), Float(), Float(20),
        Float(50), pg.REAL(), pg.DOUBLE_PRECISION(), String(), String(1), pg.CHAR(4), pg.CHAR(), Text(), LargeBinary(),
        Date(), Time(), pg.TIME(timezone=True, precision=2), DateTime(), pg.TIMESTAMP(precision=3),
        pg.TIMESTAMP(timezone=True, precision=0), Interval(), pg.INTERVAL(fields="DAY TO SECOND", precision=3),
        pg.INTERVAL(fields="YEAR"), Uuid(), pg.INET(), pg.CIDR(), pg.MACADDR(), pg.BIT(3), pg.BIT(varying=True),
        pg.BIT(5, varying=True), pg.MONEY(), pg.OID(), pg.TSVECTOR(), pg.TSQUERY(), pg.JSONPATH(), pg.DATERANGE(),
        pg.NUMRANGE(), Money(), String(9).with_variant(pg.VARCHAR(11), "postgresql"), pg.ARRAY(pg.TIMESTAMP(precision=2)),
        pg.DOMAIN("positive", Integer, check=text("VALUE > 0")), String(7, collation="C"), pg.REGCLASS(),
    ]  # fmt: skip
    Table("types", metadata, *(Column(f"c{number}", type_) for number, type_ in enumerate(every)))
    return metadata


def defaults() -> MetaData:
    """Defaults, checks and keys as people write them, under a naming convention; Alembic's own table beside them."""
    metadata = MetaData(naming_convention={
        "ix": "ix_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s",
    })  # fmt: skip
    Table(
        "items", metadata,
        Column("a", Integer, primary_key=True),
        Column("b", String(5), primary_key=True, server_default="it's"),
        Column("at", DateTime(timezone=True), server_default=text("CURRENT_TIMESTAMP")),
        Column("local", DateTime, server_default=text("(now() at time zone 'utc')")),
        Column("later", DateTime(timezone=True), server_default=text("now() + interval '1 day'")),
        Column("day", Date, server_default=func.current_date()),
        Column("no", Boolean, nullable=False, server_default="false"),
        Column("yes", Boolean, nullable=False, server_default=text("'t'")),
        Column("n", Integer, server_default="0"),
        Column("minus", Integer, server_default=text("-1")),
        Column("rate", Numeric(6, 3), server_default=text("0.1")),
        Column("real", Float, server_default="1.5"),
        Column("raw", LargeBinary, server_default=text("'\\x00'::bytea")),
        Column("who", String(63), server_default=text("CURRENT_USER")),
        Column("percent", String(20), server_default=text("'100%'")),
        Column("gap", Interval, server_default=text("'1 hour'")),
        Column("effect", String(9), CheckConstraint("effect in ('allow', 'deny')", name="effect"), index=True),
        CheckConstraint("n BETWEEN 0 AND 10", name="between"),
        CheckConstraint("n::numeric / 3 > 1 OR rate IS NULL", name="cast"),
        CheckConstraint("percent LIKE '%\\%' AND percent !~ '^[a-z]+$'", name="patterns"),
        CheckConstraint("CASE WHEN no THEN n > 1 ELSE coalesce(n, 0) < 5 END", name="case"),
        UniqueConstraint("n", "minus"),
    )  # fmt: skip
    Table("parts", metadata, Column("id", Integer, primary_key=True), Column("a", Integer), Column("b", String(5)),
          ForeignKeyConstraint(["a", "b"], ["items.a", "items.b"], match="FULL", ondelete="CASCADE"))  # fmt: skip
    Table("a_table_with_a_name_so_long_that_it_fills_all_there_is_to_fill", metadata, Column("id", Integer),
          Column("another_rather_long_name_of_a_column", Integer, unique=True, index=False), Column("x", Integer, index=True),
          UniqueConstraint("id", "x"))  # fmt: skip
    return metadata


defaults.after = "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"  # type: ignore[attr-defined]

SCHEMAS: tuple[Callable[[], MetaData], ...] = (
    enums, json, arrays, identity, computed, indexes, inheritance, schemas, extensions, types, defaults,
)  # fmt: skip
