"""Which database this is, and until when it is known to have forgotten nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("meta", sa.Column("identity", sa.Text(), nullable=True))
    op.add_column("meta", sa.Column("known_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    op.drop_column("meta", "known_until")
    op.drop_column("meta", "identity")
