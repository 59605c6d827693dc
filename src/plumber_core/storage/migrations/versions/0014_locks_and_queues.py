"""Locks and queues: who holds what, who asks for it, and which rows give something back when they end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

ASKING = sa.text("granted_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=True),
        sa.Column("priority", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("overlap", sa.Text(), nullable=True),
        sa.Column("most_waiting", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index("ix_holds_name_id", "holds", ["name", "id"])
    op.create_index("ix_holds_holder", "holds", ["holder"])
    op.create_index("ix_holds_asking", "holds", ["name"], postgresql_where=ASKING, sqlite_where=ASKING)
    for table in ("executions", "step_executions"):
        op.add_column(table, sa.Column("locked", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    for table in ("step_executions", "executions"):
        op.execute(f"DROP TRIGGER IF EXISTS {table}_give_back{f' ON {table}' if postgres else ''}")
        op.drop_column(table, "locked")
    op.drop_table("holds")
