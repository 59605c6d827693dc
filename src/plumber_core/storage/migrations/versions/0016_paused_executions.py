"""Paused executions: since when, by whom and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("executions", sa.Column("paused_at", sa.BigInteger(), nullable=True))
    op.add_column("executions", sa.Column("pause", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("pause", "paused_at"):
        op.drop_column("executions", name)
