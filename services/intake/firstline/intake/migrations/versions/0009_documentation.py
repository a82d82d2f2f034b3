"""Documentation with a full-text index, its use, canned answers, and what was suggested for a request."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SQLITE_INDEX = (
    """
    CREATE VIRTUAL TABLE article_fts USING fts5(
        title, text, content='article', content_rowid='seq', tokenize='unicode61 remove_diacritics 0'
    )
    """,
    "INSERT INTO article_fts (article_fts, rank) VALUES ('rank', 'bm25(5.0, 1.0)')",
    """
    CREATE TRIGGER article_added AFTER INSERT ON article BEGIN
        INSERT INTO article_fts (rowid, title, text) VALUES (new.seq, new.title, new.text);
    END
    """,
    """
    CREATE TRIGGER article_removed AFTER DELETE ON article BEGIN
        INSERT INTO article_fts (article_fts, rowid, title, text) VALUES ('delete', old.seq, old.title, old.text);
    END
    """,
    """
    CREATE TRIGGER article_changed AFTER UPDATE ON article BEGIN
        INSERT INTO article_fts (article_fts, rowid, title, text) VALUES ('delete', old.seq, old.title, old.text);
        INSERT INTO article_fts (rowid, title, text) VALUES (new.seq, new.title, new.text);
    END
    """,
)
POSTGRES_INDEX = (
    """
    ALTER TABLE article ADD COLUMN words tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', text), 'B')
    ) STORED
    """,
    "CREATE INDEX ix_article_words ON article USING gin (words)",
)


def upgrade() -> None:
    op.create_table(
        "article",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_article")),
        sa.UniqueConstraint("id", name=op.f("uq_article_id")),
        sa.UniqueConstraint("url", name=op.f("uq_article_url")),
    )
    op.create_table(
        "article_use",
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("article_id", "kind", "ticket_id", name=op.f("pk_article_use")),
    )
    op.create_table(
        "canned_answer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("article_ids", JsonText(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_answer")),
        sa.UniqueConstraint("code", name=op.f("uq_canned_answer_code")),
    )
    op.add_column("ticket", sa.Column("suggested_articles", JsonText(), server_default="[]", nullable=False))
    for statement in SQLITE_INDEX if _on_sqlite() else POSTGRES_INDEX:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("canned_answer")
    op.drop_table("article_use")
    op.drop_table("article")
    if _on_sqlite():
        op.execute("DROP TABLE article_fts")
    with op.batch_alter_table("ticket") as batch_op:
        batch_op.drop_column("suggested_articles")


def _on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
