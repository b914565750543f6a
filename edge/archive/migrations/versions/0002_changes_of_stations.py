"""The audit trail takes changes that stations report: when they were made, and their ids"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("audit", sa.Column("happened", sa.BigInteger(), nullable=True))
    op.add_column("audit", sa.Column("change_id", sa.Text(), nullable=True))
    op.create_index("audit_change_id", "audit", ["change_id"], unique=True)
