"""Hosts that are offline: how long they are waited for, how many were left out, and why a step was never handed out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("executions", sa.Column("offline_after", sa.BigInteger(), nullable=True))
    op.add_column("progress", sa.Column("missed", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("step_executions", sa.Column("cause", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("step_executions", "cause")
    op.drop_column("progress", "missed")
    op.drop_column("executions", "offline_after")
