"""Events of access data (clause 4.3): what was asked for, given, read, deleted and changed; never what it was."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from firstline.common.event_parts import Part, TicketEvent


class TicketAccessRequested(TicketEvent):
    """Staff asks for access data of named kinds (clause 4.3)."""

    TYPE = "ticket.access_requested"
    request_id: str
    kinds: list[str]
    host: str | None = None
    reason: str = ""
    requested_by: str = ""
    expires_at: datetime | None = None


class TicketAccessProvided(TicketEvent):
    """The client provided access data of these kinds; their values are in no event.

    `moved_from` is the text that they were taken out of, where the client had written them into one.
    """

    TYPE = "ticket.access_provided"
    request_id: str
    kinds: list[str] = Field(default_factory=list)
    moved_from: str | None = None


class TicketAccessWithdrawn(TicketEvent):
    """Nothing can be given or read any more: declined, revoked, expired, or the request has ended meanwhile."""

    TYPE = "ticket.access_withdrawn"
    request_id: str
    cause: Literal["declined", "revoked", "expired", "ended"]


class TicketAccessRevealed(TicketEvent):
    """Staff read access data: who, of which kinds, why, and under which claim; never what was read."""

    TYPE = "ticket.access_revealed"
    request_id: str
    kinds: list[str] = Field(default_factory=list)
    host: str | None = None
    reason: str = ""
    revealed_by: str = ""
    fence: int | None = None


class TicketAccessPurged(TicketEvent):
    """Access data were deleted for good."""

    TYPE = "ticket.access_purged"
    request_id: str
    kinds: list[str] = Field(default_factory=list)
    host: str | None = None
    cause: Literal["resolved", "closed", "age", "revoked"] = "age"


class AccessToChange(Part):
    """A kind of access data that the client gave and has to change, and where it holds."""

    kind: str
    host: str | None = None


class TicketAccessChangeDue(TicketEvent):
    """The client has to change what they gave (clause 4.3): at the resolution, as a reminder, at the closing."""

    TYPE = "ticket.access_change_due"
    occasion: Literal["resolved", "reminder", "closed"]
    access: list[AccessToChange]


class TicketAccessChanged(TicketEvent):
    """The client confirmed that what they gave is changed."""

    TYPE = "ticket.access_changed"
    request_id: str
