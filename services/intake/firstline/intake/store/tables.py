"""Intake's tables: requests, correspondence, files, raw mail, and copies of what other services say.

Those of the documentation and of words stand beside it, in `article_tables` and `word_tables`.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from firstline.common.store.tables import (
    NAMING,
    JsonText,
    UtcTime,
    add_answer_table,
    add_erasure_table,
    add_inbox_tables,
    add_log_tables,
)

METADATA = sa.MetaData(naming_convention=NAMING)
add_log_tables(METADATA)
add_inbox_tables(METADATA)
add_answer_table(METADATA)
add_erasure_table(METADATA)


class IntakeTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of this service's tables, with metadata of its own."""


def partial(condition: str) -> dict[str, Any]:
    """Return what makes an index hold only the rows of a condition, on every database."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


class TicketTable(IntakeTable, table=True):
    """A request as it stands now."""

    __tablename__ = "ticket"
    __table_args__ = (
        # A reference is taken once, so a submission that is sent again finds the first: within an organisation, or for
        # its own sender where there is none (NULL is unlike NULL, so the first of the two lets those through).
        sa.UniqueConstraint("external_ref", "organization_id"),
        sa.Index(
            "ix_ticket_own_ref",
            "external_ref",
            "requester_email",
            unique=True,
            **partial("external_ref IS NOT NULL AND organization_id IS NULL"),
        ),
        # For lists: each filter with the ID, in whose order pages follow one another.
        sa.Index("ix_ticket_organization", "organization_id", "id"),
        sa.Index("ix_ticket_status", "status", "id"),
        sa.Index("ix_ticket_tier", "tier", "id"),
        sa.Index("ix_ticket_urgency", "urgency", "id"),
        sa.Index("ix_ticket_topic", "topic", "id", **partial("topic IS NOT NULL")),
        sa.Index("ix_ticket_waiting_cause", "waiting_cause", "id", **partial("waiting_cause IS NOT NULL")),
        sa.Index("ix_ticket_updated_at", "updated_at"),
        # Backwards along relations: what came of a request.
        sa.Index("ix_ticket_split_from", "split_from", **partial("split_from IS NOT NULL")),
        sa.Index("ix_ticket_merged_into", "merged_into", **partial("merged_into IS NOT NULL")),
        sa.Index("ix_ticket_follows", "follows", **partial("follows IS NOT NULL")),
        sa.Index("ix_ticket_awaited_release", "awaited_release", "id", **partial("awaited_release IS NOT NULL")),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    number: str = Field(unique=True, sa_type=sa.Text)
    version: int
    status: str = Field(sa_type=sa.Text)
    waiting_cause: str | None = Field(sa_type=sa.Text)
    circumstance: str | None = Field(sa_type=sa.Text)
    close_reason: str | None = Field(sa_type=sa.Text)
    subject: str = Field(sa_type=sa.Text)
    topic: str | None = Field(sa_type=sa.Text)
    tier: str = Field(sa_type=sa.Text)
    urgency: str = Field(sa_type=sa.Text)
    urgency_provisional: bool
    urgency_reason: str | None = Field(sa_type=sa.Text)
    urgency_claim: str | None = Field(sa_type=sa.Text)
    recovery: str = Field(sa_type=sa.Text)
    complexity: str | None = Field(sa_type=sa.Text)
    language: str = Field(sa_type=sa.Text)
    scope: str = Field(sa_type=JsonText)
    entitlement: str = Field(sa_type=sa.Text)
    missing_information: str = Field(sa_type=JsonText)
    hints: str = Field(sa_type=JsonText, sa_column_kwargs={"server_default": "[]"})
    doc_required: bool
    policy_version: str = Field(sa_type=sa.Text)
    requester_id: str | None = Field(sa_type=sa.Text)
    requester_email: str = Field(sa_type=sa.Text)
    requester_name: str | None = Field(sa_type=sa.Text)
    organization_id: str | None = Field(sa_type=sa.Text)
    product: str | None = Field(sa_type=sa.Text)
    product_version: str | None = Field(sa_type=sa.Text)
    licence_last4: str | None = Field(sa_type=sa.Text)
    licence_id: str | None = Field(sa_type=sa.Text)
    fields: str = Field(sa_type=JsonText)
    doc_refs: str = Field(sa_type=JsonText)
    suggested_articles: str = Field(sa_type=JsonText, sa_column_kwargs={"server_default": "[]"})
    external_ref: str | None = Field(sa_type=sa.Text)
    details: str = Field(sa_type=JsonText, sa_column_kwargs={"name": "metadata"})
    channel: str = Field(sa_type=sa.Text)
    verified: bool
    follows: str | None = Field(sa_type=sa.Text)
    split_from: str | None = Field(sa_type=sa.Text)
    merged_into: str | None = Field(sa_type=sa.Text)
    reopen_count: int
    received_at: datetime = Field(sa_type=UtcTime)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)
    resolved_at: datetime | None = Field(sa_type=UtcTime)
    closed_at: datetime | None = Field(sa_type=UtcTime)
    waiting_since: datetime | None = Field(sa_type=UtcTime)
    defect_ref: str | None = Field(sa_type=sa.Text)
    planned_release: str | None = Field(sa_type=JsonText)
    awaited_release: str | None = Field(sa_type=sa.Text)
    released_in: str | None = Field(sa_type=sa.Text)
    silent_since: datetime | None = Field(sa_type=UtcTime)
    reminded_at: datetime | None = Field(sa_type=UtcTime)
    closes_at: datetime | None = Field(sa_type=UtcTime)
    supervisor_request: str | None = Field(sa_type=JsonText)
    rating: str | None = Field(sa_type=JsonText)
    owed: str = Field(sa_type=JsonText, sa_column_kwargs={"server_default": "{}"})


class DueTable(IntakeTable, table=True):
    """When silence does something next to a request; only those have a row whose client has to say something."""

    __tablename__ = "due"
    __table_args__ = (sa.Index("ix_due_due_at", "due_at"),)
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id", sa_type=sa.Text)
    due_at: datetime = Field(sa_type=UtcTime)


class SupervisorRequestTable(IntakeTable, table=True):
    """What a client's side asked the supervisor; a request has one without an answer at most."""

    __tablename__ = "supervisor_request"
    __table_args__ = (
        sa.Index("ix_supervisor_request_ticket", "ticket_id", "id"),
        sa.Index("ix_supervisor_request_open", "ticket_id", unique=True, **partial("answered_at IS NULL")),
        sa.Index("ix_supervisor_request_unanswered", "id", **partial("answered_at IS NULL")),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    ticket_id: str = Field(foreign_key="ticket.id", sa_type=sa.Text)
    kind: str = Field(sa_type=sa.Text)
    body: str = Field(sa_type=sa.Text)
    asked_by: str = Field(sa_type=sa.Text)
    asked_at: datetime = Field(sa_type=UtcTime)
    answer: str | None = Field(sa_type=sa.Text)
    answered_by: str | None = Field(sa_type=sa.Text)
    answered_at: datetime | None = Field(sa_type=UtcTime)


class ReleaseTable(IntakeTable, table=True):
    """A version that requests were planned for; `settled_at` once all that waited for it are back."""

    __tablename__ = "release"
    __table_args__ = (
        sa.Index("ix_release_planned", "version", **partial("shipped_at IS NULL")),
        sa.Index("ix_release_unsettled", "shipped_at", **partial("settled_at IS NULL AND shipped_at IS NOT NULL")),
    )
    version: str = Field(primary_key=True, sa_type=sa.Text)
    note: str | None = Field(sa_type=sa.Text)
    shipped_by: str | None = Field(sa_type=sa.Text)
    shipped_by_role: str | None = Field(sa_type=sa.Text)
    shipped_by_client: str | None = Field(sa_type=sa.Text)
    shipped_at: datetime | None = Field(sa_type=UtcTime)
    settled_at: datetime | None = Field(sa_type=UtcTime)


class UrgencyClaimCountTable(IntakeTable, table=True):
    """What became of an organisation's provisional urgencies; the empty ID stands for those without one."""

    __tablename__ = "urgency_claim_count"
    organization_id: str = Field(primary_key=True, sa_type=sa.Text)
    confirmed: int = Field(sa_type=sa.BigInteger)
    returned: int = Field(sa_type=sa.BigInteger)


class ParticipantTable(IntakeTable, table=True):
    """Somebody on the client's side of a request; `address` in lower case.

    `merged_from` is NULL for who takes part in their own right; the others do as long as a merge lets them.
    """

    __tablename__ = "participant"
    __table_args__ = (sa.Index("ix_participant_address", "address", "ticket_id"),)
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id", sa_type=sa.Text)
    address: str = Field(primary_key=True, sa_type=sa.Text)
    name: str | None = Field(sa_type=sa.Text)
    language: str | None = Field(sa_type=sa.Text)
    merged_from: str | None = Field(sa_type=sa.Text)


class ParticipantMergeTable(IntakeTable, table=True):
    """A merge that lets somebody take part: they do in their own right in `merged_from`, which goes on in the other."""

    __tablename__ = "participant_merge"
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id", sa_type=sa.Text)
    address: str = Field(primary_key=True, sa_type=sa.Text)
    merged_from: str = Field(primary_key=True, foreign_key="ticket.id", sa_type=sa.Text)


class TicketLinkTable(IntakeTable, table=True):
    """A link between two requests; each has a row in either direction."""

    __tablename__ = "ticket_link"
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id", sa_type=sa.Text)
    other_id: str = Field(primary_key=True, foreign_key="ticket.id", sa_type=sa.Text)
    created_at: datetime = Field(sa_type=UtcTime)


class MessageTable(IntakeTable, table=True):
    """A message or internal note."""

    __tablename__ = "message"
    __table_args__ = (sa.Index("ix_message_ticket", "ticket_id", "id"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    ticket_id: str = Field(foreign_key="ticket.id", sa_type=sa.Text)
    audience: str = Field(sa_type=sa.Text)
    side: str = Field(sa_type=sa.Text)
    author_id: str | None = Field(sa_type=sa.Text)
    author_name: str | None = Field(sa_type=sa.Text)
    author_role: str = Field(sa_type=sa.Text)
    body: str = Field(sa_type=sa.Text)
    channel: str = Field(sa_type=sa.Text)
    automatic: bool
    verified: bool
    mail_id: str | None = Field(sa_type=sa.Text)
    received_at: datetime = Field(sa_type=UtcTime)
    created_at: datetime = Field(sa_type=UtcTime)
    split_into: str | None = Field(sa_type=sa.Text)


class AttachmentTable(IntakeTable, table=True):
    """A file and the verdict on it; a split copies the row, so bytes go only with the last row that names them."""

    __tablename__ = "attachment"
    __table_args__ = (
        # The scanner's list, which must not grow with all files that were ever sent.
        sa.Index("ix_attachment_held", "id", **partial("status = 'held'")),
        # By these, here and among mails, sweeping finds out whether anything still names a file.
        sa.Index("ix_attachment_file", "file_key"),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    uploader: str = Field(sa_type=sa.Text)
    name: str = Field(sa_type=sa.Text)
    declared_type: str = Field(sa_type=sa.Text)
    type: str = Field(sa_type=sa.Text)
    size: int = Field(sa_type=sa.BigInteger)
    sha256: str = Field(sa_type=sa.Text)
    file_key: str | None = Field(sa_type=sa.Text)
    status: str = Field(sa_type=sa.Text)
    reason: str | None = Field(sa_type=sa.Text)
    created_at: datetime = Field(sa_type=UtcTime)


class MessageAttachmentTable(IntakeTable, table=True):
    """The message that an attachment came with; an attachment comes with one message only."""

    __tablename__ = "message_attachment"
    __table_args__ = (sa.Index("ix_message_attachment_ticket", "ticket_id", "message_id"),)
    attachment_id: str = Field(primary_key=True, foreign_key="attachment.id", sa_type=sa.Text)
    message_id: str = Field(foreign_key="message.id", sa_type=sa.Text)
    ticket_id: str = Field(foreign_key="ticket.id", sa_type=sa.Text)


class MailTable(IntakeTable, table=True):
    """A mail as it came in, and its one outcome, NULL until it has been judged; who judged it, if it was held first."""

    __tablename__ = "mail"
    __table_args__ = (
        # What is still to be judged, in the order of receipt, however many mails there were.
        sa.Index("ix_mail_pending", "id", **partial("outcome IS NULL")),
        sa.Index("ix_mail_file", "file_key"),
        # The same mail once more is found by this.
        sa.Index("ix_mail_fingerprint", "fingerprint", "id"),
        sa.Index("ix_mail_outcome", "outcome", "id"),
        sa.Index("ix_mail_ticket", "ticket_id", "id"),
        sa.Index("ix_mail_key", "key_id", "id"),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    sha256: str = Field(sa_type=sa.Text)
    size: int = Field(sa_type=sa.BigInteger)
    file_key: str = Field(sa_type=sa.Text)
    mail_from: str = Field(sa_type=sa.Text)
    rcpt_to: str = Field(sa_type=JsonText)
    received_at: datetime = Field(sa_type=UtcTime)
    outcome: str | None = Field(sa_type=sa.Text)
    reason: str | None = Field(sa_type=sa.Text)
    ticket_id: str | None = Field(sa_type=sa.Text)
    duplicate_of: str | None = Field(sa_type=sa.Text)
    message_id: str | None = Field(sa_type=sa.Text)
    fingerprint: str | None = Field(sa_type=sa.Text)
    from_address: str | None = Field(sa_type=sa.Text)
    subject: str | None = Field(sa_type=sa.Text)
    text: str | None = Field(sa_type=sa.Text)
    attachments: str | None = Field(sa_type=JsonText)
    automatic: str | None = Field(sa_type=sa.Text)
    held_reason: str | None = Field(sa_type=sa.Text)
    decided_by: str | None = Field(sa_type=sa.Text)
    decided_at: datetime | None = Field(sa_type=UtcTime)
    remark: str | None = Field(sa_type=sa.Text)
    key_id: str | None = Field(sa_type=sa.Text)


class PolicyTable(IntakeTable, table=True):
    """A policy version that was published."""

    __tablename__ = "policy"
    version: str = Field(primary_key=True, sa_type=sa.Text)
    name: str = Field(sa_type=sa.Text)
    document: str = Field(sa_type=JsonText)
    published_at: datetime = Field(sa_type=UtcTime)


class ClaimTable(IntakeTable, table=True):
    """The highest fence seen of a ticket's claims, and whether that claim lives."""

    __tablename__ = "claim"
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    fence: int = Field(sa_type=sa.BigInteger)
    agent: str = Field(sa_type=sa.Text)
    expires_at: datetime = Field(sa_type=UtcTime)
    live: bool


class PersonTable(IntakeTable, table=True):
    """A copy of a person, as accounts last said; `email` in lower case."""

    __tablename__ = "person"
    __table_args__ = (
        # Not unique: accounts may give an address on, and the events of the two people come in any order.
        sa.Index("ix_person_email", "email"),
        sa.Index("ix_person_supervisor", "id", **partial("role = 'supervisor' AND active")),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    email: str = Field(sa_type=sa.Text)
    name: str | None = Field(sa_type=sa.Text)
    language: str | None = Field(sa_type=sa.Text)
    role: str = Field(sa_type=sa.Text)
    organization_id: str | None = Field(sa_type=sa.Text)
    active: bool


class LicenceTable(IntakeTable, table=True):
    """A copy of a licence; the key itself only as a hash."""

    __tablename__ = "licence"
    __table_args__ = (sa.Index("ix_licence_organization", "organization_id"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    key_sha256: str = Field(unique=True, sa_type=sa.Text)
    last4: str = Field(sa_type=sa.Text)
    organization_id: str | None = Field(sa_type=sa.Text)
    product: str = Field(sa_type=sa.Text)
    active_until: datetime | None = Field(sa_type=UtcTime)
