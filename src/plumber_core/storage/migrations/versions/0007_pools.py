"""Pools: steps that are not pinned to an agent; whoever is free of those that match claims one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

FREE = sa.text("state = 'ready' AND pool IS NOT NULL")
CLAIMED = sa.text("state = 'claimed'")


def upgrade() -> None:
    op.create_table(
        "pools",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pools")),
    )
    op.create_table(
        "pool_members",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pool", "agent_id", name=op.f("pk_pool_members")),
    )
    op.create_index("ix_pool_members_agent_id", "pool_members", ["agent_id"])
    op.add_column("step_executions", sa.Column("pool", sa.Text(), nullable=True))
    op.create_index(
        "ix_step_executions_pool", "step_executions", ["pool", "ready_at"], postgresql_where=FREE, sqlite_where=FREE
    )
    op.create_index(
        "ix_step_executions_claimed", "step_executions", ["attempt_id"], postgresql_where=CLAIMED, sqlite_where=CLAIMED
    )


def downgrade() -> None:
    op.drop_index("ix_step_executions_claimed", "step_executions")
    op.drop_index("ix_step_executions_pool", "step_executions")
    op.drop_column("step_executions", "pool")
    op.drop_index("ix_pool_members_agent_id", "pool_members")
    op.drop_table("pool_members")
    op.drop_table("pools")
