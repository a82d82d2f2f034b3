"""Which files wait for the virus scanner, and which rows name a file."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    held = sa.text("status = 'held'")
    op.create_index("ix_attachment_held", "attachment", ["id"], sqlite_where=held, postgresql_where=held)
    op.create_index("ix_attachment_file", "attachment", ["file_key"])
    op.create_index("ix_mail_file", "mail", ["file_key"])


def downgrade() -> None:
    op.drop_index("ix_mail_file", table_name="mail")
    op.drop_index("ix_attachment_file", table_name="attachment")
    op.drop_index("ix_attachment_held", table_name="attachment")
