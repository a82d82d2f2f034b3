"""Request bodies: an unknown member is a mistake and is refused."""

import json
import math
from datetime import date as Date  # noqa: N812 (a member has that name)
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    StringConstraints,
    model_validator,
)

from firstline.common.releases import Precision
from firstline.intake.ticket import BODY_LIMIT, FREE_JSON_LIMIT, SUBJECT_LIMIT

T = TypeVar("T")
DEPTH_LIMIT = 20
LARGEST = 2**63 - 1


def _without_nul(text: str) -> str:
    """Refuse the one character that PostgreSQL can't keep; half characters are refused by pydantic."""
    if "\0" in text:
        raise ValueError("Remove the NUL character (U+0000).")
    return text


def _keepable(value: T) -> T:
    """Refuse free JSON that could not be kept, or not be given back unchanged: too much, too deep, no real values."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    # A stack of our own and no recursion: JSON nested a thousand deep would end the interpreter's.
    while waiting:
        part, depth = waiting.pop()
        if depth > DEPTH_LIMIT:
            raise ValueError(f"Nest at most {DEPTH_LIMIT} levels.")
        if isinstance(part, dict | list):
            inside = [*part, *part.values()] if isinstance(part, dict) else part
            waiting += [(inner, depth + 1) for inner in inside]
        else:
            _check_plain(part)
    if len(json.dumps(value).encode()) > FREE_JSON_LIMIT:
        raise ValueError(f"At most {FREE_JSON_LIMIT} bytes as JSON.")
    return value


def _reference(value: object) -> object:
    """Refuse what names no page in words of its own: a fault of both kinds would speak of types."""
    if not isinstance(value, dict | str):
        raise ValueError("Give the address of the page, or an object with its `url` and `title`.")  # noqa: TRY004
    return value


def _check_plain(value: object) -> None:
    """Refuse a single value that could not be given back unchanged."""
    match value:
        case str():
            _without_nul(value)
            if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
                raise ValueError("A text holds half a character (a lone surrogate). Send it as UTF-8.")
        case int() if abs(value) > LARGEST:
            raise ValueError("A number has more than 64 bits. Send it as text.")
        case float() if not math.isfinite(value):
            raise ValueError("A number is not finite. Send it as text.")


VERSION_PATTERN = "^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$"
"""What versions of releases look like: fit for a path."""

NoNul = AfterValidator(_without_nul)
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SUBJECT_LIMIT), NoNul]
Text = Annotated[str, StringConstraints(min_length=1, max_length=BODY_LIMIT), NoNul]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), NoNul]
Remark = Annotated[str, StringConstraints(max_length=2000), NoNul]
AttachmentIds = Annotated[list[Short], Field(max_length=20, description="IDs from `POST /v1/attachments`.")]
ArticleIds = Annotated[
    list[Short], Field(max_length=20, description="Pages of documentation (staff): their links stand below the text.")
]
FreeJson = Annotated[dict[str, Any], AfterValidator(_keepable)]
DocRef = Annotated[dict[str, Any] | str, BeforeValidator(_reference)]
DocRefs = Annotated[list[DocRef], Field(max_length=20), AfterValidator(_keepable)]


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
    fields: FreeJson = Field({}, description="Required information of the topic, by field; up to 16 KB.")
    doc_refs: DocRefs = Field([], description="Documentation that was read.")
    attachment_ids: AttachmentIds = []
    external_ref: Short | None = Field(None, description="Your system's name for it, once in your organisation.")
    metadata: FreeJson = Field({}, description="Yours to use; given back unchanged, up to 16 KB.")


class MessageIn(Body):
    """A message to the other side, or an internal note."""

    body: Text
    audience: Literal["public", "internal"] = "public"
    attachment_ids: AttachmentIds = []
    article_ids: ArticleIds = []
    fields: FreeJson = Field({}, description="Answers to questions for missing information (the client's side).")


class ScopeIn(Body):
    """A specialist's verdict on the scope (clauses 1.3, 1.4); what is left out follows from it, or stays."""

    verdict: Literal["in", "out", "undetermined"] | None = None
    support_mode: Literal["full", "consult_only", "none"] | None = None
    reason: Short | None = None
    refer_to: Short | None = Field(None, description="A referral of the policy: whom the client is to ask instead.")
    product_error: bool | None = Field(None, description="Brings in what is not covered; false takes that back.")


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
    note: Remark | None = None


