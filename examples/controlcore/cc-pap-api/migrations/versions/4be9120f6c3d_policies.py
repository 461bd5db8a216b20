"""Policies, which belong to users"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4be9120f6c3d"
down_revision = "1c04d8a7e2f5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("description", sa.String(400), server_default="", nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("effect", sa.String(10), nullable=False),
        sa.Column("methods", sa.String(80), server_default="*", nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("needs_key", sa.Boolean, server_default="false", nullable=False),
        sa.Column("enabled", sa.Boolean, server_default="true", nullable=False),
        sa.Column("owner_id", sa.Integer, nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("effect in ('allow', 'deny')", name="ck_policies_effect"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_policies_owner_id_users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_policies"),
        sa.UniqueConstraint("name", name="uq_policies_name"),
    )
    op.create_index("ix_policies_position", "policies", ["position"])


def downgrade() -> None:
    op.drop_index("ix_policies_position", "policies")
    op.drop_table("policies")
