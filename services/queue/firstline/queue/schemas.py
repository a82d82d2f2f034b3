"""Bodies of queue's requests and answers."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from firstline.common.paging import Page
from firstline.common.policy.model import Tier
from firstline.queue.entry import Entry, Rules, why
from firstline.queue.service.places import Standing, Summary

Reference = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Skill = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class Body(BaseModel):
    """A request's body: an unknown member is a mistake."""

    model_config = ConfigDict(extra="forbid")


class ClaimIn(Body):
    """What to claim: the next request, the next of a tier or of some topics, or a certain one."""

    tier: Tier | None = Field(None, description="Only requests of this tier.", examples=["technical_support"])
    skills: list[Skill] | None = Field(
        None, min_length=1, max_length=50, description="Only requests with one of these topics, or with none."
    )
    ticket_id: Reference | None = Field(
        None, description="This request, by ID or number; it is recorded that it was chosen by hand."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        """Refuse a body that names a request and wishes for the next one as well."""
        if self.ticket_id is not None and (self.tier is not None or self.skills is not None):
            raise ValueError("Name a request by ticket_id, or say tier and skills for the next one; not both.")
        return self


class KeepIn(Body):
    """Which claim is meant, where no Claim-Token is sent."""

    fence: int | None = Field(None, ge=1, lt=2**63, description="The claim's fencing number.", examples=[1])


class TransferIn(KeepIn):
    """Who is to go on with the request."""

    agent: Reference = Field(description="ID of the specialist who takes over.")
    note: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        None, description="What they should know; recorded with the transfer, never shown to clients."
    )


class HeldOut(BaseModel):
    """A claim: who works on the request, and until when."""

    ticket_id: str
    number: str = Field(examples=["FL-7K3M-9QPX"])
    agent: str
    owner: str = Field(description="Who answers for the request over days.")
    fence: int = Field(description="Grows with each claim of this request; lower ones are refused.", examples=[1])
    lease_expires_at: datetime


class ClaimOut(HeldOut):
    """The caller's own claim."""

    claim_token: str = Field(description="Send it as Claim-Token with what you write, to show that you hold the claim.")


class PlaceOut(BaseModel):
    """Where a request stands in the queue."""

    ticket_id: str
    number: str = Field(examples=["FL-7K3M-9QPX"])
    position: int = Field(description="1 for the next one; 0 while a specialist works on it.", examples=[3])
    ahead: int = Field(description="How many are served before it; those in work don't count.", examples=[2])
    at_least: bool = Field(description="There are more ahead than were counted.")
    why: list[str] = Field(description="Why it stands there.")
    since: datetime = Field(description="The instant that counts for its place.")
    out_of_turn: bool
    claimed: bool = Field(description="A specialist works on it now.")
    claimed_by: str | None = Field(None, description="Who works on it; for staff.")
    lease_expires_at: datetime | None = Field(None, description="Until when, unless renewed; for staff.")


class QueueItem(BaseModel):
    """A request in the queue."""

    ticket_id: str
    number: str = Field(examples=["FL-7K3M-9QPX"])
    subject: str
    topic: str | None
    urgency: str
    urgency_provisional: bool = Field(description="A specialist has yet to confirm the urgency.")
    tier: str
    status: str
    since: datetime = Field(description="The instant that counts for its place.")
    out_of_turn: bool
    owner: str | None
    claimed_by: str | None = Field(description="Who works on it now.")
    lease_expires_at: datetime | None
    why: list[str] = Field(description="Why it stands where it stands.")


class QueuePage(Page[QueueItem]):
    """A page of the queue in the order of service, and what the part of it that nobody works on is like."""

    waiting: int = Field(description="How many wait, up to 1,000.")
    out_of_turn: int = Field(description="How many of them are served out of turn.")
    oldest_since: datetime | None = Field(description="Since when the first of them has waited.")
    at_least: bool = Field(description="More wait than were counted.")


def held_out(entry: Entry) -> HeldOut:
    """Return a claimed entry as it is shown to others than its holder."""
    return HeldOut.model_validate(entry, from_attributes=True)


def claim_out(entry: Entry, token: str) -> ClaimOut:
    """Return a claimed entry as its holder gets it."""
    return ClaimOut(claim_token=token, **held_out(entry).model_dump())


def place_out(entry: Entry, standing: Standing, *, staff: bool) -> PlaceOut:
    """Return where an entry stands; only staff see who works on it."""
    # Who is worked on has nobody ahead: the entries before it don't hold it up any more.
    claimed = entry.agent is not None
    shown = PlaceOut.model_validate(
        {
            "ticket_id": entry.ticket_id,
            "number": entry.number,
            "position": 0 if claimed else standing.ahead + 1,
            "ahead": 0 if claimed else standing.ahead,
            "at_least": not claimed and standing.at_least,
            "why": standing.why,
            "since": entry.since,
            "out_of_turn": entry.out_of_turn,
            "claimed": claimed,
        }
    )
    if staff:
        return shown.model_copy(update={"claimed_by": entry.agent, "lease_expires_at": entry.lease_expires_at})
    return shown


def item_out(entry: Entry, all_of_them: Summary, rules: Rules) -> QueueItem:
    """Return an entry as a line of the queue."""
    values = {name: getattr(entry, name, None) for name in QueueItem.model_fields}
    reasons = why(entry, all_of_them.out_of_turn, rules)
    return QueueItem.model_validate(values | {"claimed_by": entry.agent, "why": reasons})
