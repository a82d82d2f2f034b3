"""Response bodies, made from what the store holds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from firstline.common.permissions import STAFF, Principal
from firstline.common.policy.model import Policy
from firstline.common.releases import Precision, term
from firstline.intake.scope import Judgement
from firstline.intake.store.messages import Attached, Attachment, Message
from firstline.intake.store.reports import ClaimCount
from firstline.intake.suggestions import Candidate
from firstline.intake.ticket import Side, Ticket


class EntitlementOut(BaseModel):
    """What the licence entitles to: when the request came in, and now; `notice` is what that means now."""

    at_intake: Literal["active", "expired", "unknown"]
    now: Literal["active", "expired", "unknown"]
    active_until: datetime | None
    product: str | None
    last4: str | None
    notice: str | None


class ScopeOut(BaseModel):
    """Whether the policy covers it, how far, why, and who can help instead."""

    verdict: Literal["in", "out", "undetermined"]
    support_mode: Literal["full", "consult_only", "none"]
    reason: str | None = None
    refer_to: str | None = None
    product_error: bool | None = None


class MissingOut(BaseModel):
    """A piece of information that is lacking, and the question for it."""

    field: str
    question: str


class HintOut(BaseModel):
    """A remark that hinders nothing, such as several questions in one request (clause 2.4)."""

    code: Literal["several_issues", "pasted_secret"]
    text: str


class RequesterOut(BaseModel):
    """Whose request it is."""

    id: str | None
    email: str
    name: str | None
    language: str | None


class Article(BaseModel):
    """A page that may answer the request."""

    id: str
    title: str
    url: str


class Verdict(BaseModel):
    """What the policy says of a request."""

    urgency: str
    urgency_provisional: bool
    topic: str | None
    tier: str
    scope: ScopeOut
    missing_information: list[MissingOut]
    hints: list[HintOut] = []
    completeness: float = Field(description="Share of the required information that is there, 0 to 1.")
    suggested_articles: list[Article] = Field(description="Pages that may answer it; read them first (clause 1.2).")
    entitlement: Literal["active", "expired", "unknown"]
    notice: str | None = Field(None, description="What the state of the licence means for the client.")
    policy_version: str


class PlannedReleaseOut(BaseModel):
    """The release that is to hold the solution; `term` says when as exactly as it is planned (2027-Q1)."""

    version: str
    date: str | None
    precision: Precision | None
    term: str | None


class OpenSupervisorRequest(BaseModel):
    """What the supervisor was asked and has not answered yet."""

    id: str
    kind: str
    asked_at: datetime


class RatingOut(BaseModel):
    """What the client thinks of the handling."""

    mark: str
    comment: str | None
    rated_at: datetime


class FoundOut(BaseModel):
    """A place where a search found words: in the subject (`message_id` null) or in a message."""

    message_id: str | None
    text: str = Field(description="The part of the text around the first of them, on one line.")
    marks: list[tuple[int, int]] = Field(description="Where in `text` they begin and end, in characters.")


class TicketOut(BaseModel):
    """A request as it stands."""

    id: str
    number: str = Field(examples=["FL-7K3M-9QPX"])
    version: int = Field(description="Counts its changes; also the ETag.")
    status: Literal["new", "open", "waiting", "resolved", "closed"]
    waiting_cause: Literal["client", "third_party", "release"] | None
    circumstance: str | None
    circumstance_text: str | None = Field(None, description="The circumstance in the policy's words (clause 4.8).")
    waiting_since: datetime | None = None
    defect_ref: str | None = Field(None, description="What development calls the defect; staff see it.")
    planned_release: PlannedReleaseOut | None = None
    released_in: str | None = Field(None, description="The version with which it came back from development.")
    reminded_at: datetime | None = None
    closes_at: datetime | None = Field(None, description="When it closes without a word from the client (clause 4.8).")
    supervisor_request: OpenSupervisorRequest | None = None
    rating: RatingOut | None = None
    close_reason: str | None
    subject: str
    topic: str | None
    tier: str
    urgency: str
    urgency_provisional: bool
    urgency_reason: str | None
    urgency_claim: str | None = Field(description="What the client thinks of it.")
    recovery: str
    complexity: str | None
    scope: ScopeOut
    missing_information: list[MissingOut]
    hints: list[HintOut]
    completeness: float = Field(1.0, description="Share of the required information that is there, 0 to 1.")
    suggested_articles: list[Article] = Field(description="Pages that seemed to answer it when it came in.")
    entitlement: str
    doc_required: bool
    policy_version: str
    requester: RequesterOut
    participants: list[str] = []
    organization_id: str | None
    product: str | None
    product_version: str | None
    licence_last4: str | None
    fields: dict[str, Any]
    doc_refs: list[Any]
    external_ref: str | None
    metadata: dict[str, Any]
    channel: str
    verified: bool
    follows: str | None
    split_from: str | None = Field(description="The request that it was split off from (clause 2.4).")
    merged_into: str | None = Field(description="The request that it goes on in, as a duplicate (clause 2.4).")
    reopen_count: int
    received_at: datetime
    created_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    allowed: list[str] = Field(description="The verbs that you may use now.")
    found: list[FoundOut] = Field(default=[], description="In a list that was searched for words: where they stand.")
    links: dict[str, str]


class AuthorOut(BaseModel):
    """Who wrote it."""

    id: str | None
    name: str | None
    role: str
    side: Side


class AttachedOut(BaseModel):
    """A file of a message; `reason` says why one was `rejected`, and one that is `erased` is nobody's to read."""

    id: str
    name: str
    type: str
    size: int
    status: str
    reason: str | None


