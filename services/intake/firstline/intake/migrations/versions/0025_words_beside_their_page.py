"""Words of a page beside the page: PostgreSQL's planner does not count what it takes to fetch them from elsewhere."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE article ALTER COLUMN words SET STORAGE MAIN")
        op.execute("UPDATE article SET title = title")  # writes each page's words anew, at their new place


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE article ALTER COLUMN words SET STORAGE EXTENDED")
