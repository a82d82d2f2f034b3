"""Bodies of incidents."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from firstline.intake.schemas.given import Body, Line, NoNul, Short, Text
from firstline.intake.schemas.shown import TicketOut
from firstline.intake.store.incidents import Answer, Incident

MOST_LINKED = 200
References = Annotated[list[Short], Field(max_length=MOST_LINKED, description="IDs or numbers, 200 at once.")]
BannerText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), NoNul]


class IncidentIn(Body):
    """A cause that several requests have in common, and those that are known to have it."""

    title: Line = Field(examples=["Sign-in fails for everybody since 09:00"])
    ticket_ids: References = Field(default=[])


class LinkTicketsIn(Body):
    """The requests that are meant."""

    ticket_ids: Annotated[References, Field(min_length=1)]


class AnswerAllIn(Body):
    """One answer to all requests of an incident."""

    body: Text
    resolve: bool = Field(False, description="Whether the answer is the solution of each that is not ended yet.")


class BannerIn(Body):
    """A text for the portal, shown while the incident is open and its time has come; null takes it away."""

    text: BannerText | None
    begin: AwareDatetime | None = Field(None, alias="from", description="Left out: at once.")
    until: AwareDatetime | None = Field(None, description="Left out: until the incident is resolved.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        """Refuse a banner that would never be shown."""
        if self.begin and self.until and self.until <= self.begin:
            raise ValueError("Let it end after it begins.")
        return self

    def kept(self) -> dict[str, str | None] | None:
        """Return the banner as it is kept."""
        if self.text is None:
            return None
        begin, until = (at.isoformat() if at else None for at in (self.begin, self.until))
        return {"text": self.text, "from": begin, "until": until}


class ResolveIncidentIn(Body):
    """The trouble is over."""


class BannerOut(BaseModel):
    """The text that the portal shows, and when."""

    text: str
    begin: datetime | None = Field(alias="from")
    until: datetime | None


class AnswerOut(BaseModel):
    """An answer to all, and how far it has come; `refused` could not be answered any more, having been closed."""

    id: str
    body: str
    resolve: bool
    total: int
    sent: int
    refused: int
    created_at: datetime


class IncidentOut(BaseModel):
    """An incident as it stands; `tickets` is how many requests are linked to it."""

    id: str
    title: str
    status: Literal["open", "resolved"]
    version: int
    tickets: int
    banner: BannerOut | None
    opened_by: str
    opened_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    answers: list[AnswerOut] = Field(default=[], description="The last ones, newest first, where one incident is read.")


class ProposalOut(BaseModel):
    """An open request that may have the same cause, and why it is thought so."""

    ticket: TicketOut
    words: list[str] = Field(description="The beginnings of the words that it shares.")
    same_topic: bool


class ProposalsOut(BaseModel):
    """Proposals, the likeliest first; 25 at most."""

    items: list[ProposalOut]


class ShownBanner(BaseModel):
    """What the portal shows to you now."""

    incident_id: str
    title: str
    text: str


class BannersOut(BaseModel):
    """The banners of all open incidents that you are to see, newest first."""

    items: list[ShownBanner]


def answer_out(answer: Answer) -> AnswerOut:
    """Return an answer's document."""
    return AnswerOut(
        id=answer.id,
        body=answer.body,
        resolve=answer.resolve,
        total=answer.total,
        sent=answer.sent,
        refused=answer.refused,
        created_at=answer.created_at,
    )


def incident_out(incident: Incident, answers: list[Answer]) -> IncidentOut:
    """Return an incident's document."""
    return IncidentOut(
        id=incident.id,
        title=incident.title,
        status="open" if incident.status == "open" else "resolved",
        version=incident.version,
        tickets=incident.tickets,
        banner=BannerOut.model_validate(incident.banner) if incident.banner else None,
        opened_by=incident.opened_by,
        opened_at=incident.opened_at,
        updated_at=incident.updated_at,
        resolved_at=incident.resolved_at,
        answers=[answer_out(answer) for answer in answers],
    )