class MessageOut(BaseModel):
    """A message or internal note."""

    id: str
    ticket_id: str
    audience: Literal["public", "internal"]
    author: AuthorOut
    body: str
    attachments: list[AttachedOut]
    channel: str
    automatic: bool
    verified: bool
    received_at: datetime
    created_at: datetime
    split_into: str | None = Field(None, description="The request that was made of this message (clause 2.4).")


class MessageAdded(BaseModel):
    """A message that was added, and the request as it stands then.

    `follows` is given where the old request had ended too long ago: `ticket` is then the new one that follows it.
    `merged_from` is given where the request goes on in another one: `ticket` is then that one, which has the message.
    """

    id: str
    ticket: TicketOut
    follows: str | None = None
    merged_from: str | None = None


class RelatedOut(BaseModel):
    """A request that another one belongs to, and how."""

    kind: Literal["split_from", "split_into", "merged_into", "merged_from", "follows", "followed_by", "linked"]
    ticket_id: str
    number: str = Field(examples=["FL-7K3M-9QPX"])
    subject: str
    status: Literal["new", "open", "waiting", "resolved", "closed"]


class AttachmentOut(BaseModel):
    """An uploaded file; pass its `id` in `attachment_ids` of a request or message."""

    id: str
    name: str
    type: str
    size: int
    sha256: str
    status: str
    created_at: datetime


class ClaimCountOut(BaseModel):
    """What became of an organisation's provisional urgencies (null: of those who belong to none)."""

    organization_id: str | None
    confirmed: int
    returned: int
    returned_share: float = Field(description="Of those that were judged.", examples=[0.25])


class HistoryOut(BaseModel):
    """One event of a request's history: who (`actor`) did it when, and `changes` as {field: [old, new]}."""

    id: str
    type: str
    version: int
    time: datetime
    actor: dict[str, Any]
    changes: dict[str, list[Any]]
    data: dict[str, Any]


def links_of(ticket: Ticket) -> dict[str, str]:
    """Return where a request, its messages and its place in the queue are."""
    own = f"/v1/tickets/{ticket.id}"
    return {"self": own, "messages": f"{own}/messages", "queue": f"/v1/queue/{ticket.id}"}


