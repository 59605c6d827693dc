"""How busy agents' hosts are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("agents", sa.Column("load", sa.Double(), nullable=True))
    op.add_column("agents", sa.Column("memory", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("agents", "memory")
    op.drop_column("agents", "load")
