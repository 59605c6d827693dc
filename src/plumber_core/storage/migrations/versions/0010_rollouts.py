"""Rollouts: a stage may wait for its pause or for somebody, and knows how many hosts have failed before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

OPENS = sa.text("opens_at IS NOT NULL")


def upgrade() -> None:
    op.add_column("progress", sa.Column("carried", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("progress", sa.Column("waits", sa.Text(), nullable=True))
    op.add_column("progress", sa.Column("opens_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_progress_opens", "progress", ["opens_at"], postgresql_where=OPENS, sqlite_where=OPENS)


def downgrade() -> None:
    op.drop_index("ix_progress_opens", "progress")
    op.drop_column("progress", "opens_at")
    op.drop_column("progress", "waits")
    op.drop_column("progress", "carried")