def ticket_out(
    ticket: Ticket, policy: Policy, reader: Principal, allowed: Sequence[str], participants: Sequence[str] = ()
) -> TicketOut:
    """Return a request's document as one reader may see it; `policy` is the version that it was taken under."""
    values = {name: getattr(ticket, name) for name in Ticket.__slots__}
    circumstance = policy.circumstance(ticket.circumstance) if ticket.circumstance else None
    plan = values.pop("planned_release")
    for inside in ("awaited_release", "silent_since"):
        values.pop(inside)
    # Development's name for a defect leads into a tracker that clients can't read.
    if not reader.is_staff:
        values.pop("defect_ref")
    # Which licence it is, is accounts' business; clients see its last four characters.
    del values["licence_id"]
    requester = RequesterOut(
        id=values.pop("requester_id"),
        email=values.pop("requester_email"),
        name=values.pop("requester_name"),
        language=values.pop("language"),
    )
    return TicketOut(
        **values,
        circumstance_text=circumstance.text if circumstance else None,
        planned_release=PlannedReleaseOut(**plan, term=term(plan)) if plan else None,
        requester=requester,
        participants=list(participants),
        allowed=list(allowed),
        links=links_of(ticket),
    )


def verdict_out(
    judgement: Judgement, suggested: Sequence[Candidate], topic: str | None, policy_version: str
) -> Verdict:
    """Return what the policy says of a request, as a document."""
    scope = judgement.scope
    return Verdict(
        urgency=judgement.urgency,
        urgency_provisional=judgement.urgency_provisional,
        topic=topic,
        tier=judgement.tier,
        scope=ScopeOut(
            verdict=scope.verdict, support_mode=scope.support_mode, reason=scope.reason, refer_to=scope.refer_to
        ),
        missing_information=[MissingOut(field=m.field, question=m.question) for m in judgement.missing_information],
        hints=[HintOut(code=hint.code, text=hint.text) for hint in judgement.hints],
        completeness=judgement.completeness,
        suggested_articles=[Article(id=one.id, title=one.title, url=one.url) for one in suggested],
        entitlement=judgement.entitlement,
        notice=judgement.notice,
        policy_version=policy_version,
    )


def message_out(message: Message, attached: Sequence[Attached], reader: Principal) -> MessageOut:
    """Return a message's document; a client does not learn the ID of staff, not even where they wrote for a client."""
    hidden = message.author_role in STAFF and not reader.is_staff
    return MessageOut(
        id=message.id,
        ticket_id=message.ticket_id,
        audience="internal" if message.audience == "internal" else "public",
        author=AuthorOut(
            id=None if hidden else message.author_id,
            name=message.author_name,
            role=message.author_role,
            side="staff" if message.side == "staff" else "client",
        ),
        body=message.body,
        attachments=[
            AttachedOut(id=a.id, name=a.name, type=a.type, size=a.size, status=a.status, reason=a.reason)
            for a in attached
            if a.message_id == message.id
        ],
        channel=message.channel,
        automatic=message.automatic,
        verified=message.verified,
        received_at=message.received_at,
        created_at=message.created_at,
        split_into=message.split_into,
    )


def claim_count_out(count: ClaimCount) -> ClaimCountOut:
    """Return an organisation's figures; a row is there only once something was counted."""
    share = count.returned / (count.confirmed + count.returned)
    organization = count.organization_id or None
    return ClaimCountOut(
        organization_id=organization, confirmed=count.confirmed, returned=count.returned, returned_share=round(share, 3)
    )


def attachment_out(attachment: Attachment) -> AttachmentOut:
    """Return an uploaded file's document."""
    return AttachmentOut(
        id=attachment.id,
        name=attachment.name,
        type=attachment.type,
        size=attachment.size,
        sha256=attachment.sha256,
        status=attachment.status,
        created_at=attachment.created_at,
    )
