"""On how many pages each word stands."""

import re
from collections import Counter

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WORD = re.compile(r"[^\W_]{3,}")
LONGEST = 60


def upgrade() -> None:
    words = op.create_table(
        "article_word",
        sa.Column("word", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("articles", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_article_word")),
    )
    counted: Counter[str] = Counter()
    for title, text in op.get_bind().execute(sa.text("SELECT title, text FROM article")):
        counted.update({word[:LONGEST] for word in WORD.findall(f"{title} {text}".lower())})
    if counted:
        op.bulk_insert(words, [{"word": word, "articles": articles} for word, articles in sorted(counted.items())])


def downgrade() -> None:
    op.drop_table("article_word")
