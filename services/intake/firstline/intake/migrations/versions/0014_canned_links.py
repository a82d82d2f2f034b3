"""Which canned answers link which pages, how often pages did not help, and no canned answer that links what is gone."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "article_use_count",
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("article_id", "kind", name=op.f("pk_article_use_count")),
    )
    op.add_column("article_use", sa.Column("counted", sa.Boolean(), server_default=sa.false(), nullable=False))
    uncounted = sa.text("NOT counted")
    op.create_index(
        "ix_article_use_uncounted",
        "article_use",
        ["article_id", "kind"],
        sqlite_where=uncounted,
        postgresql_where=uncounted,
    )
    op.create_table(
        "canned_answer_article",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", "article_id", name=op.f("pk_canned_answer_article")),
    )
    op.create_index("ix_canned_answer_article", "canned_answer_article", ["article_id", "code"])
    _link()


def _link() -> None:
    """Note which pages the canned answers link, and drop those that are gone."""
    here = op.get_bind()
    known = {article_id for (article_id,) in here.execute(sa.text("SELECT id FROM article"))}
    for code, given in here.execute(sa.text("SELECT code, article_ids FROM canned_answer")).fetchall():
        ids = json.loads(given) if isinstance(given, str) else given
        kept = [article_id for article_id in dict.fromkeys(ids) if article_id in known]
        if kept != ids:
            change = "UPDATE canned_answer SET article_ids = :ids WHERE code = :code"
            here.execute(sa.text(change), {"ids": json.dumps(kept), "code": code})
        for article_id in kept:
            link = "INSERT INTO canned_answer_article (code, article_id) VALUES (:code, :article_id)"
            here.execute(sa.text(link), {"code": code, "article_id": article_id})


def downgrade() -> None:
    op.drop_table("canned_answer_article")
    op.drop_index("ix_article_use_uncounted", table_name="article_use")
    with op.batch_alter_table("article_use") as batch_op:
        batch_op.drop_column("counted")
    op.drop_table("article_use_count")