class ResumeIn(Body):
    """Waiting is over."""

    note: Remark | None = None


class PlannedReleaseIn(Body):
    """The release that is to hold the solution, and when it is expected as far as that is known (clause 2.2)."""

    version: Annotated[str, StringConstraints(pattern=VERSION_PATTERN)] = Field(examples=["24.200"])
    date: Date | None = Field(None, description="Any day of the period.", examples=["2027-02-01"])
    precision: Precision | None = Field(None, description="How exact the date is; a day where nothing is said.")

    @model_validator(mode="after")
    def _has_a_date(self) -> Self:
        """Refuse a precision without a date."""
        if self.precision is not None and self.date is None:
            raise ValueError("A precision needs its date; add it, or leave both out.")
        return self

    def plan(self) -> dict[str, Any]:
        """Return the plan as it is kept and told."""
        day = self.date.isoformat() if self.date else None
        return {"version": self.version, "date": day, "precision": (self.precision or "day") if day else None}


class HandOverIn(Body):
    """Development has it: what they call the defect, and the release that is planned for it."""

    defect_ref: Short = Field(examples=["BUG-4711"])
    planned_release: PlannedReleaseIn | None = None


class ReleasePlanIn(Body):
    """The release that is planned now."""

    planned_release: PlannedReleaseIn


class ShipIn(Body):
    """What clients are told of a release beside its version, such as where to get it."""

    note: Remark | None = None


class SupervisorRequestIn(Body):
    """What the supervisor is asked: to speed the request up, or to hear a comment on how it is handled."""

    kind: Literal["accelerate", "comment"]
    body: Text


class AnswerIn(Body):
    """The supervisor's answer to the client."""

    body: Text


class RatingIn(Body):
    """What the client thinks of the handling: a mark of the policy, and words where they want to."""

    mark: Short = Field(examples=["good"], description="A mark of `closing.marks` in `GET /v1/policy`.")
    comment: Remark | None = None


class ResolveIn(Body):
    """The problem is solved; a text goes to the client as a reply, with its files and links."""

    body: Text | None = None
    attachment_ids: AttachmentIds = []
    article_ids: ArticleIds = []


class CloseIn(Body):
    """Why the request is closed."""

    reason: Literal["resolved", "out_of_scope", "no_reply", "no_licence", "duplicate", "spam", "aborted"]
    circumstance: Short | None = Field(None, description="A circumstance of the policy that aborts (clause 4.8).")
    refer_to: Short | None = Field(None, description="Whom to ask instead, where it is out of scope (clause 1.3).")
    body: Text | None = None
    attachment_ids: AttachmentIds = []


class SplitIn(Body):
    """A client's message that holds a question of its own."""

    message_id: Short
    subject: Line = Field(description="Of the new request.")
    body: Text | None = Field(None, description="The part that the new request is about; left out: the whole message.")


class MergeIn(Body):
    """The request that a duplicate goes on in."""

    into: Short = Field(description="ID or number.", examples=["FL-7K3M-9QPX"])
    add_participants: bool = Field(
        False, description="Let those who take part here read the other one, where both are one organisation's."
    )


class UnmergeIn(Body):
    """The merge was a mistake."""


class LinkIn(Body):
    """The other request."""

    to: Short = Field(description="ID or number.", examples=["FL-7K3M-9QPX"])


class ReopenIn(Body):
    """What is still wrong."""

    body: Text


class MailAcceptIn(Body):
    """A held mail belongs to a request."""

    ticket_id: Short | None = Field(None, description="ID or number; by default the request that the mail names.")
    participant: bool = Field(False, description="The sender takes part in the request from now on.")


class MailOpenIn(Body):
    """A held mail is a request of its own."""

    requester: RequesterIn | None = Field(None, description="Whose request it is; by default the sender's.")


class MailRejectIn(Body):
    """A held mail is let into nothing."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), NoNul]
