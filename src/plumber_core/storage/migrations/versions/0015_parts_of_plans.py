"""Parts of plans: how each has ended, how all but what always runs has, and whether that was cancelled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("progress", sa.Column("outcome", sa.Text(), nullable=True))
    op.add_column("executions", sa.Column("main_state", sa.Text(), nullable=True))
    op.add_column(
        "executions", sa.Column("always_cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("executions", "always_cancelled")
    op.drop_column("executions", "main_state")
    op.drop_column("progress", "outcome")
