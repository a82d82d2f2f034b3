"""Request bodies: an unknown member is a mistake and is refused."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field, StringConstraints

from firstline.intake.ticket import BODY_LIMIT, SUBJECT_LIMIT

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SUBJECT_LIMIT)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=BODY_LIMIT)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
AttachmentIds = Annotated[list[str], Field(max_length=20, description="IDs from `POST /v1/attachments`.")]
JSON_LIMIT = 16_384


class Body(BaseModel):
    """A request body: an unknown member is a mistake and is refused."""

    model_config = ConfigDict(extra="forbid")


class RequesterIn(Body):
    """Whose request it is, where that is not the caller."""

    email: EmailStr = Field(examples=["clara@shop.example"])
    name: Short | None = None
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2}(-[A-Z]{2})?$")] | None = None


class TicketIn(Body):
    """A new request (clause 4.2): subject and body are required, all else shortens the way to an answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "subject": "White page after the update",
                    "body": "Since the update to 24.100 the shop shows a white page.",
                    "topic": "updates",
                    "recovery": "full",
                    "version": "24.100",
                    "fields": {"error_text": "HTTP 500"},
                }
            ]
        },
    )

    subject: Line
    body: Text
    requester: RequesterIn | None = None
    channel: Short = Field("api", description="How the client reached you; only the policy's channels are registered.")
    topic: Short | None = Field(None, description="A topic of `GET /v1/policy/scope`, or `topic.item`.")
    urgency_claim: Short | None = Field(None, description="What the client thinks; a specialist decides.")
    recovery: Literal["none", "partial", "full"] = Field("none", description="Is a web project to be recovered?")
    product: Short | None = None
    version: Short | None = None
    licence_key: Short | None = Field(None, description="Looked up and not kept; its last four characters are.")
    fields: dict[str, Any] = Field({}, description="Required information of the topic, by field.")
    doc_refs: list[dict[str, Any] | str] = Field([], max_length=20, description="Documentation that was read.")
    attachment_ids: AttachmentIds = []
    external_ref: Short | None = Field(None, description="Your system's name for it, once in your organisation.")
    metadata: dict[str, Any] = Field({}, description="Yours to use; given back unchanged, up to 16 KB.")


class MessageIn(Body):
    """A message to the other side, or an internal note."""

    body: Text
    audience: Literal["public", "internal"] = "public"
    attachment_ids: AttachmentIds = []
    fields: dict[str, Any] = Field({}, description="Answers to questions for missing information.")


class ScopeIn(Body):
    """A specialist's verdict on the scope (clauses 1.3, 1.4)."""

    verdict: Literal["in", "out", "undetermined"] | None = None
    support_mode: Literal["full", "consult_only", "none"] | None = None
    reason: Short | None = None
    refer_to: Short | None = None
    product_error: bool | None = None


class TriageIn(Body):
    """A specialist's judgement; what is left out stays as it is."""

    topic: Short | None = None
    urgency: Short | None = Field(None, description="Ends the provisional state; needs `reason`.")
    reason: Short | None = None
    complexity: Literal["easy", "medium", "hard"] | None = None
    tier: Literal["helpdesk", "technical_support", "development"] | None = None
    scope: ScopeIn | None = None
    doc_required: bool | None = None
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2}(-[A-Z]{2})?$")] | None = None


class WaitIn(Body):
    """For whom the request waits."""

    cause: Literal["client", "third_party", "release"]
    circumstance: Short | None = Field(None, description="A circumstance of the policy that delays (clause 4.8).")
    note: Annotated[str, StringConstraints(max_length=2000)] | None = None


class ResumeIn(Body):
    """Waiting is over."""

    note: Annotated[str, StringConstraints(max_length=2000)] | None = None


class ResolveIn(Body):
    """The problem is solved; a text goes to the client as a reply."""

    body: Text | None = None


class CloseIn(Body):
    """Why the request is closed."""

    reason: Literal["resolved", "out_of_scope", "no_reply", "no_licence", "duplicate", "spam", "aborted"]
    circumstance: Short | None = Field(None, description="A circumstance of the policy that aborts (clause 4.8).")
    body: Text | None = None


class ReopenIn(Body):
    """What is still wrong."""

    body: Text


def size_of(value: object) -> int:
    """Return the bytes of a value as JSON."""
    return len(json.dumps(value).encode())
