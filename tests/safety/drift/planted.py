# ruff: noqa: E501 - a table
"""Differences planted one at a time: what is done to a database that is as its models, and what must be said of it.

``docs/tools/drift.py`` makes the table of docs/database.md from the same cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()
accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", String(120), nullable=False),
    Column("name", Text),
    Column("code", String(12, collation="C")),
    Column("plan", Enum("free", "team", "firm", name="plan"), nullable=False, server_default="free"),
    Column("balance", Numeric(10, 2), nullable=False, server_default=text("0")),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("tags", ARRAY(Text)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("active", Integer, nullable=False, server_default=text("1")),
    UniqueConstraint("email", name="uq_accounts_email"),
    UniqueConstraint("code", "name", name="uq_accounts_code"),
    CheckConstraint("balance >= 0 AND plan <> 'firm'", name="ck_accounts_balance"),
    CheckConstraint("length(name) > 1", name="ck_accounts_name"),
    Index("ix_accounts_created", "created_at"),
    Index("ix_accounts_plan", "plan", "active"),
    Index("ix_accounts_live", "email", postgresql_where=text("active = 1")),
    Index("ix_accounts_lower", func.lower(text("email")), unique=True),
    Index("ix_accounts_settings", "settings", postgresql_using="gin"),
    Index("ix_accounts_pattern", "email", postgresql_ops={"email": "varchar_pattern_ops"}),
    Index("ix_accounts_newest", text("created_at DESC")),
    Index("ix_accounts_cover", "email", postgresql_include=["name"]),
)
orders = Table(
    "orders",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("account_id", Integer, nullable=False),
    Column("net", Numeric(10, 2), nullable=False),
    Column("gross", Numeric(10, 2), Computed("net * 1.19", persisted=True)),
    Column("note", String(200)),
    Column("facts", JSONB),
    ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_orders_account", ondelete="CASCADE"),
)
lines = Table(
    "lines",
    metadata,
    Column("order_id", BigInteger, ForeignKey("orders.id", name="fk_lines_order"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)


@dataclass(frozen=True)
class Case:
    """``what`` is done in ``sql``; ``kind`` and ``place`` are those of the difference that must be among those told."""

    what: str
    sql: str
    kind: str
    place: str


def _(what: str, sql: str, kind: str, place: str) -> Case:
    return Case(what, sql, kind, place)


CASES = (
    _("a table is missing", "DROP TABLE lines", "missing_table", "lines"),
    _("a table too many", "CREATE TABLE drafts (id int)", "surplus_table", "drafts"),
    _("a column is missing", "ALTER TABLE orders DROP note", "missing_column", "orders.note"),
    _("a column too many", "ALTER TABLE orders ADD paid boolean", "surplus_column", "orders.paid"),
    _("another type", "ALTER TABLE orders ALTER note TYPE text", "type", "orders.note"),
    _("another length", "ALTER TABLE orders ALTER note TYPE varchar(100)", "type", "orders.note"),
    _("another precision", "ALTER TABLE accounts ALTER balance TYPE numeric(12, 4)", "type", "accounts.balance"),
    _("integer for bigint", "ALTER TABLE lines DROP CONSTRAINT fk_lines_order, ALTER order_id TYPE integer", "type",
      "lines.order_id"),
    _("no time zone", "ALTER TABLE accounts ALTER created_at TYPE timestamp", "type", "accounts.created_at"),
    _("json for jsonb", "ALTER TABLE orders ALTER facts TYPE json", "type", "orders.facts"),
    _("an array of another type", "ALTER TABLE accounts ALTER tags TYPE varchar(10)[]", "type", "accounts.tags"),
    _("another collation", 'ALTER TABLE accounts ALTER code TYPE varchar(12) COLLATE "default"', "type", "accounts.code"),
    _("null is allowed", "ALTER TABLE accounts ALTER email DROP NOT NULL", "nullable", "accounts.email"),
    _("null is not allowed", "ALTER TABLE orders ALTER note SET NOT NULL", "nullable", "orders.note"),
    _("a default is missing", "ALTER TABLE accounts ALTER plan DROP DEFAULT", "default", "accounts.plan"),
    _("another default", "ALTER TABLE accounts ALTER balance SET DEFAULT 100", "default", "accounts.balance"),
    _("a default too many", "ALTER TABLE orders ALTER note SET DEFAULT '-'", "default", "orders.note"),
    _("a sequence is gone", "ALTER TABLE accounts ALTER id DROP DEFAULT", "default", "accounts.id"),
    _("no identity", "ALTER TABLE orders ALTER id DROP IDENTITY", "default", "orders.id"),
    _("another identity", "ALTER TABLE orders ALTER id SET GENERATED BY DEFAULT", "default", "orders.id"),
    _("another computed expression", "ALTER TABLE orders DROP gross, ADD gross numeric(10, 2) GENERATED ALWAYS AS "
      "(net * 1.07) STORED", "default", "orders.gross"),
    _("a computed column is a plain one", "ALTER TABLE orders ALTER gross DROP EXPRESSION", "default", "orders.gross"),
    _("no primary key", "ALTER TABLE lines DROP CONSTRAINT lines_pkey", "missing_primary_key", "lines.order_id, number"),
    _("another primary key", "ALTER TABLE lines DROP CONSTRAINT lines_pkey, ADD PRIMARY KEY (order_id)",
      "missing_primary_key", "lines.order_id, number"),
    _("a foreign key is missing", "ALTER TABLE lines DROP CONSTRAINT fk_lines_order", "missing_foreign_key",
      "lines.fk_lines_order"),
    _("a foreign key too many", "ALTER TABLE lines ADD CONSTRAINT fk_more FOREIGN KEY (number) REFERENCES accounts",
      "surplus_foreign_key", "lines.fk_more"),
    _("another ON DELETE", "ALTER TABLE orders DROP CONSTRAINT fk_orders_account, ADD CONSTRAINT fk_orders_account "
      "FOREIGN KEY (account_id) REFERENCES accounts", "missing_foreign_key", "orders.fk_orders_account"),
    _("a foreign key that is deferred", "ALTER TABLE orders ALTER CONSTRAINT fk_orders_account DEFERRABLE INITIALLY "
      "DEFERRED", "missing_foreign_key", "orders.fk_orders_account"),
    _("a unique constraint is missing", "ALTER TABLE accounts DROP CONSTRAINT uq_accounts_email", "missing_unique",
      "accounts.uq_accounts_email"),
    _("a unique constraint too many", "ALTER TABLE orders ADD CONSTRAINT uq_note UNIQUE (note)", "surplus_unique",
      "orders.uq_note"),
    _("unique over other columns", "ALTER TABLE accounts DROP CONSTRAINT uq_accounts_code, ADD CONSTRAINT "
      "uq_accounts_code UNIQUE (code)", "missing_unique", "accounts.uq_accounts_code"),
    _("unique, nulls too", "ALTER TABLE accounts DROP CONSTRAINT uq_accounts_code, ADD CONSTRAINT uq_accounts_code "
      "UNIQUE NULLS NOT DISTINCT (code, name)", "missing_unique", "accounts.uq_accounts_code"),
    _("an index is missing", "DROP INDEX ix_accounts_created", "missing_index", "accounts.ix_accounts_created"),
    _("an index too many", "CREATE INDEX ix_more ON orders (note)", "surplus_index", "orders.ix_more"),
    _("an index over other columns", "DROP INDEX ix_accounts_plan; CREATE INDEX ix_accounts_plan ON accounts (plan)",
      "missing_index", "accounts.ix_accounts_plan"),
    _("an index that is not unique", "DROP INDEX ix_accounts_lower; CREATE INDEX ix_accounts_lower ON accounts "
      "(lower(email))", "missing_index", "accounts.ix_accounts_lower"),
    _("another condition of a partial index", "DROP INDEX ix_accounts_live; CREATE INDEX ix_accounts_live ON accounts "
      "(email) WHERE active = 2", "missing_index", "accounts.ix_accounts_live"),
    _("a partial index without its condition", "DROP INDEX ix_accounts_live; CREATE INDEX ix_accounts_live ON accounts "
      "(email)", "missing_index", "accounts.ix_accounts_live"),
    _("another index expression", "DROP INDEX ix_accounts_lower; CREATE UNIQUE INDEX ix_accounts_lower ON accounts "
      "(upper(email))", "missing_index", "accounts.ix_accounts_lower"),
    _("another index method", "DROP INDEX ix_accounts_created; CREATE INDEX ix_accounts_created ON accounts USING brin "
      "(created_at)", "missing_index", "accounts.ix_accounts_created"),
    _("another operator class", "DROP INDEX ix_accounts_pattern; CREATE INDEX ix_accounts_pattern ON accounts (email)",
      "missing_index", "accounts.ix_accounts_pattern"),
    _("an index in another order", "DROP INDEX ix_accounts_newest; CREATE INDEX ix_accounts_newest ON accounts "
      "(created_at)", "missing_index", "accounts.ix_accounts_newest"),
    _("an index that covers less", "DROP INDEX ix_accounts_cover; CREATE INDEX ix_accounts_cover ON accounts (email)",
      "missing_index", "accounts.ix_accounts_cover"),
    _("a check is missing", "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_name", "missing_check",
      "accounts.ck_accounts_name"),
    _("a check too many", "ALTER TABLE orders ADD CONSTRAINT ck_more CHECK (net > 0)", "surplus_check",
      "orders.ck_more"),
    _("another check", "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_name, ADD CONSTRAINT ck_accounts_name CHECK "
      "(length(name) > 2)", "missing_check", "accounts.ck_accounts_name"),
    _("a check that old rows escape", "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_name, ADD CONSTRAINT "
      "ck_accounts_name CHECK (length(name) > 1) NOT VALID", "missing_check", "accounts.ck_accounts_name"),
    _("an enum value is missing", "ALTER TYPE plan RENAME TO old; CREATE TYPE plan AS ENUM ('free', 'firm'); ALTER TABLE "
      "accounts ALTER plan DROP DEFAULT, DROP CONSTRAINT ck_accounts_balance, ALTER plan TYPE plan USING "
      "plan::text::plan, ALTER plan SET DEFAULT 'free', ADD CONSTRAINT ck_accounts_balance CHECK (balance >= 0 AND plan "
      "<> 'firm'); DROP TYPE old", "missing_enum_value", "accounts.team"),
    _("an enum value too many", "ALTER TYPE plan ADD VALUE 'trial'", "surplus_enum_value", "accounts.trial"),
    _("enum values in another order", "ALTER TYPE plan RENAME VALUE 'team' TO 'x'; ALTER TYPE plan RENAME VALUE 'free' TO "
      "'team'; ALTER TYPE plan RENAME VALUE 'x' TO 'free'; ALTER TABLE accounts ALTER plan SET DEFAULT 'free'", "type",
      "accounts.plan"),
)  # fmt: skip


def alembic_finds(connection: Any) -> bool:
    """Whether ``alembic check`` would say that something differs: what it compares, with types and defaults."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"compare_type": True, "compare_server_default": True}
    return bool(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))
