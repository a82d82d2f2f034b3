"""Which of the vault's keys sealed a raw mail, and what is sealed with each key (clause 4.3)."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mail", sa.Column("key_id", sa.Text(), nullable=True))
    op.create_index("ix_mail_key", "mail", ["key_id", "id"])
    held = sa.text("status = 'held'")
    op.create_index("ix_held_text_key", "held_text", ["key_id", "id"], sqlite_where=held, postgresql_where=held)


def downgrade() -> None:
    op.drop_index("ix_held_text_key", table_name="held_text")
    op.drop_index("ix_mail_key", table_name="mail")
    with op.batch_alter_table("mail") as mail:
        mail.drop_column("key_id")
