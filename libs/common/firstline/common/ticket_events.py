"""The events of a ticket: what was said, judged, waited for and ended (intake produces them)."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from firstline.common.event_parts import (
    AttachmentRef,
    Author,
    Changes,
    HintPart,
    MaskedPart,
    MissingField,
    Origin,
    OwedAnswer,
    Recipient,
    RequesterRef,
    Scope,
    TicketEvent,
)


class TicketSubmitted(TicketEvent):
    """A request was accepted and numbered (clause 4.4)."""

    TYPE = "ticket.submitted"
    subject: str
    body: str
    masked: list[MaskedPart] = Field(default_factory=list)
    attachments: list[AttachmentRef] = Field(default_factory=list)
    requester: RequesterRef
    language: str
    topic: str | None = None
    urgency: str
    urgency_provisional: bool = False
    urgency_claim: str | None = None
    recovery: str = "none"
    tier: str
    scope: Scope
    entitlement: str
    licence_id: str | None = None
    missing_information: list[MissingField] = Field(default_factory=list)
    hints: list[HintPart] = Field(default_factory=list)
    received_at: datetime
    policy_version: str
    origin: Origin
    message_id: str | None = None
    split_from: str | None = None
    split_from_number: str | None = None
    follows: str | None = None
    external_ref: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class TicketReplied(TicketEvent):
    """A public message was added by the client's side or by staff; `changes` says which questions it answered.

    It may have named the licence, too: `licence_id` is whose the ticket is after it, with what that entitles to.
    """

    TYPE = "ticket.replied"
    message_id: str
    author: Author
    body: str
    masked: list[MaskedPart] = Field(default_factory=list)
    attachments: list[AttachmentRef] = Field(default_factory=list)
    received_at: datetime
    origin: Origin
    changes: Changes = Field(default_factory=dict)
    licence_id: str | None = None
    entitlement: str | None = None


class TicketNoted(TicketEvent):
    """An internal note was added; clients never see it."""

    TYPE = "ticket.noted"
    message_id: str
    masked: list[MaskedPart] = Field(default_factory=list)
    restored: str | None = None


class TicketOpened(TicketEvent):
    """The first claim on a new ticket opened it."""

    TYPE = "ticket.opened"


class TicketTriaged(TicketEvent):
    """Staff judged the ticket: urgency, topic, complexity, tier, scope."""

    TYPE = "ticket.triaged"
    changes: Changes
    reason: str | None = None
    urgency: str
    urgency_provisional: bool = False
    topic: str | None = None
    tier: str


class TicketWaiting(TicketEvent):
    """An answer has to wait for somebody else (clause 2.3); for the client, with what is still missing (4.2)."""

    TYPE = "ticket.waiting"
    cause: Literal["client", "third_party", "release"]
    circumstance: str | None = None
    note: str | None = None
    missing_information: list[MissingField] = Field(default_factory=list)
    closes_at: datetime | None = None


class TicketReminded(TicketEvent):
    """The client was asked again while we wait for them, or told that a solution stands; `kind` says which."""

    TYPE = "ticket.reminded"
    kind: str
    closes_at: datetime | None = None
    missing_information: list[MissingField] = Field(default_factory=list)


class TicketResumed(TicketEvent):
    """Waiting ended."""

    TYPE = "ticket.resumed"
    cause: str
    note: str | None = None


class TicketHandedOver(TicketEvent):
    """Development has it (clause 2.2)."""

    TYPE = "ticket.handed_over"
    defect_ref: str
    planned_release: dict[str, Any] | None = None


class TicketReleasePlanned(TicketEvent):
    """The planned release was set or moved (clause 2.2)."""

    TYPE = "ticket.release_planned"
    planned_release: dict[str, Any]
    before: dict[str, Any] | None = None


class TicketReleased(TicketEvent):
    """The release that fixes it is out (clause 2.2)."""

    TYPE = "ticket.released"
    version: str
    note: str | None = None


class TicketResolved(TicketEvent):
    """Staff holds the problem to be solved; without a word from the client it closes at `closes_at`."""

    TYPE = "ticket.resolved"
    closes_at: datetime | None = None


class TicketClosed(TicketEvent):
    """The ticket is closed, with the reason.

    A duplicate that was merged goes on in `into_number`; `refer_to` helps with what is out of scope (clause 1.3), and
    `changes` holds what closing as that made of the scope.
    """

    TYPE = "ticket.closed"
    reason: str
    circumstance: str | None = None
    refer_to: str | None = None
    into_number: str | None = None
    changes: Changes = Field(default_factory=dict)


class TicketReopened(TicketEvent):
    """It was reopened; `received_at` is the instant that counts for its place in the queue."""

    TYPE = "ticket.reopened"
    side: Literal["client", "staff"]
    received_at: datetime


class TicketSplit(TicketEvent):
    """A message became a ticket of its own, whose ID is `into` (clause 2.4)."""

    TYPE = "ticket.split"
    message_id: str
    into: str
    into_number: str | None = None


class TicketMerged(TicketEvent):
    """The ticket was joined to another as a duplicate; what clients write to it goes there.

    `owed_since` is the receipt of the earliest message that was still to be answered; the other one owes that answer.
    """

    TYPE = "ticket.merged"
    into: str
    into_number: str | None = None
    owed_since: datetime | None = None


class TicketUnmerged(TicketEvent):
    """A merge was taken back; the other ticket's `ticket.duplicate_left` says what it no longer owes."""

    TYPE = "ticket.unmerged"


