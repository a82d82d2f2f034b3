"""Every event type, one model each: the product's vocabulary of facts.

Models only grow: a field is never renamed or removed, and a new one has a default. `TYPE` is the event's name on the
bus. No event carries a secret.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from firstline.common.access_events import (
    AccessToChange,
    TicketAccessChanged,
    TicketAccessChangeDue,
    TicketAccessProvided,
    TicketAccessPurged,
    TicketAccessRequested,
    TicketAccessRevealed,
    TicketAccessWithdrawn,
)
from firstline.common.event_parts import (
    Actor,
    AttachmentRef,
    Author,
    Changes,
    EntryKey,
    EventData,
    HintPart,
    MaskedPart,
    MissingField,
    Origin,
    OwedAnswer,
    Part,
    Recipient,
    RequesterRef,
    Scope,
    TicketEvent,
)
from firstline.common.ticket_events import (
    TicketClosed,
    TicketDuplicateJoined,
    TicketDuplicateLeft,
    TicketHandedOver,
    TicketHeldMail,
    TicketIncidentLinked,
    TicketIncidentUnlinked,
    TicketLinked,
    TicketMerged,
    TicketNoted,
    TicketOpened,
    TicketParticipantAdded,
    TicketRated,
    TicketRedacted,
    TicketReleased,
    TicketReleasePlanned,
    TicketReminded,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketResumed,
    TicketSplit,
    TicketSubmitted,
    TicketSupervisorAnswered,
    TicketSupervisorRequested,
    TicketTriaged,
    TicketUnlinked,
    TicketUnmerged,
    TicketWaiting,
)

__all__ = [
    "AccessToChange",
    "Actor",
    "AttachmentRef",
    "Author",
    "Changes",
    "EntryKey",
    "EventData",
    "HintPart",
    "MaskedPart",
    "MissingField",
    "Origin",
    "OwedAnswer",
    "Part",
    "Recipient",
    "RequesterRef",
    "Scope",
    "TicketAccessChangeDue",
    "TicketAccessChanged",
    "TicketAccessProvided",
    "TicketAccessPurged",
    "TicketAccessRequested",
    "TicketAccessRevealed",
    "TicketAccessWithdrawn",
    "TicketClosed",
    "TicketDuplicateJoined",
    "TicketDuplicateLeft",
    "TicketEvent",
    "TicketHandedOver",
    "TicketHeldMail",
    "TicketIncidentLinked",
    "TicketIncidentUnlinked",
    "TicketLinked",
    "TicketMerged",
    "TicketNoted",
    "TicketOpened",
    "TicketParticipantAdded",
    "TicketRated",
    "TicketRedacted",
    "TicketReleasePlanned",
    "TicketReleased",
    "TicketReminded",
    "TicketReopened",
    "TicketReplied",
    "TicketResolved",
    "TicketResumed",
    "TicketSplit",
    "TicketSubmitted",
    "TicketSupervisorAnswered",
    "TicketSupervisorRequested",
    "TicketTriaged",
    "TicketUnlinked",
    "TicketUnmerged",
    "TicketWaiting",
]


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
    """Nobody waits any more: answered, waiting, resolved, closed, or unmerged: its duplicate is answered by itself."""

    TYPE = "queue.left"


class QueueMoved(QueueEvent):
    """Its key changed: the urgency was judged, or a message received earlier was let in; a claim goes on."""

    TYPE = "queue.moved"


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
    ticket_id: str | None = None
    target: str
    due_at: datetime | None = None
    elapsed_minutes: float
    policy_version: str
    rule: str | None = None
    target_minutes: float | None = None


class ClockScheduled(ClockEvent):
    """A clock runs towards an instant."""

    TYPE = "clock.scheduled"


class ClockWarned(ClockEvent):
    """So much of the target is used up that the policy wants a warning."""

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
    tier: str | None = None
    skills: list[str] = Field(default_factory=list)


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


class AccountApiKeyChanged(EventData):
    """An API key was made or revoked; `person_id` None: it acts for the organisation."""

    TYPE = "account.api_key_changed"
    id: str
    name: str
    last4: str
    person_id: str | None = None
    role: str
    revoked_at: datetime | None = None


class IncidentOpened(EventData):
    """Several requests were found to have one cause; `linked` are those known so far."""

    TYPE = "incident.opened"
    title: str
    linked: list[str] = Field(default_factory=list)


class IncidentUpdated(EventData):
    """Requests were linked or unlinked, the banner was changed, or an answer to all was recorded."""

    TYPE = "incident.updated"
    title: str
    changes: Changes = Field(default_factory=dict)
    linked: list[str] = Field(default_factory=list)
    unlinked: list[str] = Field(default_factory=list)
    answer_id: str | None = None


class IncidentResolved(EventData):
    """The trouble is over."""

    TYPE = "incident.resolved"
    title: str


class PersonErased(EventData):
    """A person's data is to be deleted everywhere."""

    TYPE = "person.erased"
    id: str


class RedactedRow(Part):
    """A row of the log from which something was erased, and the SHA-256 of what is left of its data."""

    stream: str
    version: int
    sha256: str


class ErasureApplied(EventData):
    """A service erased a portion of a person's data: how much of which kind, and what is left of rows of its log.

    The last one of a service is `done`, and says what may still name the person and could not be looked into.
    """

    TYPE = "erasure.applied"
    person_id: str
    service: str
    erased: dict[str, int] = Field(default_factory=dict)
    not_looked_into: dict[str, int] = Field(default_factory=dict)
    rows: list[RedactedRow] = Field(default_factory=list)
    done: bool = False


def _leaves(model: type[EventData]) -> list[type[EventData]]:
    """Return the models below one that name a type; those in between, such as QueueEvent, only share members."""
    if "TYPE" in vars(model):
        return [model]
    return [leaf for child in model.__subclasses__() for leaf in _leaves(child)]


CATALOGUE: dict[str, type[EventData]] = {model.TYPE: model for model in _leaves(EventData)}
"""Every event type by its name."""
