"""Every event type, one model each: the product's vocabulary of facts.

Models only grow: a field is never renamed or removed, and a new one has a default. `TYPE` is the event's name on the
bus. No event carries a secret.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Changes = dict[str, list[Any]]
"""What changed: {field: [old, new]}."""


class Part(BaseModel):
    """A value inside an event."""

    model_config = ConfigDict(frozen=True, extra="ignore")


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
    """Who wrote a message, and for which side."""

    id: str | None = None
    name: str | None = None
    role: str
    side: Literal["client", "staff"]


class AttachmentRef(Part):
    """An attachment by id and name; its bytes stay with intake."""

    id: str
    name: str


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


class Origin(Part):
    """How a message came in; the mail's own marks where it was one."""

    channel: str
    automatic: bool = False
    verified: bool = True
    mail_id: str | None = None
    message_id: str | None = None
    references: list[str] = []


class EventData(BaseModel):
    """What every event's data has."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    TYPE: ClassVar[str]

    actor: Actor
    organization_id: str | None = None


class TicketEvent(EventData):
    """What every ticket event says of its ticket, after the change."""

    number: str
    status: str
    recipients: list[Recipient] = []


class TicketSubmitted(TicketEvent):
    """A request was accepted and numbered (clause 4.4)."""

    TYPE = "ticket.submitted"
    subject: str
    body: str
    attachments: list[AttachmentRef] = []
    requester: RequesterRef
    language: str
    topic: str | None = None
    urgency: str
    urgency_provisional: bool = False
    recovery: str = "none"
    tier: str
    scope: Scope
    entitlement: str
    missing_information: list[MissingField] = []
    received_at: datetime
    policy_version: str
    origin: Origin
    message_id: str | None = None
    split_from: str | None = None
    follows: str | None = None
    external_ref: str | None = None
    metadata: dict[str, Any] = {}


class TicketReplied(TicketEvent):
    """A public message was added by the client's side or by staff."""

    TYPE = "ticket.replied"
    message_id: str
    author: Author
    body: str
    attachments: list[AttachmentRef] = []
    received_at: datetime
    origin: Origin


class TicketNoted(TicketEvent):
    """An internal note was added; clients never see it."""

    TYPE = "ticket.noted"
    message_id: str


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
    """An answer has to wait for somebody else (clause 2.3)."""

    TYPE = "ticket.waiting"
    cause: Literal["client", "third_party", "release"]
    circumstance: str | None = None
    note: str | None = None


class TicketReminded(TicketEvent):
    """The client was asked again while we wait for them."""

    TYPE = "ticket.reminded"
    kind: str
    closes_at: datetime | None = None


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


class TicketReleased(TicketEvent):
    """The release that fixes it is out (clause 2.2)."""

    TYPE = "ticket.released"
    version: str
    note: str | None = None


class TicketResolved(TicketEvent):
    """Staff holds the problem to be solved."""

    TYPE = "ticket.resolved"


class TicketClosed(TicketEvent):
    """The ticket is closed, with the reason."""

    TYPE = "ticket.closed"
    reason: str
    circumstance: str | None = None


class TicketReopened(TicketEvent):
    """It was reopened; `received_at` is the instant that counts for its place in the queue."""

    TYPE = "ticket.reopened"
    side: Literal["client", "staff"]
    received_at: datetime


class TicketSplit(TicketEvent):
    """A message became a ticket of its own (clause 2.4)."""

    TYPE = "ticket.split"
    message_id: str
    into: str


class TicketMerged(TicketEvent):
    """The ticket was joined to another as a duplicate."""

    TYPE = "ticket.merged"
    into: str


class TicketUnmerged(TicketEvent):
    """A merge was taken back."""

    TYPE = "ticket.unmerged"


class TicketSupervisorRequested(TicketEvent):
    """The client asks the supervisor to accelerate or to comment."""

    TYPE = "ticket.supervisor_requested"
    request_id: str
    kind: str


class TicketSupervisorAnswered(TicketEvent):
    """The supervisor answered."""

    TYPE = "ticket.supervisor_answered"
    request_id: str


class TicketAccessRequested(TicketEvent):
    """Staff asks for credentials of named kinds (clause 4.3)."""

    TYPE = "ticket.access_requested"
    request_id: str
    kinds: list[str]


class TicketAccessProvided(TicketEvent):
    """The client provided credentials; their values are in no event."""

    TYPE = "ticket.access_provided"
    request_id: str


class TicketAccessRevealed(TicketEvent):
    """Staff read credentials."""

    TYPE = "ticket.access_revealed"
    request_id: str


class TicketAccessPurged(TicketEvent):
    """Credentials were deleted."""

    TYPE = "ticket.access_purged"
    request_id: str


