"""The executions that somebody has requested are found by an index."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("ix_executions_requested_by_id", "executions", ["requested_by", "id"])


def downgrade() -> None:
    op.drop_index("ix_executions_requested_by_id", "executions")
