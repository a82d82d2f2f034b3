"""The values that events are made of, and what every event's data has."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Changes = dict[str, list[Any]]
"""What changed: {field: [old, new]}."""


class Part(BaseModel):
    """A value inside an event."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class MaskedPart(Part):
    """A secret that was taken out of a text: what it seemed to be, and where its mask begins; never the value."""

    kind: str
    start: int | None = None


class Actor(Part):
    """Who did it: a person, a service or a client's system acting for one."""

    id: str
    role: str
    client_id: str | None = None


class Recipient(Part):
    """Somebody on the client's side who is told about a ticket."""

    address: str
    name: str | None = None
    language: str | None = None


class Author(Part):
    """Who wrote a message, for which side, and with which mail address."""

    id: str | None = None
    address: str | None = None
    name: str | None = None
    role: str
    side: Literal["client", "staff"]


class AttachmentRef(Part):
    """An attachment by id and name; its bytes stay with intake.

    `rejected` is one that was not kept (clause 4.6); `reason` says why and what to do, where its sender is to be told.
    `held` is one that waits for the virus scanner.
    """

    id: str
    name: str
    status: Literal["ok", "held", "rejected"] = "ok"
    reason: str | None = None


class RequesterRef(Part):
    """The person whose request it is."""

    id: str | None = None
    email: str
    name: str | None = None
    language: str | None = None


class Scope(Part):
    """Whether the policy covers the ticket (clauses 1.3, 1.4)."""

    verdict: Literal["in", "out", "undetermined"]
    support_mode: Literal["full", "consult_only", "none"]
    reason: str | None = None
    refer_to: str | None = None


class MissingField(Part):
    """A piece of required information that is lacking, and the question that asks for it (clause 4.2)."""

    field: str
    question: str


class HintPart(Part):
    """A remark on a request that hinders nothing, such as several questions in one (clause 2.4)."""

    code: str
    text: str


class Origin(Part):
    """How a message came in; the mail's own marks where it was one."""

    channel: str
    automatic: bool = False
    verified: bool = True
    mail_id: str | None = None
    message_id: str | None = None
    references: list[str] = []


class OwedAnswer(Part):
    """An answer that is owed: to which ticket it was written, and the receipt of the earliest that has none."""

    ticket_id: str
    since: datetime


class EntryKey(Part):
    """The key of an entry: out of turn first, then the instant, then intake's log position."""

    out_of_turn: bool
    since: datetime
    position: int


class EventData(BaseModel):
    """What every event's data has."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    TYPE: ClassVar[str]

    actor: Actor
    organization_id: str | None = None


class TicketEvent(EventData):
    """What every ticket event says of its ticket, after the change; `changes` are those of the ticket's values."""

    number: str
    status: str
    recipients: list[Recipient] = []
    changes: Changes = {}