class TicketRated(TicketEvent):
    """The client rated the handling."""

    TYPE = "ticket.rated"
    mark: str


class TicketParticipantAdded(TicketEvent):
    """Somebody was added to the client's side of the conversation."""

    TYPE = "ticket.participant_added"
    participant: Recipient


class TicketHeldMail(TicketEvent):
    """A mail that names the ticket is held for a specialist to judge (clause 4.4)."""

    TYPE = "ticket.held_mail"
    mail_id: str
    reason: str


class EntryKey(Part):
    """The key of an entry: out of turn first, then the instant, then intake's log position."""

    out_of_turn: bool
    since: datetime
    position: int


class QueueEvent(EventData):
    """What every queue event says of its entry."""

    number: str
    key: EntryKey
    agent: str | None = None
    fence: int = 0
    lease_expires_at: datetime | None = None
    reason: str | None = None


class QueueEntered(QueueEvent):
    """A client waits for an answer: the ticket has a place in the queue."""

    TYPE = "queue.entered"


class QueueClaimed(QueueEvent):
    """An agent took it; `reason` names the permitted inversion where it was not first."""

    TYPE = "queue.claimed"


class QueueRenewed(QueueEvent):
    """The lease was prolonged."""

    TYPE = "queue.renewed"


class QueueReleased(QueueEvent):
    """The agent gave it back; it keeps its place."""

    TYPE = "queue.released"


class QueueExpired(QueueEvent):
    """The lease ran out; it keeps its place."""

    TYPE = "queue.expired"


class QueueLeft(QueueEvent):
    """Nobody waits any more: answered, waiting, resolved or closed."""

    TYPE = "queue.left"


class QueueTransferred(QueueEvent):
    """The claim went to another agent."""

    TYPE = "queue.transferred"


class QueueOwnerChanged(QueueEvent):
    """Another agent answers for the ticket."""

    TYPE = "queue.owner_changed"
    owner: str | None = None


class ClockEvent(EventData):
    """What every clock event says of its clock."""

    number: str
    target: str
    due_at: datetime | None = None
    elapsed_minutes: float
    policy_version: str


class ClockScheduled(ClockEvent):
    """A clock runs towards an instant."""

    TYPE = "clock.scheduled"


class ClockWarned(ClockEvent):
    """The warning share of the target is used up."""

    TYPE = "clock.warned"


class ClockBreached(ClockEvent):
    """The target was missed."""

    TYPE = "clock.breached"


class ClockMet(ClockEvent):
    """The target was met."""

    TYPE = "clock.met"


class ClockCancelled(ClockEvent):
    """The clock stopped without an answer being owed any more, or until waiting ends."""

    TYPE = "clock.cancelled"


class PolicyPublished(EventData):
    """A policy version is in force from an instant on."""

    TYPE = "policy.published"
    version: str
    document: dict[str, Any]
    effective_from: datetime


class DeliveryFailed(EventData):
    """A delivery failed for good."""

    TYPE = "delivery.failed"
    delivery_id: str
    channel: str
    ticket_id: str | None = None
    reason: str


class DeliveryExhausted(EventData):
    """A delivery was tried for as long as it may be."""

    TYPE = "delivery.exhausted"
    delivery_id: str
    channel: str
    ticket_id: str | None = None
    reason: str


class EndpointDisabled(EventData):
    """A webhook endpoint gets nothing more until somebody enables it."""

    TYPE = "endpoint.disabled"
    endpoint_id: str
    reason: str


class AccountPersonChanged(EventData):
    """A person as they are now."""

    TYPE = "account.person_changed"
    id: str
    email: str
    name: str | None = None
    language: str | None = None
    role: str
    active: bool


class AccountOrganizationChanged(EventData):
    """An organisation as it is now."""

    TYPE = "account.organization_changed"
    id: str
    name: str
    kind: Literal["customer", "partner"]


class AccountLicenceChanged(EventData):
    """A licence as it is now; the key itself stays with accounts, as a hash."""

    TYPE = "account.licence_changed"
    id: str
    key_sha256: str
    last4: str
    product: str
    edition: str | None = None
    active_until: datetime | None = None


class PersonErased(EventData):
    """A person's data is to be deleted everywhere."""

    TYPE = "person.erased"
    id: str


def _leaves(model: type[EventData]) -> list[type[EventData]]:
    if "TYPE" in vars(model):
        return [model]
    return [leaf for child in model.__subclasses__() for leaf in _leaves(child)]


CATALOGUE: dict[str, type[EventData]] = {model.TYPE: model for model in _leaves(EventData)}
"""Every event type by its name."""
