"""Held mail: why it was held, who judged it, when, and why it was rejected."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("held_reason", "decided_by", "remark"):
        op.add_column("mail", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("mail", sa.Column("decided_at", UtcTime(), nullable=True))
    op.create_index("ix_mail_ticket", "mail", ["ticket_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_mail_ticket", "mail")
    with op.batch_alter_table("mail") as batch_op:
        for name in ("decided_at", "remark", "decided_by", "held_reason"):
            batch_op.drop_column(name)