class TicketDuplicateJoined(TicketEvent):
    """A duplicate was merged into the ticket; `owed` are the answers that it was owed, which are owed here from now on.

    `owed_since` is the receipt of the earliest message that this ticket owes an answer to, None where it owes none.
    """

    TYPE = "ticket.duplicate_joined"
    duplicate: str
    duplicate_number: str
    owed: list[OwedAnswer] = Field(default_factory=list)
    owed_since: datetime | None = None


class TicketDuplicateLeft(TicketEvent):
    """A merge into the ticket, or into one that was merged into it, was taken back.

    `owed` are the answers that went back with it, because nobody gave them here; `owed_since` says what is left, as in
    `ticket.duplicate_joined`.
    """

    TYPE = "ticket.duplicate_left"
    duplicate: str
    duplicate_number: str
    owed: list[OwedAnswer] = Field(default_factory=list)
    owed_since: datetime | None = None


class TicketLinked(TicketEvent):
    """Staff let the ticket and another name each other."""

    TYPE = "ticket.linked"
    to: str
    to_number: str


class TicketUnlinked(TicketEvent):
    """A link was taken back."""

    TYPE = "ticket.unlinked"
    to: str
    to_number: str


class TicketSupervisorRequested(TicketEvent):
    """The client asks the supervisor to accelerate or to comment; `supervisors` are to be told."""

    TYPE = "ticket.supervisor_requested"
    request_id: str
    kind: str
    body: str = ""
    asked_by: str = ""
    supervisors: list[Recipient] = Field(default_factory=list)


class TicketSupervisorAnswered(TicketEvent):
    """The supervisor answered."""

    TYPE = "ticket.supervisor_answered"
    request_id: str
    kind: str = "comment"
    body: str = ""
    answered_by: str = ""


class TicketRated(TicketEvent):
    """The client rated the handling."""

    TYPE = "ticket.rated"
    mark: str
    comment: str | None = None


class TicketParticipantAdded(TicketEvent):
    """Somebody was added to the client's side of the conversation."""

    TYPE = "ticket.participant_added"
    participant: Recipient


class TicketIncidentLinked(TicketEvent):
    """The ticket was found to have the cause of an incident."""

    TYPE = "ticket.incident_linked"
    incident_id: str
    title: str


class TicketIncidentUnlinked(TicketEvent):
    """The ticket was taken out of an incident."""

    TYPE = "ticket.incident_unlinked"
    incident_id: str
    title: str


class TicketHeldMail(TicketEvent):
    """A mail that names the ticket is held for a specialist to judge, or was judged not to belong to it (clause 4.4).

    `outcome` is that of the mail: `quarantined` while it is held, then `refused` or `new_ticket`.
    """

    TYPE = "ticket.held_mail"
    mail_id: str
    reason: str
    outcome: str = "quarantined"


class TicketRedacted(TicketEvent):
    """What a person who was erased wrote to the ticket is gone; whoever keeps copies of it erases them too.

    `requester`: the ticket was theirs. `subject` is what is left of the ticket's.
    """

    TYPE = "ticket.redacted"
    person_id: str
    requester: bool = False
    subject: str
