"""Inbound mail as staff see it, and what became of it (clause 4.4)."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from firstline.intake.store.mails import Mail


class MailOut(BaseModel):
    """A mail that came in, and its one outcome (null: not judged yet)."""

    id: str
    outcome: Literal["new_ticket", "appended", "quarantined", "refused", "duplicate"] | None
    reason: str | None
    subject: str | None
    from_: str | None = Field(serialization_alias="from")
    mail_from: str
    rcpt_to: list[str]
    text: str | None
    attachments: list[dict[str, Any]]
    automatic: str | None
    ticket_id: str | None = Field(description="What it came into; of a held one the request that it names.")
    number: str | None = Field(description="That request's number.")
    duplicate_of: str | None
    message_id: str | None
    sha256: str
    size: int
    received_at: datetime
    held_reason: str | None = Field(None, description="Why it was held, once a specialist has judged it.")
    decided_by: str | None = Field(None, description="The specialist who judged it.")
    decided_at: datetime | None = None
    remark: str | None = Field(None, description="Why it was rejected.")


def mail_out(mail: Mail) -> MailOut:
    """Return a mail's document."""
    return MailOut(
        id=mail.id,
        outcome=mail.outcome,
        reason=mail.reason,
        subject=mail.subject,
        from_=mail.from_address,
        mail_from=mail.mail_from,
        rcpt_to=mail.rcpt_to,
        text=mail.text,
        attachments=mail.attachments or [],
        automatic=mail.automatic,
        ticket_id=mail.ticket_id,
        number=mail.number,
        duplicate_of=mail.duplicate_of,
        message_id=mail.message_id,
        sha256=mail.sha256,
        size=mail.size,
        received_at=mail.received_at,
        held_reason=mail.held_reason,
        decided_by=mail.decided_by,
        decided_at=mail.decided_at,
        remark=mail.remark,
    )
