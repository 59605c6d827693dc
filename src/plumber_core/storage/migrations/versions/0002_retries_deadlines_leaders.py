"""Retries, deadlines, leaders' leases, and what retention has deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WAITS = sa.text("state = 'retry_wait'")


def upgrade() -> None:
    zero = sa.text("0")
    op.add_column("step_executions", sa.Column("retries", sa.BigInteger(), server_default=zero, nullable=False))
    op.add_column("executions", sa.Column("deadline_at", sa.BigInteger(), nullable=True))
    op.add_column("executions", sa.Column("queue_timeout", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_step_executions_retry", "step_executions", ["ready_at"], postgresql_where=WAITS, sqlite_where=WAITS
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "deleted_executions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deleted_executions")),
    )


def downgrade() -> None:
    op.drop_table("deleted_executions")
    op.drop_table("leases")
    op.drop_index("ix_step_executions_retry", "step_executions")
    op.drop_column("executions", "queue_timeout")
    op.drop_column("executions", "deadline_at")
    op.drop_column("step_executions", "retries")
