"""Hosts that somebody has taken out of an execution."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("executions", sa.Column("left_out", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("executions", "left_out")
