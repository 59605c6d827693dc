"""An agent's greeting names its state folder."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("agents", sa.Column("install", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("agents", "install")
