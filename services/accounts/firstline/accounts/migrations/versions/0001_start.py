"""The first tables: log and answers, the directory, and credentials."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, Serial, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "answer",
    "log_event",
    "log_relay",
    "organization",
    "person",
    "licence",
    "api_key",
    "sign_in_link",
    "refresh_token",
)


def upgrade() -> None:
    _answers()
    _log()
    _organizations()
    _people()
    _licences()
    _keys()
    _sessions()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _answers() -> None:
    op.create_table(
        "answer",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("stored_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_answer"),
    )
    op.create_index("ix_answer_stored_at", "answer", ["stored_at"])


def _log() -> None:
    op.create_table(
        "log_event",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("data", sa.Text()),
        sa.Column("salt", sa.Text()),
        sa.Column("data_hash", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("position", sa.BigInteger()),
        sa.Column("hash", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="pk_log_event"),
        sa.UniqueConstraint("stream", "version", name="uq_log_event_stream_version"),
        sqlite_autoincrement=True,
    )
    numbered, unnumbered = sa.text("position IS NOT NULL"), sa.text("position IS NULL")
    op.create_index(
        "ix_log_event_position",
        "log_event",
        ["position"],
        unique=True,
        sqlite_where=numbered,
        postgresql_where=numbered,
    )
    op.create_index(
        "ix_log_event_unnumbered", "log_event", ["seq"], sqlite_where=unnumbered, postgresql_where=unnumbered
    )
    op.create_table(
        "log_relay",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_relay"),
    )


def _organizations() -> None:
    op.create_table(
        "organization",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
    )
    op.create_index("ix_organization_name", "organization", ["name", "kind", "id"])


def _people() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("language", sa.Text()),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("tier", sa.Text()),
        sa.Column("skills", JsonText(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_person_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("email", name="uq_person_email"),
    )
    op.create_index("ix_person_organization", "person", ["organization_id", "id"])


def _licences() -> None:
    op.create_table(
        "licence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.Text(), nullable=False),
        sa.Column("last4", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("edition", sa.Text()),
        sa.Column("active_until", UtcTime()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_licence_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_licence"),
        sa.UniqueConstraint("key_sha256", name="uq_licence_key_sha256"),
    )
    op.create_index("ix_licence_organization", "licence", ["organization_id", "id"])


def _keys() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("last4", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text()),
        sa.Column("organization_id", sa.Text()),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime()),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_api_key_person_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_api_key_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("sha256", name="uq_api_key_sha256"),
    )
    op.create_index("ix_api_key_organization", "api_key", ["organization_id", "id"])


def _sessions() -> None:
    op.create_table(
        "sign_in_link",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("uses_left", sa.Integer()),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_sign_in_link_person_id"),
        sa.PrimaryKeyConstraint("sha256", name="pk_sign_in_link"),
    )
    op.create_index("ix_sign_in_link_expires_at", "sign_in_link", ["expires_at"])
    op.create_table(
        "refresh_token",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("rotated_at", UtcTime()),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_refresh_token_person_id"),
        sa.PrimaryKeyConstraint("sha256", name="pk_refresh_token"),
    )
    for column in ("person_id", "family", "expires_at"):
        op.create_index(f"ix_refresh_token_{column}", "refresh_token", [column])
