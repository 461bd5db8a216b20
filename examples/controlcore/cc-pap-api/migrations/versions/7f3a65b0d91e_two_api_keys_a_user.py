"""Two API keys a user: one to try things out with, one for production"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "7f3a65b0d91e"
down_revision = "4be9120f6c3d"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("api_key_sandbox", sa.String(64), nullable=True))
    op.add_column("users", sa.Column("api_key_production", sa.String(64), nullable=True))
    # Everybody has a sandbox key from now on; those who are here already get theirs before the column demands it.
    op.execute("update users set api_key_sandbox = 'cc_sandbox_' || replace(gen_random_uuid()::text, '-', '')")
    op.alter_column("users", "api_key_sandbox", existing_type=sa.String(64), nullable=False)
    op.create_unique_constraint("uq_users_api_key_sandbox", "users", ["api_key_sandbox"])
    op.create_unique_constraint("uq_users_api_key_production", "users", ["api_key_production"])


def downgrade() -> None:
    op.drop_constraint("uq_users_api_key_production", "users", type_="unique")
    op.drop_constraint("uq_users_api_key_sandbox", "users", type_="unique")
    op.drop_column("users", "api_key_production")
    op.drop_column("users", "api_key_sandbox")
