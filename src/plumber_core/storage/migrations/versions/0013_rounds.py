"""Rounds: people run steps anew, skip them or mark them as done; older rows stay as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    for name in ("round", "resumed"):
        op.add_column("executions", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("step_executions", sa.Column("by_hand", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("step_executions", "by_hand")
    for name in ("resumed", "round"):
        op.drop_column("executions", name)
