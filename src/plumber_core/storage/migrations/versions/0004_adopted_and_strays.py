"""What agents ran that the database had forgotten: adopted steps, and strays whose execution it does not know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    zero = sa.text("0")
    op.add_column("executions", sa.Column("adopted", sa.BigInteger(), server_default=zero, nullable=False))
    op.create_table(
        "strays",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), server_default="", nullable=False),
        sa.Column("step", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strays")),
    )


def downgrade() -> None:
    op.drop_table("strays")
    op.drop_column("executions", "adopted")
